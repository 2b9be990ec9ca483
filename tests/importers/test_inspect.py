"""Logs that Inspect itself wrote (`data/inspect`: a toy task, its mock model), and damaged ones.

They were made by inspect_ai 0.3.285 with `tests/importers/data/inspect/make.py`.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

import mplus_eval
from mplus_eval.errors import UsageError
from mplus_eval.importers import read_results
from mplus_eval.importers.archive import Archive

LOGS = Path(__file__).parent / "data" / "inspect"


def as_json(name: str, **changes: Any) -> dict[str, Any]:
    """A log as Inspect writes it in one file."""
    archive = Archive(LOGS / f"{name}.eval")
    samples = [dict(row) for _, row in archive.rows("samples/")]
    return {**archive.json("header.json"), "samples": samples, **changes}


def test_a_log_is_read_as_inspect_wrote_it() -> None:
    run = read_results("inspect", str(LOGS / "plus.eval"))

    (task,) = run.tasks
    items = list(task.subtasks[0].read())
    assert (run.model, run.asked_by) == ("mockllm/model", "inspect mockllm")
    assert (task.name, task.version, task.values) == ("sums", "2", {"match,none": 0.75})
    assert [item.label for item in items] == [f"sum-{n}" for n in range(8)]
    assert [item.outcome.metrics for item in items[:2]] == [{"match,none": 1.0}, {"match,none": 0.0}]
    assert (items[1].outcome.prompt, items[1].outcome.target, items[1].outcome.answer) == ("1+1=?", "2", "99")


def test_both_forms_of_a_log_hold_the_same(tmp_path: Path) -> None:
    (tmp_path / "log.json").write_text(json.dumps(as_json("plus")))

    (one,), (other,) = (read_results("inspect", str(path)).tasks for path in (LOGS / "plus.eval", tmp_path))

    assert list(one.subtasks[0].read()) == list(other.subtasks[0].read())
    assert one.values == other.values


def test_two_logs_are_a_comparison(tmp_path: Path) -> None:
    sources = {name: str(LOGS / f"{name}.eval") for name in ("base", "plus")}

    task = mplus_eval.compare(sources, results="inspect", output=tmp_path / "run").comparison.tasks["sums"]

    assert {name: score.value for name, score in task.scores.items()} == {"base": 1.0, "plus": 0.75}
    assert (task.contrasts["plus"].lost, task.metric, task.version) == (2, "match", "2")


def test_the_newest_log_of_a_task_counts_and_unfinished_ones_do_not(tmp_path: Path) -> None:
    newer = as_json("base")
    newer["eval"]["created"] = "2030-01-01T00:00:00+00:00"
    (tmp_path / "b.json").write_text(json.dumps(newer))
    (tmp_path / "c.json").write_text(json.dumps(as_json("plus", status="cancelled")))
    shutil.copy(LOGS / "plus.eval", tmp_path / "a.eval")

    run = read_results("inspect", str(tmp_path))

    assert run.tasks[0].values == {"match,none": 1.0}
    assert sorted(run.notes) == [
        "c.json is left out, since its status is 'cancelled'",
        "sums has several logs; the newest counts, b.json",
    ]


@pytest.mark.parametrize(
    ("value", "number"),
    [("C", 1), ("I", 0), ("P", 0.5), ("N", 0), ("yes", 1), ("0.25", 0.25), (True, 1), (3, 3), (None, None)],
)
def test_grades_are_the_numbers_that_inspect_takes_them_for(
    tmp_path: Path, value: object, number: float | None
) -> None:
    log = as_json("base")
    log["samples"][0]["scores"]["match"]["value"] = value
    (tmp_path / "log.json").write_text(json.dumps(log))

    item = next(iter(read_results("inspect", str(tmp_path)).tasks[0].subtasks[0].read()))

    assert item.outcome.metrics == ({} if number is None else {"match,none": number})


def test_several_values_of_a_scorer_are_metrics_of_their_own(tmp_path: Path) -> None:
    log = as_json("base")
    for sample in log["samples"]:
        sample["scores"]["match"]["value"] = {"tone": 0.5, "facts": "C"}
    (tmp_path / "log.json").write_text(json.dumps(log))

    assert list(read_results("inspect", str(tmp_path)).tasks[0].metrics) == ["match.tone", "match.facts"]


def test_epochs_are_samples_of_one_item(tmp_path: Path) -> None:
    log = as_json("base")
    again = [{**sample, "epoch": 2} for sample in log["samples"]]
    (tmp_path / "log.json").write_text(json.dumps({**log, "samples": [*log["samples"], *again]}))

    items = list(read_results("inspect", str(tmp_path)).tasks[0].subtasks[0].read())

    assert len({item.key for item in items}) == 8
    assert sorted({item.outcome.sample for item in items}) == [0, 1]


@pytest.mark.parametrize("value", ["good", [1], {"a": [1]}, "NaNs"])
def test_a_grade_that_is_none_is_told_with_its_sample(tmp_path: Path, value: object) -> None:
    log = as_json("base")
    log["samples"][2]["scores"]["match"]["value"] = value
    (tmp_path / "log.json").write_text(json.dumps(log))

    with pytest.raises(UsageError, match=r"log\.json, sample 3: scores\.match"):
        read_results("inspect", str(tmp_path))


def test_a_log_without_samples_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "log.json").write_text(json.dumps(as_json("base", samples=None)))

    with pytest.raises(UsageError, match="aggregate scores only; per-item samples are needed to pair"):
        read_results("inspect", str(tmp_path))


def test_a_damaged_archive_is_one_line(tmp_path: Path) -> None:
    content = bytearray((LOGS / "base.eval").read_bytes())
    path = tmp_path / "log.eval"
    messages = []
    for place in range(0, len(content), 500):
        turned = bytearray(content)
        turned[place] ^= 0xFF
        path.write_bytes(turned)
        try:
            read_results("inspect", str(path))
        except UsageError as error:
            messages.append(str(error))
    assert messages
    assert all(message.startswith(str(path)) and "\n" not in message for message in messages)
    path.write_bytes(b"text")
    with pytest.raises(UsageError, match="no archive"):
        read_results("inspect", str(path))


def test_an_entry_that_unpacks_to_more_than_it_says_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", "{" + " " * 100_000 + "}")
    monkeypatch.setattr("mplus_eval.importers.archive.LARGEST_ENTRY", 1000)

    with pytest.raises(UsageError, match=r"log\.eval, header\.json: larger than"):
        read_results("inspect", str(path))
