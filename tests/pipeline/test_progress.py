from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from mplus_eval.pipeline.progress import ConsoleProgress, RunProgress, TimeLeft, duration


def told(*, verbose: bool = False) -> tuple[ConsoleProgress, io.StringIO]:
    """A progress as where no bar can be drawn, and what it prints."""
    file = io.StringIO()
    return ConsoleProgress(Console(file=file, width=200), verbose=verbose), file


def cell(task: str, model: str = "plus") -> Any:
    of_model = SimpleNamespace(spec=SimpleNamespace(name=model))
    return cast("Any", SimpleNamespace(model=of_model, task=task, kind="choice", name=f"{model} × {task}"))


def test_nothing_is_estimated_before_anything_was_measured() -> None:
    assert TimeLeft({("base", "mmlu", "choice"): 10}).seconds() is None


def test_time_left_uses_the_rate_of_the_same_task_with_another_model() -> None:
    left = TimeLeft(
        {("base", "mmlu", "choice"): 10, ("base", "gsm8k", "generation"): 10, ("plus", "gsm8k", "generation"): 10}
    )
    left.record(("base", "mmlu", "choice"), 10, 1.0)
    left.record(("base", "gsm8k", "generation"), 10, 50.0)

    assert left.seconds() == pytest.approx(50.0)


def test_a_task_not_yet_seen_takes_the_rate_of_its_kind() -> None:
    left = TimeLeft({("base", "mmlu", "choice"): 10, ("base", "bbh", "generation"): 4, ("base", "race", "choice"): 5})
    left.record(("base", "mmlu", "choice"), 10, 2.0)
    left.record(("base", "bbh", "generation"), 4, 100.0)

    assert left.seconds() == pytest.approx(5 * 0.2)


def test_a_kind_not_yet_seen_takes_the_rate_of_all() -> None:
    left = TimeLeft({("base", "mmlu", "choice"): 10, ("base", "bbh", "generation"): 4})
    left.record(("base", "mmlu", "choice"), 5, 1.0)

    assert left.seconds() == pytest.approx((5 + 4) * 0.2)


def test_items_of_a_failed_cell_are_not_waited_for() -> None:
    left = TimeLeft({("base", "mmlu", "choice"): 10, ("base", "race", "choice"): 10})
    left.record(("base", "mmlu", "choice"), 10, 2.0)
    left.drop(("base", "race", "choice"))

    assert left.seconds() == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (42, "42 s"), (99.4, "99 s"), (380, "6 min"), (5999, "1 h 40 min"), (9000, "2 h 30 min")],
)
def test_a_duration_is_put_into_the_unit_that_suits_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_phase_is_named_when_it_begins_and_timed_where_details_are_wanted() -> None:
    progress, printed = told()
    with progress.phase("statistics"):
        assert printed.getvalue() == "statistics\n"
    progress.detail("a path")
    assert printed.getvalue() == "statistics\n"
    progress, printed = told(verbose=True)
    with progress.phase("statistics"):
        progress.detail("a path")
    assert printed.getvalue() == "statistics\na path\nstatistics  0.0 s\n"


def test_who_tells_nothing_tells_no_phase_either() -> None:
    with RunProgress().phase("report"):
        pass


def test_a_cause_is_told_in_full_once_a_model() -> None:
    progress, printed = told()
    for failed in (cell("mmlu"), cell("bbh"), cell("mmlu", "base")):
        progress.finish_cell(failed, "out of memory")
    progress.finish_cell(cell("drop"), "no such file")
    assert printed.getvalue().splitlines() == [
        "plus · mmlu  failed: out of memory",
        "plus · bbh  failed in the same way",
        "base · mmlu  failed: out of memory",
        "plus · drop  failed: no such file",
    ]


def test_what_several_workers_do_is_shown_together() -> None:
    progress, file = told()
    cells = [cell("mmlu"), cell("race")]
    part = SimpleNamespace(items=range(10))
    progress.share(2)
    progress.start([(each, [part]) for each in cells], 1)
    for each in cells:
        progress.start_cell(each, 1)
    progress.advance_cell(cells[0], 10, 20.0)
    assert progress._bar.tasks[0].description == "2 workers"
    assert progress._bar.tasks[0].fields["count"] == "10/20 items"
    # Ten items are left, of two seconds each, and two workers share them.
    assert progress._bar.tasks[0].fields["rest"] == "0 of 2 cells · 10 s left"
    progress.finish_cell(cells[0], None)
    assert file.getvalue() == "plus · mmlu  10 items in 0 s, 10 s left\n"
