"""Whether models had seen the items of a task before: a flag with its p-value beside the task."""

from __future__ import annotations

from collections.abc import Iterable

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.contamination import Overlap, SeenTest, TaskContamination
from mplus_eval.reports import formats
from mplus_eval.reports.tables import NO_NUMBER, TableCell, number
from mplus_eval.reports.text import one_line

UNTESTED = TaskContamination()
TESTS = {"Items seen before, by their order, p": "order", "Items seen before, by Min-K%, p": "min_k"}
"""The tests of one model on one task, by how the report names them."""


def tested(comparison: Comparison, task: str, model: str) -> TaskContamination:
    """What was found of one model on one task; without any test where it was not looked for."""
    by_model = comparison.contamination.models if comparison.contamination else {}
    return by_model.get(model, {}).get(task, UNTESTED)


def seen_cells(comparison: Comparison, task: str, model: str) -> dict[str, TableCell]:
    """The adjusted p-values of one model on one task, by measure; a flagged one says so."""
    found = tested(comparison, task, model)
    return {name: _seen_cell(getattr(found, test)) for name, test in TESTS.items()}


def _seen_cell(test: SeenTest | None) -> TableCell:
    if test is None:
        return NO_NUMBER
    text = formats.probability(test.p_adjusted)
    return number(f"{text}, flagged" if test.flagged else text, test.p_adjusted)


def seen_note(comparison: Comparison, task: str) -> str:
    """Who had seen a task's items, with the smallest p-value, after a comma; empty where nobody is flagged."""
    smallest = {}
    for model in comparison.models:
        found = tested(comparison, task, model)
        if p_values := [test.p_adjusted for test in (found.order, found.min_k) if test and test.flagged]:
            smallest[model] = min(p_values)
    named = [f"{model} (p = {formats.probability(p)})".replace("= <", "<") for model, p in smallest.items()]
    return f", items seen before by {', '.join(named)}" if named else ""


def contamination_notes(comparison: Comparison) -> Iterable[str]:
    """What flags mean, tests that were withheld, and how much of each task stands in a corpus."""
    found = comparison.contamination
    if found is None:
        return
    if any(of_task.flagged for by_task in found.models.values() for of_task in by_task.values()):
        yield (
            "Items seen before: a flagged model finds the items in their published order, or in their own words, "
            f"likelier than its references (p adjusted over its tests, below {found.level:g}); its score may be memory."
        )
    for model, by_task in found.models.items():
        for task, of_task in by_task.items() if model in comparison.models else ():
            for test, why in of_task.withheld.items():
                yield f"{model} × {task}: {one_line(test)} test withheld: {one_line(why).rstrip('.')}."
    for task, overlap in found.overlap.items():
        yield f"{task}: {overlap_told(overlap)}."


def overlap_told(overlap: Overlap) -> str:
    """How much of a task's items stands in the corpus."""
    n_items = formats.counted(overlap.n_items, "item")
    return (
        f"{formats.count(overlap.n_any)} of {n_items} share {overlap.words} words in a row with the corpus, "
        f"{formats.count(overlap.n_most)} most of theirs"
    )
