"""What every tracker gets: figures, the decision, the series of a training, the page; no local path."""

from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.exports.trackers.content import Logged, plain_key
from tests.exports.runs import PATHS


def test_figures_decision_series_and_files(content: Logged) -> None:
    assert content.name == "my-run"
    assert content.scalars["sft/alignment_tax"] == 0.032
    assert content.columns[:3] == ["model", "axis", "verdict"]
    assert ["sft", "capability", "degraded"] in [row[:3] for row in content.cells()]
    steps = content.series["plus"]
    assert [step for step, _ in steps] == [0, 10, 20, 30]
    assert [values["kl_per_answer"] for _, values in steps] == [0.0, 3.0, 7.0, 12.0]
    assert [path.name for path in content.files] == ["report.html", "report.md", "comparison.json"]


def test_settings_have_no_local_path(content: Logged) -> None:
    assert content.settings["model/plus"] == "plus"
    assert content.settings["model/base"] == "example/base-7b"
    assert not any(path in str(content.settings) for path in PATHS)


@pytest.mark.parametrize(
    ("name", "key"), [("plus/mmlu/acc", "plus/mmlu/acc"), ("lm_eval:x<y>", "lm_eval_x_y_"), ("a b-c.d", "a b-c.d")]
)
def test_a_key_is_one_that_every_tracker_takes(name: str, key: str) -> None:
    assert plain_key(name) == key


def test_a_run_without_a_page_has_no_files(reported: Path, tmp_path: Path) -> None:
    from mplus_eval.exports import StoredRun

    (tmp_path / "comparison.json").write_bytes((reported / "comparison.json").read_bytes())
    names = [path.name for path in Logged.of(StoredRun.read(tmp_path)).files]
    assert names == ["comparison.json"]
