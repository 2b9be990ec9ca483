from __future__ import annotations

from typing import Any

import pytest

from mplus_eval.records.comparison import Comparison
from mplus_eval.reports.selection import SPREAD, items_of, selection_field, selection_method
from tests.reports import build


def chosen(n_items: int = 100, n_available: int | None = 14042, **fields: Any) -> Comparison:
    comparison = build.of_size(2, 2)
    asked = {"n_items": n_items, "n_available": n_available}
    tasks = {name: task.model_copy(update=asked) for name, task in comparison.tasks.items()}
    return comparison.model_copy(update={"tasks": tasks, **fields})


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({"limit": 20}, "Limit", "first 20 items of each task or subject"),
        ({"limit": 1200, "drawn": 3}, "Limit", f"1,200 items of each task or subject, drawn with seed 3, {SPREAD}"),
        ({"budget": 1500, "drawn": 0}, "Budget", f"1,500 items over all tasks, drawn with seed 0, {SPREAD}"),
    ],
)
def test_the_strip_says_which_items_were_asked(fields: dict[str, Any], name: str, value: str) -> None:
    found = selection_field(chosen(**fields))
    assert found is not None
    assert (found.name, found.value) == (name, value)


def test_where_all_was_asked_nothing_is_said() -> None:
    comparison = chosen(n_available=None)
    assert selection_field(comparison) is None
    assert selection_method(comparison) == ""
    assert items_of(next(iter(comparison.tasks.values()))) == "n 100"


def test_the_methods_say_what_verdicts_are_about() -> None:
    drawn = selection_method(chosen(limit=100, drawn=0))
    assert drawn.startswith("200 of the 28,084 items were asked, of every model the same: drawn with seed 0, one of ")
    assert drawn.endswith("Intervals and verdicts are about the benchmark that they were drawn from.")
    assert "spread over the tasks" not in drawn
    assert "spread over the tasks" in selection_method(chosen(budget=200, drawn=0))
    assert selection_method(chosen(limit=100)).endswith(
        "the first of each task or subject. What comes after them in the data may be otherwise."
    )
    assert items_of(chosen().tasks["task_number_0"]) == "n 100 of 14,042"
