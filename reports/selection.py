"""Which items a run's figures are about, where they are not all that there are."""

from __future__ import annotations

from mplus_eval.records.comparison import Comparison, Task
from mplus_eval.reports import formats
from mplus_eval.reports.tables import Field

SPREAD = "one of every passage first"


def selection_field(comparison: Comparison) -> Field | None:
    """The limit or budget, for the strip at the top; None where all was asked."""
    if comparison.budget is not None:
        return Field("Budget", f"{formats.count(comparison.budget)} items over all tasks, {_drawn(comparison)}")
    if comparison.limit is None:
        return None
    of_each = "of each task or subject"
    if comparison.drawn is None:
        return Field("Limit", f"first {formats.count(comparison.limit)} items {of_each}")
    return Field("Limit", f"{formats.count(comparison.limit)} items {of_each}, {_drawn(comparison)}")


def selection_method(comparison: Comparison) -> str:
    """What was asked of how much, and what verdicts say of the rest; empty where all was asked."""
    tasks = comparison.tasks.values()
    if not any(task.n_available for task in tasks):
        return ""
    n_asked, n_available = sum(map(most_asked, tasks)), sum(task.n_available or task.n_items for task in tasks)
    asked = f"{formats.count(n_asked)} of the {formats.count(n_available)} items were asked, of every model the same"
    if comparison.drawn is None:
        return f"{asked}: the first of each task or subject. What comes after them in the data may be otherwise."
    spread = (
        " They were spread over the tasks where they serve the suite's verdict most, and in proportion over subjects."
        if comparison.budget is not None
        else ""
    )
    return (
        f"{asked}: drawn with seed {comparison.drawn}, one of every passage before a second one of any.{spread} "
        "Intervals and verdicts are about the benchmark that they were drawn from."
    )


def items_of(task: Task) -> str:
    """How many items of a task, and of how many: `n 136 of 14,042`."""
    n_asked, n_available = most_asked(task), task.n_available or task.n_items
    return f"n {formats.count(n_asked)}" + (f" of {formats.count(n_available)}" if n_asked < n_available else "")


def most_asked(task: Task) -> int:
    """Items of a task that a model was asked: all that were chosen, but where asking stopped with the verdicts."""
    if not any(contrast.sequential for contrast in task.contrasts.values()):
        return task.n_items
    return max(score.n_scored + score.n_failed for score in task.scores.values())


def _drawn(comparison: Comparison) -> str:
    return f"drawn with seed {comparison.drawn}, {SPREAD}"
