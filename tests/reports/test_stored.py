from __future__ import annotations

from pathlib import Path

from mplus_eval.reports.stored import StoredJudgement, read_answers
from mplus_eval.store.parts import read_cell
from mplus_eval.store.run_directory import RunDirectory
from tests.reports import build
from tests.reports import build_conversation as talk


def test_a_column_that_was_not_read_has_its_default(tmp_path: Path) -> None:
    build.write_outcomes(tmp_path, "base", "gsm8k", [build.outcome(1, 0.5), build.outcome(2, 1.0)])
    rows = list(read_answers(RunDirectory(tmp_path).outcomes("base", "gsm8k"), ("score",)))
    assert [(row.item_id, row.sample, row.score) for row in rows] == [("item-1", 0, 0.5), ("item-2", 0, 1.0)]
    assert [(row.prompt, row.target) for row in rows] == [("", None)] * 2


def test_only_the_items_that_are_asked_for_are_read(tmp_path: Path) -> None:
    build.write_outcomes(tmp_path, "base", "gsm8k", [build.outcome(n, 0.5) for n in range(4)])
    folder = RunDirectory(tmp_path).outcomes("base", "gsm8k")
    assert [row.item_id for row in read_answers(folder, ("score",), {"item-1", "item-3"})] == [
        "item-1",
        "item-3",
    ]
    assert list(read_answers(folder, ("score",), set())) == []


def test_where_nothing_is_stored_there_are_no_rows(tmp_path: Path) -> None:
    assert list(read_answers(RunDirectory(tmp_path).outcomes("base", "gsm8k"), ("score",))) == []


def test_judgements_have_all_their_columns(tmp_path: Path) -> None:
    talk.store_judgements(tmp_path, 1, "plus", [talk.verdict_row(1, 1, 1.0, 0.0)])
    (row,) = read_cell(RunDirectory(tmp_path).judgements(1, "plus"), StoredJudgement)
    assert (row.item_id, row.turn, row.preference, row.model_first, row.baseline_first) == ("d1", 1, 0.5, 1.0, 0.0)
    assert row.is_inconsistent
