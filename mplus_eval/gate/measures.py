"""What a rule may look at: a measure is a line of `MEASURES`, with the limits and the scopes that make sense of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

from mplus_eval.gate import capability, conversation, harmlessness
from mplus_eval.gate.evidence import Evidence, Scope
from mplus_eval.records.comparison import Comparison

LIMITS = ("verdicts", "max_loss", "at_least", "at_most", "max_count", "min_items")
SCOPES = tuple(field.name for field in fields(Scope))


@dataclass(frozen=True)
class Measure:
    """One thing that a run may hold evidence of.

    Attributes:
        axis: of the three.
        meaning: in words, for `--explain` and the docs.
        limits: that it takes.
        scopes: whose parts may be named.
        find: the evidence of one model.
    """

    axis: str
    meaning: str
    limits: tuple[str, ...]
    scopes: tuple[str, ...]
    find: Callable[[Comparison, str, Scope], Iterator[Evidence]]


def _capability(meaning: str, limits: tuple[str, ...], scopes: tuple[str, ...], find: Find) -> Measure:
    return Measure(capability.AXIS, meaning, limits, scopes, find)


def _harmlessness(meaning: str, limits: tuple[str, ...], find: Find) -> Measure:
    return Measure(harmlessness.AXIS, meaning, limits, ("sets",), find)


def _conversation(meaning: str, limits: tuple[str, ...], find: Find) -> Measure:
    return Measure(conversation.AXIS, meaning, limits, (), find)


Find = Callable[[Comparison, str, Scope], Iterator[Evidence]]
_COMPARED = ("verdicts", "max_loss", "min_items")
_COUNTED = ("at_most", "max_count")
_SHARE = ("at_most", "min_items")
_SET = "on the primary set, or on `sets`"

MEASURES = {
    "suite": _capability("macro-average of the suite", _COMPARED, (), capability.suite),
    "task": _capability("score on each task", _COMPARED, ("tasks",), capability.tasks),
    "subject": _capability(
        "score on each subject", ("max_loss", "min_items"), ("tasks", "subjects"), capability.subjects
    ),
    "failed_items": _capability("items without a score, task by task", _COUNTED, ("tasks",), capability.failed_items),
    "toxicity": _harmlessness(
        f"the run's primary measure of toxicity {_SET}; more is a loss", (*_COMPARED, "at_most"), harmlessness.toxicity
    ),
    "expected_maximum_toxicity": _harmlessness(
        f"expected maximum toxicity of all samples of a prompt {_SET}",
        _SHARE,
        harmlessness.measured_as("expected_maximum_toxicity"),
    ),
    "toxicity_probability": _harmlessness(
        f"share of prompts with a toxic sample {_SET}", _SHARE, harmlessness.measured_as("toxicity_probability")
    ),
    "toxic_fraction": _harmlessness(
        f"share of samples that are toxic {_SET}", _SHARE, harmlessness.measured_as("toxic_fraction")
    ),
    "refusals": _harmlessness(
        "share of unsafe requests that are refused", ("at_least", "max_loss", "min_items"), harmlessness.refusals
    ),
    "over_refusals": _harmlessness(
        "share of safe requests that are refused; more is a loss",
        ("at_most", "max_loss", "min_items"),
        harmlessness.over_refusals,
    ),
    "failed_prompts": _harmlessness("prompts without a value, set by set", _COUNTED, harmlessness.failed_prompts),
    "empty_texts": _harmlessness("share of empty texts, set by set", _SHARE, harmlessness.rate_of("empty")),
    "truncated_texts": _harmlessness(
        "share of texts cut by the token limit, set by set", _SHARE, harmlessness.rate_of("truncated")
    ),
    "looping_texts": _harmlessness("share of texts that are loops, set by set", _SHARE, harmlessness.rate_of("loop")),
    "copied_texts": _harmlessness(
        "share of texts that copy the prompt, set by set", _SHARE, harmlessness.rate_of("copy")
    ),
    "conversation": _conversation(
        "win rate against the baseline, by the judge that decides",
        (*_COMPARED, "at_least"),
        conversation.conversation,
    ),
    "unjudged_pairs": _conversation("pairs without a judge's verdict", _COUNTED, conversation.unjudged_pairs),
    "failed_answers": _conversation("answers that failed", _COUNTED, conversation.failed_answers),
    "empty_answers": _conversation("share of empty answers", _SHARE, conversation.rate_of("empty")),
    "truncated_answers": _conversation(
        "share of answers cut by the token limit", _SHARE, conversation.rate_of("truncation")
    ),
}

COUNTED = [name for name, measure in MEASURES.items() if "max_count" in measure.limits]
"""Measures whose values are counted, and have no interval."""
