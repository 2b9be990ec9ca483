"""The decision: a headline an axis over all models, then of each model a verdict an axis, and sentences beneath."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from mplus_eval.records.comparison import Comparison, ModelEntry
from mplus_eval.reports import capability_decision, conversation_decision, formats, harmlessness_decision
from mplus_eval.reports.anchors import is_items_link
from mplus_eval.reports.asking import same_weights
from mplus_eval.reports.capability_phrasing import contrasts_of, suite_remarks, suite_sentence
from mplus_eval.reports.conversation_phrasing import conversation_remarks, conversation_sentence
from mplus_eval.reports.finding import Finding, Headline
from mplus_eval.reports.harmlessness_phrasing import toxicity_remarks, toxicity_sentence
from mplus_eval.reports.matrix import MissingCell
from mplus_eval.reports.noise import noise_remark
from mplus_eval.reports.tables import NO_SUMMARY
from mplus_eval.reports.text import one_line
from mplus_eval.reports.trajectory import without_steps

METHODS = {"sft": "SFT", "rlhf": "RLHF", "reward model": "reward model"}


class GridColumn(NamedTuple):
    """An axis, what it is measured by, and both in a word or two."""

    axis: str
    measure: str
    short: str


@dataclass(frozen=True)
class Decision:
    """What was found of one model: how it was made, a finding an axis, a sentence an axis and what qualifies them."""

    model: str
    made: str
    axes: tuple[Finding, ...]
    sentence: str
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """The decision over all models but the baseline: headlines, and models × axes."""

    headlines: tuple[Headline, ...]
    columns: tuple[GridColumn, ...]
    decisions: tuple[Decision, ...]


class DecisionAxis(NamedTuple):
    """How one axis stands in the decision."""

    name: str
    is_asked: Callable[[Comparison], bool]
    short: str
    measure: Callable[[Comparison], str]
    finding: Callable[[str, Comparison], Finding]
    headline: Callable[[Mapping[str, Finding], Comparison], Headline]
    sentence: Callable[[str, Comparison], str]


def capability_sentence(model: str, comparison: Comparison) -> str:
    """The sentence of the suite's verdict."""
    contrasts = contrasts_of(model, comparison.tasks)
    averaged = {task: each for task, each in contrasts.items() if not comparison.tasks[task].outside}
    summary = comparison.summary.get(model, NO_SUMMARY)
    return suite_sentence(comparison.baseline, summary, averaged, comparison.level)


AXES = (
    DecisionAxis(
        capability_decision.AXIS,
        lambda comparison: bool(comparison.tasks),
        "Capability, points",
        capability_decision.capability_measure,
        capability_decision.capability_finding,
        capability_decision.capability_headline,
        capability_sentence,
    ),
    DecisionAxis(
        harmlessness_decision.AXIS,
        lambda comparison: comparison.toxicity is not None,
        "Toxicity",
        harmlessness_decision.toxicity_measure,
        harmlessness_decision.toxicity_finding,
        harmlessness_decision.toxicity_headline,
        toxicity_sentence,
    ),
    DecisionAxis(
        conversation_decision.AXIS,
        lambda comparison: comparison.conversation is not None,
        "Conversation, preferred",
        conversation_decision.conversation_measure,
        conversation_decision.conversation_finding,
        conversation_decision.conversation_headline,
        conversation_sentence,
    ),
)


def decision_grid(whole: Comparison, missing: Iterable[MissingCell] = (), *, has_items: bool = False) -> Grid:
    """Build the decision of a comparison; without rows where there is no model but the baseline.

    Args:
        whole: what was found; saved steps of a training have no verdict, and no row.
        missing: the cells without a result, to which a model without a verdict leads.
        has_items: whether there is a place to which single items can be linked.
    """
    comparison, anchors = without_steps(whole), {(cell.model, cell.task): f"#{cell.anchor}" for cell in missing}
    axes = [axis for axis in AXES if axis.is_asked(comparison)]
    decisions = {name: decide(name, comparison) for name in comparison.models if name != comparison.baseline}
    headlines = []
    for place, axis in enumerate(axes if decisions else ()):
        of_axis = {name: decision.axes[place] for name, decision in decisions.items()}
        headlines.append(axis.headline(of_axis, comparison))
    return Grid(
        headlines=tuple(headlines),
        columns=tuple(GridColumn(axis.name, axis.measure(comparison), axis.short) for axis in axes),
        decisions=tuple(
            replace(each, axes=tuple(linked(one, name, comparison, anchors, has_items=has_items) for one in each.axes))
            for name, each in decisions.items()
        ),
    )


def decide(name: str, comparison: Comparison) -> Decision:
    """Build one model's decision against the baseline."""
    axes = [axis for axis in AXES if axis.is_asked(comparison)]
    # A flag qualifies every difference on the tasks where it stands.
    contrasts = contrasts_of(name, comparison.tasks)
    flags = Counter(one_line(flag) for contrast in contrasts.values() for flag in contrast.flags)
    remarks = (
        *same_weights(name, comparison),
        *suite_remarks(name, comparison),
        *noise_remark(name, comparison),
        *(f"Read with care: {flag} ({formats.counted(n_tasks, 'task')})." for flag, n_tasks in flags.items()),
        *toxicity_remarks(name, comparison),
        *conversation_remarks(name, comparison),
    )
    return Decision(
        model=name,
        made=made(name, comparison.models[name]),
        axes=tuple(axis.finding(name, comparison) for axis in axes),
        sentence=" ".join(axis.sentence(name, comparison) for axis in axes),
        remarks=remarks,
    )


def made(name: str, entry: ModelEntry) -> str:
    """How a model was made, as far as it is known, and its distance to the base: `SFT on chosen answers, KL 2.37`."""
    training = entry.training
    if training is None:
        return one_line(entry.role) if entry.role != name else ""
    method = METHODS.get(training.method, training.method)
    kind = training.data[0].kind if training.data else ""
    on = f" on {kind}" if training.method == "sft" and kind else ""
    dose = f", KL {training.dose.kl_answers:.2f}" if training.dose else ""
    return f"{method}{on}{dose}"


def linked(
    finding: Finding, model: str, comparison: Comparison, anchors: Mapping[tuple[str, str], str], *, has_items: bool
) -> Finding:
    """The finding with its links as the page has them: a missing cell is the evidence of what has no verdict."""
    toxicity, conversation = comparison.toxicity, comparison.conversation
    cells = {
        capability_decision.AXIS: list(comparison.tasks),
        harmlessness_decision.AXIS: [toxicity.primary.set] if toxicity else [],
        conversation_decision.AXIS: [conversation.name] if conversation else [],
    }[finding.axis]
    causes = [anchors[each, cell] for each in (model, comparison.baseline) for cell in cells if (each, cell) in anchors]
    notes = finding.notes
    if not has_items:
        notes = tuple(replace(note, href="") if is_items_link(note.href) else note for note in notes)
    href = causes[0] if causes and finding.verdict is None else finding.href
    return replace(finding, notes=notes, href=href)
