from __future__ import annotations

import json
from pathlib import Path

import pytest

from mplus_eval.records.training import RECORD_FILE, Dose, Training, read_record
from tests.spec.test_trajectory import record

DOSE = Dose(kl_answers=2.0, kl_answers_per_token=0.1, n_prompts=8)


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    written = record(3, dose=DOSE)
    written.write(tmp_path)
    assert read_record(tmp_path) == written
    assert [path.name for path in tmp_path.iterdir()] == [RECORD_FILE]


def test_a_report_shows_a_part_of_it_without_a_distance_to_other_weights_than_the_baselines() -> None:
    written = record(3, dose=DOSE, base_fingerprint="the base's", warnings=("a warning",))
    shown = written.shown_beside("the base's")
    assert type(shown) is Training
    assert (shown.dose, shown.step, shown.base, shown.warnings) == (DOSE, 3, written.base, ("a warning",))
    other = written.shown_beside("others")
    assert (other.dose, other.step, other.base_behaviour) == (None, 3, None)
    assert other.warnings[0] == "a warning"
    assert other.warnings[1].startswith("The base of its training has other weights than the baseline")


@pytest.mark.parametrize("content", [None, "", "{}", "no JSON"])
def test_a_folder_without_a_whole_record_has_none(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / RECORD_FILE).write_text(content)
    assert read_record(tmp_path) is None


def test_a_record_of_another_version_is_none(tmp_path: Path) -> None:
    record(3).write(tmp_path)
    path = tmp_path / RECORD_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {"record_version": 2}))
    assert read_record(tmp_path) is None
