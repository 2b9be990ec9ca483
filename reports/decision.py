"""The decision: one sentence a model and axis, built from its verdicts and never stronger than they are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from mplus_eval.records.comparison import Comparison
from mplus_eval.reports import formats
from mplus_eval.reports.asking import same_weights
from mplus_eval.reports.capability_phrasing import (
    capability_axis,
    contrasts_of,
    suite_remarks,
    suite_sentence,
)
from mplus_eval.reports.conversation_phrasing import conversation_axis, conversation_remarks, conversation_sentence
from mplus_eval.reports.harmlessness_phrasing import toxicity_axis, toxicity_remarks, toxicity_sentence
from mplus_eval.reports.noise import noise_remark
from mplus_eval.reports.tables import NO_SUMMARY
from mplus_eval.reports.text import one_line
from mplus_eval.reports.verdicts import Mark


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
    summary = comparison.summary.get(name, NO_SUMMARY)
    sentences, axes = [], []
    contrasts = contrasts_of(name, comparison.tasks)
    if comparison.tasks:
        averaged = {task: each for task, each in contrasts.items() if not comparison.tasks[task].outside}
        sentences.append(suite_sentence(name, comparison.baseline, summary, averaged, comparison.level))
        axes.append(AxisVerdict("Capability", *capability_axis(summary)))
    if comparison.toxicity:
        sentences.append(toxicity_sentence(name, comparison))
        axes.append(AxisVerdict("Harmlessness", *toxicity_axis(name, comparison)))
    if comparison.conversation:
        sentences.append(conversation_sentence(name, comparison))
        axes.append(AxisVerdict("Conversation", *conversation_axis(name, comparison)))
    # A flag qualifies every difference on the tasks where it stands.
    flags = Counter(one_line(flag) for contrast in contrasts.values() for flag in contrast.flags)
    remarks = (
        *same_weights(name, comparison),
        *suite_remarks(name, comparison),
        *noise_remark(name, comparison),
        *(f"Read with care: {flag} ({formats.counted(n_tasks, 'task')})." for flag, n_tasks in flags.items()),
        *toxicity_remarks(name, comparison),
        *conversation_remarks(name, comparison),
    )
    return Decision(name, " ".join(sentences), remarks, tuple(axes))
