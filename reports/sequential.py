"""How far items were asked, where the asking of each task stopped with its verdict (`--sequential`)."""

from __future__ import annotations

from collections.abc import Iterator

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.contrast import Sequential
from mplus_eval.reports import formats


def is_sequential(comparison: Comparison) -> bool:
    """Whether asking stopped with the verdicts."""
    contrasts = (contrast for task in comparison.tasks.values() for contrast in task.contrasts.values())
    return any(contrast.sequential is not None for contrast in contrasts)


def decided(asked: Sequential) -> str:
    """When a verdict was settled: `decided after 2,400 of 10,042 items`."""
    n_asked, n_items = formats.count(asked.n_asked), formats.counted(asked.n_items, "item")
    if asked.n_asked < asked.n_items:
        return f"{'decided' if asked.settled else 'not decided'} after {n_asked} of {n_items}"
    return f"{'decided' if asked.settled else 'not decided'} with all {n_items}"


def sequential_notes(comparison: Comparison) -> Iterator[str]:
    """Of every model, when each of its verdicts was settled, and with what error."""
    for model, summary in comparison.summary.items():
        told = {
            name: decided(contrast.sequential)
            for name, task in comparison.tasks.items()
            if (contrast := task.contrasts.get(model)) and contrast.sequential
        }
        if summary.sequential:
            told["macro-average"] = decided(summary.sequential)
        if told:
            listed = "; ".join(f"{name} {when}" for name, when in told.items())
            yield f"{model}: {listed}; error {formats.whole_percent(comparison.level)} however often looked."


def sequential_method(comparison: Comparison) -> str:
    """How asking stopped; empty where everything was asked at once."""
    if not is_sequential(comparison):
        return ""
    return (
        "Items were asked in rounds, whole clusters in an order drawn with the seed, until the verdict of the task and "
        "that of the suite were settled. Verdicts and intervals hold however often they are looked at: betting on "
        "items that stand alone and are right or wrong, a mixture boundary elsewhere, half of the level; the other "
        "half is kept for the ordinary tests with all items. Where asking stopped early, the difference itself leans "
        "away from what was excluded. A score is of all items that its model was asked, so scores side by side need "
        "not be of the same items; differences are. Subjects are not tested."
    )
