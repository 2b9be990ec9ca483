"""Contrasts and summary of a model that was asked in rounds, each of the items that were there when it was settled."""

from __future__ import annotations

from collections.abc import Mapping

from mplus_eval.audit.items import AskedItems
from mplus_eval.capability.sequential import Asking, Course, Key, Outcomes
from mplus_eval.capability.versus import SideBySide, Versus, judge
from mplus_eval.records.comparison import Summary, Task
from mplus_eval.records.contrast import Contrast, Sequential
from mplus_eval.records.verdict import Verdict
from mplus_eval.statistics.looks import name_of_test, told_interval, told_margin
from mplus_eval.statistics.sequential import Decision


def settled(asking: Asking, outcomes: Outcomes, averages: Mapping[str, Summary]) -> dict[str, Versus]:
    """Every model against the baseline, each contrast at the look that settled it.

    Args:
        asking: of the run.
        outcomes: of all models; a cell that failed is absent.
        averages: macro-averages of all models over what each was asked, or why there is none.
    """
    versus = {}
    for family in asking.families(list(asking.run.models)):
        course = asking.follow(outcomes, family)
        for model in family:
            versus[model] = _versus(asking, course, outcomes, averages, model)
    return versus


def without_subject_tests(task: Task) -> Task:
    """A task whose subjects have scores alone: that asking stopped where it did would make their tests unfair."""
    subjects = {name: subject.model_copy(update={"contrasts": {}}) for name, subject in task.subjects.items()}
    return task.model_copy(update={"subjects": subjects})


def _versus(asking: Asking, course: Course, outcomes: Outcomes, averages: Mapping[str, Summary], model: str) -> Versus:
    at = {task: number for (name, task), number in course.at.items() if name == model}
    found = _at(asking, outcomes, averages, model, at)
    contrasts = {task: _contrast(asking, course, (model, task), contrast) for task, contrast in found.contrasts.items()}
    summary = found.summary
    if model in course.suites:
        of_suite = _at(asking, outcomes, averages, model, course.suite_at[model])
        summary = _summary(asking, course, model, of_suite.summary)
    return Versus(found.pairs, contrasts, summary)


def _at(
    asking: Asking,
    outcomes: Outcomes,
    averages: Mapping[str, Summary],
    model: str,
    at: Mapping[str, int],
) -> Versus:
    """A model against the baseline, each task after a round."""
    baseline = asking.run.baseline
    cells = {(each, task): number for task, number in at.items() for each in (model, baseline)}
    asked = {key: AskedItems.of(asking.rounds.until(key[1], outcomes[key], number)) for key, number in cells.items()}
    sides = SideBySide.of(asking.items(outcomes, cells), asked, asking.run, model, baseline)
    return judge([sides], asking.run, averages, None)[0]


def _contrast(asking: Asking, course: Course, key: Key, contrast: Contrast) -> Contrast:
    """A contrast with what its look says in place of what the items would say if nobody had looked before."""
    decision, difference, number = course.decisions[key], course.differences[key], course.at[key]
    look, task = decision.look, key[1]
    fields: dict[str, object] = {
        "ci": told_interval(difference, look),
        "test": name_of_test(
            difference, is_whole=number >= asking.rounds.last(task), at_once=asking.rounds.last(task) == 0
        ),
        "p_value": float(look.p_difference),
        "p_non_inferiority": float(look.p_non_inferiority),
        "smallest_provable_margin": told_margin(difference, look),
        **_judged(decision, contrast.verdict, contrast.reasons, difference.idle),
        "sequential": Sequential(
            n_asked=asking.rounds.n_asked(task, number),
            n_items=asking.rounds.sizes[task][-1],
            n_looks=number + 1,
            settled=decision.is_settled,
        ),
    }
    return contrast.model_copy(update=fields)


def _summary(asking: Asking, course: Course, model: str, summary: Summary) -> Summary:
    """The same of the suite."""
    decision, found, at = course.suite_decisions[model], course.suites[model], course.suite_at[model]
    if summary.verdict is None:
        return summary
    look = decision.look
    fields: dict[str, object] = {
        "alignment_tax_ci": (0.0 - float(look.high), 0.0 - float(look.low)),
        "p_value": float(look.p_difference),
        "p_non_inferiority": float(look.p_non_inferiority),
        "smallest_provable_margin": max(-float(look.low), 0.0),
        # One test of all items at once, which no look was made for.
        "pooled": None,
        **_judged(decision, summary.verdict, summary.reasons, found.idle),
        "sequential": Sequential(
            n_asked=sum(asking.rounds.n_asked(task, number) for task, number in at.items()),
            n_items=sum(asking.rounds.sizes[task][-1] for task in at),
            n_looks=course.suite_looks[model],
            settled=decision.is_settled,
        ),
    }
    return summary.model_copy(update=fields)


def _judged(decision: Decision, verdict: Verdict, reasons: tuple[str, ...], idle: str) -> dict[str, object]:
    """Adjusted p-values, verdict and its reasons; what makes models not comparable stays."""
    judged: dict[str, object] = {
        "p_adjusted": decision.p_adjusted,
        "p_non_inferiority_adjusted": decision.p_non_inferiority_adjusted,
    }
    if verdict is Verdict.NOT_COMPARABLE:
        return {**judged, "reasons": reasons}
    said = decision.verdict
    more = {} if said is Verdict.UNDECIDED else {"items_to_settle": None}
    return {**judged, **more, "verdict": said, "reasons": (idle,) if said is Verdict.NOT_INFORMATIVE else ()}
