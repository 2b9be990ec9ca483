"""Capability in the decision: the suite's verdict on each model, single tasks that were lost, and the headline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mplus_eval.records.comparison import Comparison, Summary
from mplus_eval.records.contrast import Contrast
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports import formats
from mplus_eval.reports.anchors import items_link
from mplus_eval.reports.capability_phrasing import (
    contrasts_of,
    is_loss_shown,
    negated,
    why_not_compared,
    why_withheld,
)
from mplus_eval.reports.finding import (
    Finding,
    Headline,
    Note,
    clauses,
    is_settled,
    no_verdict,
    settling,
    shortened,
    word_of,
)
from mplus_eval.reports.tables import NO_SUMMARY
from mplus_eval.reports.text import abridged
from mplus_eval.reports.units import Unit
from mplus_eval.reports.verdicts import MARKS, VERDICTS, is_comparable

AXIS = "Capability"
WORST_FIRST = (Verdict.DEGRADED, *(verdict for verdict in Verdict if verdict is not Verdict.DEGRADED))
MOST_NAMED = 2


def capability_measure(comparison: Comparison) -> str:
    """What the axis is measured by, with the baseline's own value."""
    average = comparison.summary.get(comparison.baseline, NO_SUMMARY).macro_average
    base = f" ({formats.with_percent(average)})" if average is not None else ""
    return f"points from {comparison.baseline}{base} [{formats.whole_percent(1 - comparison.level)} CI]"


def capability_finding(model: str, comparison: Comparison) -> Finding:
    """A model's verdict over the suite; minus is a loss."""
    summary = comparison.summary.get(model, NO_SUMMARY)
    tax, interval = summary.alignment_tax, summary.alignment_tax_ci
    notes = tuple(lost_note(model, comparison))
    if summary.verdict is None or tax is None:
        return no_verdict(AXIS, why_withheld(summary), "#matrix", notes)
    return Finding(
        axis=AXIS,
        mark=MARKS[summary.verdict],
        word=word_of(
            summary.verdict,
            VERDICTS[summary.verdict].capability,
            loss_shown=is_loss_shown(summary, comparison.level),
            small_gain=abs(tax) <= (summary.margin or 0),
        ),
        value=formats.points(-tax),
        interval=formats.interval_of_points(negated(interval)) if interval else "",
        reason="" if is_comparable(summary) else why_not_compared(summary, at_most=1),
        notes=notes,
        href="#matrix",
        verdict=summary.verdict,
        number=-tax,
    )


def lost_tasks(model: str, comparison: Comparison) -> dict[str, Contrast]:
    """The single tasks on which a model is degraded, the largest loss first."""
    contrasts = contrasts_of(model, comparison.tasks)
    lost = {task: contrast for task, contrast in contrasts.items() if contrast.verdict is Verdict.DEGRADED}
    return dict(sorted(lost.items(), key=lambda each: -abs(each[1].difference)))


def lost_note(model: str, comparison: Comparison) -> Iterable[Note]:
    """Name the task on which a model lost most, and count the others; it leads to the items that were lost."""
    if len(comparison.tasks) < 2 or not (lost := lost_tasks(model, comparison)):
        return
    first, *others = lost
    size = Unit.of(comparison.tasks[first]).difference(lost[first].difference)
    more = f" and {formats.counted(len(others), 'more task')}" if others else ""
    yield Note(f"degraded on {shortened(first)} ({size}){more}", is_warning=True, href=items_link(first, model, "lost"))


def capability_headline(findings: Mapping[str, Finding], comparison: Comparison) -> Headline:
    """What the suite's verdicts say of all models, and how many items would settle what they leave open."""
    undecided = {name: comparison.summary[name] for name, each in findings.items() if each.verdict is Verdict.UNDECIDED}
    return Headline(
        AXIS,
        clauses(findings, _spread, WORST_FIRST),
        facts=not_enough(undecided, comparison) if undecided else "",
        settle=settling({name: summary.items_to_settle for name, summary in undecided.items()}, "item"),
        warnings=tuple(lost_beside(findings, comparison)),
    )


def _spread(group: Sequence[Finding]) -> str:
    numbers = [each.number for each in group if each.number is not None]
    if not numbers or not is_settled(group[0]):
        return ""
    if len(group) == 1:
        return f" ({group[0].value} points {group[0].interval})".replace(" )", ")")
    return f" ({formats.spoken_range(numbers, formats.points)} points)"


def not_enough(undecided: Mapping[str, Summary], comparison: Comparison) -> str:
    """What was measured of models that are not settled, and what so many items can show."""
    differences = [-(summary.alignment_tax or 0.0) for summary in undecided.values()]
    if max(differences) < 0:
        losses = formats.spoken_range([-each for each in differences], formats.size_in_points)
        measured = f"Measured loss: {losses} points"
    else:
        measured = f"Measured difference: {formats.spoken_range(differences, formats.points)} points"
    known = [each.smallest_detectable_difference for each in undecided.values()]
    detectable = [size for size in known if size is not None]
    n_items = max(n_averaged(name, comparison) for name in undecided)
    if not detectable or not n_items:
        return f"{measured}."
    least = formats.size_in_points(min(detectable))
    return f"{measured}; {formats.counted(n_items, 'item')} can only show losses of {least} points or more."


def n_averaged(model: str, comparison: Comparison) -> int:
    """Items of the tasks that the macro-average is of."""
    contrasts = contrasts_of(model, comparison.tasks)
    return sum(each.n_pairs for task, each in contrasts.items() if not comparison.tasks[task].outside)


def lost_beside(findings: Mapping[str, Finding], comparison: Comparison) -> Iterable[str]:
    """Name the tasks on which models are degraded that the suite does not call so."""
    if len(comparison.tasks) < 2:
        return
    by_task: dict[str, list[str]] = {}
    for name, each in findings.items():
        for task, contrast in lost_tasks(name, comparison).items() if each.verdict is not Verdict.DEGRADED else ():
            size = Unit.of(comparison.tasks[task]).difference(contrast.difference)
            by_task.setdefault(task, []).append(f"{shortened(name)} {size}")
    listed = [f"{shortened(task)} ({abridged(models, MOST_NAMED, 'models')})" for task, models in by_task.items()]
    if listed:
        yield f"But single tasks are degraded: {abridged(listed, MOST_NAMED, 'tasks')}."
