"""What is said of capability: a sentence a model, from the suite's verdict and never stronger than it.

Tasks that were lost or gained are named whatever the suite's verdict is, so a good average hides nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from mplus_eval.records.base import Interval
from mplus_eval.records.comparison import Comparison, Summary, Task
from mplus_eval.records.contrast import Contrast
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports import formats
from mplus_eval.reports.tables import NO_SUMMARY
from mplus_eval.reports.text import abridged, enumerated, one_line, truncate_end
from mplus_eval.reports.units import Unit
from mplus_eval.reports.verdicts import VERDICTS


def contrasts_of(name: str, tasks: Mapping[str, Task]) -> dict[str, Contrast]:
    """One model's contrasts by task, in the order of the suite."""
    return {task: entry.contrasts[name] for task, entry in tasks.items() if name in entry.contrasts}


def negated(interval: Interval) -> Interval:
    """The interval of the difference that belongs to a tax, or the other way round."""
    return -interval[1], -interval[0]


def suite_sentence(baseline: str, summary: Summary, contrasts: Mapping[str, Contrast], level: float = 0.05) -> str:
    """Say what the suite's verdict says of one model, in points, with the interval."""
    tax, interval = summary.alignment_tax, summary.alignment_tax_ci
    if summary.verdict is None or tax is None or interval is None:
        return f"No verdict on capability: {why_withheld(summary)}."
    n_items = sum(contrast.n_pairs for contrast in contrasts.values())
    detectable = summary.smallest_detectable_difference
    facts = {
        "baseline": baseline,
        "reason": why_not_compared(summary),
        "difference": beside_baseline(-tax, negated(interval), baseline, level),
        "margin": f" of {formats.margin(summary.margin)}" if summary.margin else "",
        "limit": f"; the margin is {formats.margin(summary.margin)}" if summary.margin else "",
        "where": where_it_was_lost(contrasts),
        "settle": formats.to_settle(summary.items_to_settle, "item"),
        "items": formats.counted(n_items, "item"),
        "detectable": "" if detectable is None else formats.size_in_points(detectable),
    }
    cases = {
        "loss_shown": is_loss_shown(summary, level),
        "beyond_margin": summary.margin is not None and abs(tax) > summary.margin,
        "power_known": detectable is not None,
    }
    return VERDICTS[summary.verdict].capability.sentence(facts, cases)


def is_loss_shown(summary: Summary, level: float) -> bool:
    """Whether a loss is shown, of whatever size."""
    interval, p_value = summary.alignment_tax_ci, summary.p_value
    return interval is not None and interval[0] > 0 and p_value is not None and p_value < level


def beside_baseline(difference: float, interval: Interval, baseline: str, level: float) -> str:
    """A difference in words: `0.4 points below base (95 % CI −1.4 to +0.5)`; minus is a loss."""
    size, confidence = formats.size_in_points(difference), formats.whole_percent(1 - level)
    place = f"{size} points {'below' if difference < 0 else 'above'} {baseline}" if float(size) else f"as {baseline}"
    return f"{place} ({confidence} CI {formats.spoken_points(interval)})"


def why_withheld(summary: Summary) -> str:
    """Why there is no verdict over the suite, without the full stop."""
    return truncate_end(one_line(summary.withheld or "no macro-average"), 160).rstrip(".")


def why_not_compared(summary: Summary, at_most: int = 2) -> str:
    """Why the suite's verdict is withheld, with the first reasons, without the full stop."""
    reasons = [truncate_end(one_line(reason), 160).rstrip(".") for reason in summary.reasons]
    return abridged(reasons, at_most, "reasons") or "its answers cannot be compared"


def where_it_was_lost(contrasts: Mapping[str, Contrast]) -> str:
    """Name the fewest tasks, three at most, that hold more than half of all that was lost; or say that it is spread."""
    lost = {task: -contrast.difference for task, contrast in contrasts.items() if contrast.difference < 0}
    if len(contrasts) < 2 or not lost:
        return ""
    largest = sorted(lost, key=lambda task: -lost[task])
    for n_named in range(1, min(3, len(largest)) + 1):
        if sum(lost[task] for task in largest[:n_named]) > sum(lost.values()) / 2:
            return f"; most of it in {enumerated(largest[:n_named])}"
    return f", spread over the tasks; the largest losses are in {enumerated(largest[:3])}"


def suite_remarks(name: str, comparison: Comparison) -> Iterable[str]:
    """Name the tasks whose verdict the suite's sentence does not carry, the worst verdicts first, and count all."""
    contrasts = contrasts_of(name, comparison.tasks)
    if len(contrasts) < 2:
        return
    of_suite = comparison.summary.get(name, NO_SUMMARY).verdict
    for verdict, told in reversed(VERDICTS.items()):
        tasks = [task for task, contrast in contrasts.items() if contrast.verdict is verdict]
        if told.tasks and tasks and of_suite is not verdict:
            tasks.sort(key=lambda task: -abs(contrasts[task].difference))
            differences = {
                task: Unit.of(comparison.tasks[task]).difference(contrasts[task].difference) for task in tasks
            }
            listed = [f"{task} ({difference})" for task, difference in differences.items()]
            yield told.tasks.format(tasks=abridged(listed, 3, "tasks"), baseline=comparison.baseline)
    yield settled_tasks(contrasts)
    yield from asked_remark(contrasts)
    yield from pooled_remark(comparison.summary.get(name, NO_SUMMARY), comparison)


def settled_tasks(contrasts: Mapping[str, Contrast]) -> str:
    """How many tasks have which verdict."""
    n_tasks, counts = len(contrasts), Counter(contrast.verdict for contrast in contrasts.values())
    if counts[Verdict.UNDECIDED] == n_tasks:
        return f"No single task is settled ({n_tasks} of {n_tasks} need more items)."
    told = {verdict: presentation.capability.word or verdict for verdict, presentation in VERDICTS.items()}
    counted = ", ".join(f"{counts[verdict]} {word}" for verdict, word in told.items() if counts[verdict])
    return f"{formats.counted(n_tasks, 'task')} compared: {counted}."


def asked_remark(contrasts: Mapping[str, Contrast]) -> Iterable[str]:
    """How many items the verdicts took, where asking stopped with them."""
    asked = [contrast.sequential for contrast in contrasts.values() if contrast.sequential]
    if asked:
        n_asked, n_items = sum(each.n_asked for each in asked), sum(each.n_items for each in asked)
        n_decided = sum(each.settled for each in asked)
        yield (
            f"{n_decided} of {formats.counted(len(asked), 'task')} decided, with {formats.count(n_asked)} of "
            f"{formats.counted(n_items, 'item')}."
        )


def pooled_remark(summary: Summary, comparison: Comparison) -> Iterable[str]:
    """What the pooled items show and the suite's verdict does not: a small difference that all tasks share."""
    pooled, decided = summary.pooled, (Verdict.IMPROVED, Verdict.DEGRADED)
    if pooled is None or summary.verdict in decided or pooled.p_value >= comparison.level:
        return
    low, high = pooled.ci
    if low <= 0 <= high:
        return
    size, side = formats.size_in_points(pooled.difference), "above" if low > 0 else "below"
    yield (
        f"Pooled detector, all {formats.counted(pooled.n_pairs, 'item')} counted alike: {size} points {side} "
        f"{comparison.baseline} ({formats.whole_percent(1 - comparison.level)} CI {formats.spoken_points(pooled.ci)}). "
        "It weighs items, not tasks, and gives no verdict."
    )
