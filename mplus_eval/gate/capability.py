"""Evidence of the first axis: the suite, its tasks, their subjects, and the items on which a model failed."""

from __future__ import annotations

from collections.abc import Iterator

from mplus_eval.gate.evidence import Evidence, Scope, chosen, items_link, or_absent, reason, shown
from mplus_eval.records.comparison import Comparison, Score
from mplus_eval.reports.units import Unit

AXIS = "capability"
NOT_EVALUATED = "capability was not evaluated"
COMPARED = "score"


def suite(comparison: Comparison, model: str, _scope: Scope) -> Iterator[Evidence]:
    """The macro-average against the baseline's: one piece of evidence."""
    link = items_link(model, "lost", **_where_most_was_lost(comparison, model))
    summary = comparison.summary.get(model)
    if summary is None or summary.verdict is None:
        withheld = summary.withheld if summary and summary.withheld else "no verdict is stored"
        why = reason(withheld) if comparison.tasks else NOT_EVALUATED
        yield Evidence("suite", link, absent=why)
        return
    tax, interval = summary.alignment_tax, summary.alignment_tax_ci
    averaged = [task for task in comparison.tasks.values() if not task.outside]
    yield Evidence(
        "suite",
        link,
        "macro-average",
        verdict=summary.verdict,
        reasons=summary.reasons,
        difference=None if tax is None else -tax,
        difference_ci=None if interval is None else (-interval[1], -interval[0]),
        n_items=sum(task.contrasts[model].n_pairs for task in averaged if model in task.contrasts),
        items_to_settle=summary.items_to_settle,
    )


def _where_most_was_lost(comparison: Comparison, model: str) -> dict[str, str]:
    """The task of the average on which the model lost most, as part of a link; empty where it has none."""
    changes = {
        name: Unit.of(task).gain(task.contrasts[model].difference)
        for name, task in comparison.tasks.items()
        if model in task.contrasts and not task.outside
    }
    return {"task": min(changes, key=lambda name: changes[name])} if changes else {}


def tasks(comparison: Comparison, model: str, scope: Scope) -> Iterator[Evidence]:
    """Each task against the baseline."""
    found = (_task(comparison, model, name) for name in chosen(comparison.tasks, scope.tasks))
    return or_absent(found, AXIS, _none(comparison, "task", scope.tasks))


def _task(comparison: Comparison, model: str, name: str) -> Evidence:
    task, link = comparison.tasks[name], items_link(model, "lost", task=name)
    contrast = task.contrasts.get(model)
    if contrast is None:
        return Evidence(_task_place(name), link, absent=_cause(comparison, model, name))
    return Evidence(
        _task_place(name),
        link,
        COMPARED,
        verdict=contrast.verdict,
        reasons=contrast.reasons,
        difference=contrast.difference,
        difference_ci=contrast.ci,
        n_items=contrast.n_pairs,
        items_to_settle=contrast.items_to_settle,
        unit=Unit.of(task),
    )


def subjects(comparison: Comparison, model: str, scope: Scope) -> Iterator[Evidence]:
    """Each subject of each task against the baseline; tasks without subjects are passed over."""
    found = (
        _subject(comparison, model, task, subject)
        for task in chosen(comparison.tasks, scope.tasks)
        for subject in chosen(comparison.tasks[task].subjects, scope.subjects)
    )
    return or_absent(found, AXIS, _none(comparison, "subject", scope.subjects))


def _subject(comparison: Comparison, model: str, task: str, subject: str) -> Evidence:
    link = items_link(model, "lost", task=task, subject=subject)
    place = f"subject {shown(subject)}"
    contrast = comparison.tasks[task].subjects[subject].contrasts.get(model)
    if contrast is None:
        return Evidence(place, link, absent=_cause(comparison, model, task))
    return Evidence(
        place,
        link,
        COMPARED,
        difference=contrast.difference,
        difference_ci=contrast.ci,
        n_items=contrast.n_pairs,
        unit=Unit.of(comparison.tasks[task]),
    )


def failed_items(comparison: Comparison, model: str, scope: Scope) -> Iterator[Evidence]:
    """Of each task, the items on which the model failed."""
    found = (_failed(comparison, model, name) for name in chosen(comparison.tasks, scope.tasks))
    return or_absent(found, AXIS, _none(comparison, "task", scope.tasks))


def _failed(comparison: Comparison, model: str, name: str) -> Evidence:
    link = items_link(model, "failed", task=name)
    score: Score | None = comparison.tasks[name].scores.get(model)
    n_items = score.n_scored + score.n_failed if score else 0
    if score is None or not n_items:
        return Evidence(_task_place(name), link, absent=_cause(comparison, model, name))
    share = score.n_failed / n_items
    return Evidence(_task_place(name), link, "failed items", value=share, count=score.n_failed, n_items=n_items)


def _task_place(name: str) -> str:
    return f"task {shown(name)}"


def _cause(comparison: Comparison, model: str, task: str) -> str:
    """Why a model, or the baseline, has nothing on a task."""
    causes = {cell.model: cell.cause for cell in comparison.missing if cell.task == task}
    if model in causes:
        return reason(causes[model])
    if comparison.baseline in causes:
        return f"{reason(causes[comparison.baseline])} ({shown(comparison.baseline)})"
    return "no result is stored"


def _none(comparison: Comparison, noun: str, patterns: tuple[str, ...] | None) -> str:
    """Why there is none of what a rule looks at."""
    if not comparison.tasks:
        return NOT_EVALUATED
    return f"no {noun} matches {reason(', '.join(patterns))}" if patterns else f"no {noun} is stored"
