"""The plain format: six fields a line, each fault with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

import mplus_eval
from mplus_eval.errors import UsageError
from mplus_eval.importers import read_results

GOOD = '{"task": "t", "item_id": "a", "score": 1}\n'


def test_all_six_fields_are_read(tmp_path: Path) -> None:
    line = '{"task": "exam", "item_id": "a-3", "score": 0.5, "subtask": "law", "cluster": "p9", "answer": "(B)"}\n'
    (tmp_path / "x.jsonl").write_text(line + "\n" + GOOD)

    run = read_results("jsonl", str(tmp_path))

    exam, other = run.tasks
    (item,) = exam.subtasks[0].read()
    assert (exam.name, exam.subtasks[0].name, item.label) == ("exam", "law", "a-3")
    assert (item.outcome.cluster, item.outcome.answer, item.outcome.metrics) == ("p9", "(B)", {"score,none": 0.5})
    assert (other.name, other.subtasks[0].name) == ("t", "t")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('{"task": "t", "item_id": "b"}', "'score' must be a number, not nothing"),
        ('{"task": "t", "item_id": "b", "score": "1"}', "'score' must be a number, not str '1'"),
        ('{"task": "t", "item_id": "b", "score": true}', "'score' must be a number, not bool 'True'"),
        ('{"task": "t", "item_id": "b", "score": NaN}', "'score' must be a finite number, not nan"),
        ('{"task": "t", "item_id": "b", "score": -Infinity}', "'score' must be a finite number, not -inf"),
        ('{"task": "t", "item_id": "b", "score": 1e999}', "'score' must be a finite number, not inf"),
        ('{"task": "t", "item_id": "b", "score": 1%s}' % ("0" * 5000), "no JSON (a number of 5001 digits)"),
        ('{"task": "t", "item_id": 7, "score": 1}', "'item_id' must be a text that is not empty, not int '7'"),
        ('{"task": "", "item_id": "b", "score": 1}', "'task' must be a text that is not empty, not str ''"),
        ('{"task": "t", "item_id": "b", "score": 1, "cluster": 3}', "'cluster' must be a text, not int '3'"),
        (
            '{"task": "t", "item_id": "b", "scor": 1}',
            "unknown field 'scor'; accepted are task, item_id, score",
        ),
        ('{"task": "t", "item_id": "a", "score": 0}', "item 'a' of t stands twice, first in "),
        ("[1]", "a JSON object is expected, not list '[1]'"),
        ("[" * 100_000, "nested too deep"),
        ('{"task": "t"', "no JSON ("),
        ('{"task": "t\udcff"', "not UTF-8"),
    ],
)
def test_a_fault_is_told_with_file_and_line(tmp_path: Path, line: str, fault: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes((GOOD + line + "\n").encode("utf-8", "surrogateescape"))

    with pytest.raises(UsageError) as caught:
        read_results("jsonl", str(tmp_path))

    assert str(caught.value).startswith(f"{path}, line 2: {fault}")
    assert "\n" not in str(caught.value)


def test_a_line_without_an_end_is_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mplus_eval.importers.reading.LONGEST_LINE", 1000)
    (tmp_path / "x.jsonl").write_text(GOOD + " " * 1001)

    with pytest.raises(UsageError, match=r"line 2: longer than \d+ MiB"):
        read_results("jsonl", str(tmp_path))


def test_an_empty_folder_says_what_is_expected(tmp_path: Path) -> None:
    (tmp_path / "folder.jsonl").mkdir()

    with pytest.raises(UsageError, match=r"no \*\.jsonl with a line an item in it"):
        read_results("jsonl", str(tmp_path))


def test_links_in_a_circle_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text(GOOD)
    (tmp_path / "again").symlink_to(tmp_path)
    (tmp_path / "dangling.jsonl").symlink_to(tmp_path / "nothing")

    (task,) = read_results("jsonl", str(tmp_path)).tasks

    assert len(list(task.subtasks[0].read())) == 1


def test_two_files_are_a_comparison(tmp_path: Path) -> None:
    for name, right in (("base", 40), ("plus", 10)):
        rows = (f'{{"task": "t", "item_id": "i{n}", "score": {int(n < right)}}}\n' for n in range(60))
        (tmp_path / f"{name}.jsonl").write_text("".join(rows))

    sources = {name: str(tmp_path / f"{name}.jsonl") for name in ("base", "plus")}
    contrast = mplus_eval.compare(sources, results="jsonl", output=tmp_path / "run").comparison.tasks["t"].contrasts

    assert (contrast["plus"].lost, contrast["plus"].gained) == (30, 0)
    assert contrast["plus"].difference == pytest.approx(-0.5)
    assert contrast["plus"].verdict == "degraded"
