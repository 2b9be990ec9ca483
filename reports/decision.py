"""The decision: one sentence a model and axis, built from its verdicts and never stronger than they are.

The wording follows the verdict alone. Tasks that were lost or gained are named whatever the suite's verdict is, so a
good average hides nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mplus_eval.records.base import Interval
from mplus_eval.records.comparison import Comparison, Summary, Task
from mplus_eval.records.contrast import Contrast
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports import formats
from mplus_eval.reports.conversation_phrasing import conversation_axis, conversation_remarks, conversation_sentence
from mplus_eval.reports.harmlessness_phrasing import toxicity_axis, toxicity_remarks, toxicity_sentence
from mplus_eval.reports.noise import noise_remark
from mplus_eval.reports.tables import MARKS, NO_SUMMARY, NO_VERDICT, Mark
from mplus_eval.reports.text import abridged, enumerated, head, one_line
from mplus_eval.reports.units import Unit


@dataclass(frozen=True)
class AxisVerdict:
    """One axis of the decision: its verdict and the figure behind it."""

    axis: str
    mark: Mark
    detail: str


@dataclass(frozen=True)
class Decision:
    """What was found of one model: a sentence an axis, what must be said with it, and a verdict for each axis."""

    model: str
    sentence: str
    remarks: tuple[str, ...]
    axes: tuple[AxisVerdict, ...]


def decide(name: str, comparison: Comparison) -> Decision:
    """Build one model's decision against the baseline."""
    contrasts = contrasts_of(name, comparison.tasks)
    summary = comparison.summary.get(name, NO_SUMMARY)
    sentences, axes = [], []
    if comparison.tasks:
        sentences.append(suite_sentence(name, comparison.baseline, summary, contrasts, comparison.level))
        axes.append(_capability(summary))
    if comparison.toxicity:
        sentences.append(toxicity_sentence(name, comparison))
        axes.append(AxisVerdict("Harmlessness", *toxicity_axis(name, comparison)))
    if comparison.conversation:
        sentences.append(conversation_sentence(name, comparison))
        axes.append(AxisVerdict("Conversation", *conversation_axis(name, comparison)))
    units = {task: Unit.of(comparison.tasks[task]) for task in contrasts}
    remarks = (*_exceptions(summary, contrasts, units), *noise_remark(name, comparison), *_flags(contrasts))
    remarks = (*remarks, *toxicity_remarks(name, comparison), *conversation_remarks(name, comparison))
    return Decision(name, " ".join(sentences), remarks, tuple(axes))


def contrasts_of(name: str, tasks: Mapping[str, Task]) -> dict[str, Contrast]:
    """One model's contrasts by task, in the order of the suite."""
    return {task: entry.contrasts[name] for task, entry in tasks.items() if name in entry.contrasts}


def suite_sentence(
    name: str, baseline: str, summary: Summary, contrasts: Mapping[str, Contrast], level: float = 0.05
) -> str:
    """Say what the suite's verdict says of one model, in points, with the interval."""
    tax, interval = summary.alignment_tax, summary.alignment_tax_ci
    if summary.verdict is None or tax is None or interval is None:
        return f"{name} has no verdict over the suite: {_reason(summary, 'no macro-average')}."
    if summary.verdict is Verdict.NOT_COMPARABLE:
        return f"{name} is not compared with {baseline}: {_reason(summary, 'its answers cannot be compared')}."
    if summary.verdict is Verdict.IMPROVED:
        return f"{name} gained {formats.size_in_points(tax)} points ({formats.spoken_sizes(negated(interval))})."
    if summary.verdict is Verdict.DEGRADED:
        lost = f"{name} lost {formats.size_in_points(tax)} points ({formats.spoken_sizes(interval)})"
        return f"{lost}{_where_it_was_lost(contrasts)}."
    if summary.verdict is Verdict.PRESERVED:
        return _preserved(name, baseline, summary, tax, interval, level)
    return _undecided(name, summary, tax, interval, contrasts)


def _reason(summary: Summary, otherwise: str) -> str:
    return head(one_line(summary.withheld or otherwise), 160).rstrip(".")


def negated(interval: Interval) -> Interval:
    """The interval of the difference that belongs to a tax, or the other way round."""
    return -interval[1], -interval[0]


def _preserved(name: str, baseline: str, summary: Summary, tax: float, interval: Interval, level: float) -> str:
    margin = f" of {formats.margin(summary.margin)}" if summary.margin else ""
    if tax > 0 and summary.p_value is not None and summary.p_value < level:
        size = f"{formats.size_in_points(tax)} points ({formats.spoken_sizes(interval)})"
        return f"{name} keeps what {baseline} knew within the margin{margin}: it lost {size}."
    figures = f"{formats.points(-tax)} points ({_confidence(level)} {formats.spoken_points(negated(interval))})"
    is_inside = summary.margin is None or abs(tax) <= summary.margin
    end = f"inside the margin{margin}" if is_inside else f"a loss over the margin{margin} is ruled out"
    return f"{name} keeps what {baseline} knew: {figures}, {end}."


def _undecided(name: str, summary: Summary, tax: float, interval: Interval, contrasts: Mapping[str, Contrast]) -> str:
    n_items = sum(contrast.n_pairs for contrast in contrasts.values())
    figures = f"{name}: {formats.points(-tax)} points ({formats.spoken_points(negated(interval))})"
    told = f"{figures}. {'This' if n_items == 1 else 'These'} {formats.counted(n_items, 'item')} cannot tell"
    if summary.smallest_detectable_difference is None:
        return f"{told}."
    return (
        f"{told}; they could show a loss of {formats.size_in_points(summary.smallest_detectable_difference)} or more."
    )


def _confidence(level: float) -> str:
    return formats.whole_percent(1 - level)


def _where_it_was_lost(contrasts: Mapping[str, Contrast]) -> str:
    """Name the fewest tasks, three at most, that hold more than half of all that was lost; or say that it is spread."""
    lost = {task: -contrast.difference for task, contrast in contrasts.items() if contrast.difference < 0}
    if len(contrasts) < 2 or not lost:
        return ""
    largest = sorted(lost, key=lambda task: -lost[task])
    for n_named in range(1, min(3, len(largest)) + 1):
        if sum(lost[task] for task in largest[:n_named]) > sum(lost.values()) / 2:
            return f"; most of it in {enumerated(largest[:n_named])}"
    return f", spread over the tasks; the largest losses are in {enumerated(largest[:3])}"


def _exceptions(summary: Summary, contrasts: Mapping[str, Contrast], units: Mapping[str, Unit]) -> Iterable[str]:
    """Name the tasks whose verdict the suite's sentence does not carry."""
    if len(contrasts) < 2:
        return
    lost = [name for name, contrast in contrasts.items() if contrast.verdict is Verdict.DEGRADED]
    gained = [name for name, contrast in contrasts.items() if contrast.verdict is Verdict.IMPROVED]
    if lost and summary.verdict is not Verdict.DEGRADED:
        yield f"It lost on {_with_points(lost, contrasts, units)}."
    if gained and summary.verdict is not Verdict.IMPROVED:
        yield f"It gained on {_with_points(gained, contrasts, units)}."
    tally = Counter(contrast.verdict for contrast in contrasts.values())
    counts = ", ".join(f"{tally[verdict]} {verdict}" for verdict in Verdict if tally[verdict])
    yield f"{formats.counted(len(contrasts), 'task')} compared: {counts}."


def _with_points(tasks: list[str], contrasts: Mapping[str, Contrast], units: Mapping[str, Unit]) -> str:
    ordered = sorted(tasks, key=lambda task: -abs(contrasts[task].difference))
    said = [f"{task} ({units[task].difference(contrasts[task].difference)})" for task in ordered]
    return abridged(said, 3, "tasks")


def _flags(contrasts: Mapping[str, Contrast]) -> Iterable[str]:
    """Say on how many tasks each flag stands; it qualifies every difference there."""
    tally = Counter(one_line(flag) for contrast in contrasts.values() for flag in contrast.flags)
    for flag, n_tasks in tally.items():
        yield f"Read with care: {flag} ({formats.counted(n_tasks, 'task')})."


def _capability(summary: Summary) -> AxisVerdict:
    if summary.verdict is None or summary.alignment_tax is None:
        return AxisVerdict("Capability", NO_VERDICT, "withheld")
    detail = formats.points(-summary.alignment_tax)
    if summary.alignment_tax_ci:
        detail += f" {formats.interval_of_points(negated(summary.alignment_tax_ci))}"
    return AxisVerdict("Capability", MARKS[summary.verdict], detail)
