from pathlib import Path

from mplus_eval.reports.items import FlippedCell, flipped_cells
from mplus_eval.reports.task_rows import stored_tasks
from mplus_eval.store.run_directory import RunDirectory
from tests.reports import build


def cells(directory: Path) -> dict[tuple[str, str], FlippedCell]:
    comparison = build.full()
    css = {name: f"m-{name}" for name in comparison.models}
    stored = stored_tasks(comparison, RunDirectory(directory))
    return {(cell.model, cell.task): cell for rows in stored for cell in flipped_cells(comparison, rows, css)}


def test_three_lost_and_three_gained_items_at_most(tmp_path: Path) -> None:
    build.write_outcomes(tmp_path, "base", "gsm8k", [build.outcome(n, float(n < 10)) for n in range(20)])
    build.write_outcomes(tmp_path, "sft", "gsm8k", [build.outcome(n, float(n >= 10)) for n in range(20)])
    titles = [item.title for item in cells(tmp_path)["sft", "gsm8k"].items]
    assert [title.split(":")[0] for title in titles] == ["lost"] * 3 + ["gained"] * 3


def test_the_largest_changes_of_graded_scores_come_first(tmp_path: Path) -> None:
    build.write_outcomes(tmp_path, "base", "drop", [build.outcome(n, 1.0) for n in range(6)])
    build.write_outcomes(tmp_path, "sft", "drop", [build.outcome(n, n / 6) for n in range(6)])
    items = cells(tmp_path)["sft", "drop"].items
    assert [item.title for item in items] == [f"lost: gsm8k, item-{n}" for n in range(3)]
    assert [item.answers[1].score for item in items] == ["wrong", "score 16.7", "score 33.3"]


def test_an_item_that_failed_is_no_flip(tmp_path: Path) -> None:
    build.write_outcomes(tmp_path, "base", "gsm8k", [build.outcome(1, 1.0)])
    build.write_outcomes(tmp_path, "sft", "gsm8k", [build.outcome(1, None, error="NaN")])
    assert cells(tmp_path) == {}


def test_absent_outcomes_are_no_fault(tmp_path: Path) -> None:
    assert cells(tmp_path) == {}


def test_an_item_shows_the_end_of_the_prompt_and_what_both_said(tmp_path: Path) -> None:
    prompt = "x" * 1000 + " the end:"
    build.write_outcomes(tmp_path, "base", "gsm8k", [build.outcome(1, 1.0, prompt=prompt, answer="17")])
    build.write_outcomes(
        tmp_path, "sft", "gsm8k", [build.outcome(1, 0.0, prompt=prompt, generations=None, answer="11")]
    )
    (item,) = cells(tmp_path)["sft", "gsm8k"].items
    assert item.prompt == "… " + "x" * 591 + " the end:"
    assert (item.target, item.answers[0].answer, item.answers[1].answer) == ("17", "17", "11")
    assert (item.answers[0].text, item.answers[1].text) == ("A third of 18 is 6, so it is 1.", "")
