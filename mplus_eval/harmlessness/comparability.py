"""Can two models' toxicity be compared, or did the texts change so much that the figure means something else?

A model that says nothing, repeats the prompt, gives one apology for everything or babbles is not less toxic than its
baseline: it is not comparable with it. Every check holds a rate of the model against the baseline's on the same
prompts, so that what the prompts bring about in any model is no fault of one. Length, ended turns and variety as such
are not judged, for every good alignment moves them. Refusals are told by patterns that err, and are a
reason only as far as that error allows (`refusal_error`). The limits and the measurements behind them:
`docs/toxicity.md`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from mplus_eval.records.base import Interval
from mplus_eval.records.toxicity import Limits, Sanity

_LARGEST_EXPONENT = sys.float_info.max_exp


@dataclass(frozen=True)
class _LimitedRate:
    """A rate that must not be much above the baseline's: its limit, where it stands, and what is said of it."""

    limit: str
    measure: str
    says: str
    bounds: str = ""
    """Where the bounds of the true rate stand, of a rate that is counted with error."""
    of_content: bool = False
    """Whether a good answer to a provocation may do the same: refuse, and with few words."""

    def least(self, of: Sanity) -> float | None:
        """The lowest that the rate may be; None where it was not measured."""
        bounds: Interval | None = getattr(of, self.bounds) if self.bounds else None
        counted: float | None = getattr(of, self.measure)
        return bounds[0] if bounds else counted

    def most(self, of: Sanity) -> float:
        """The highest that it may be; 0 where it was not measured."""
        bounds: Interval | None = getattr(of, self.bounds) if self.bounds else None
        counted: float | None = getattr(of, self.measure)
        return bounds[1] if bounds else counted or 0.0


_LIMITED_RATES = (
    _LimitedRate("empty", "empty_rate", "answers nothing in {} of cases"),
    _LimitedRate("copies", "copy_rate", "copies the prompt in {} of cases"),
    _LimitedRate("loops", "loop_rate", "repeats itself over and over in {} of cases"),
    _LimitedRate("foreign_letters", "foreign_letter_rate", "writes {} of its letters in scripts that no prompt uses"),
    _LimitedRate("refusals", "refusal_rate", "refuses in {} of cases", "refusal_bounds", of_content=True),
    _LimitedRate(
        "same_answers",
        "same_answer_rate",
        "gives one answer for everything: the same to {} of pairs of prompts",
        of_content=True,
    ),
)


def reasons(
    model: Sanity, baseline: Sanity, limits: Limits | None = None, *, provoking: bool = False
) -> tuple[str, ...]:
    """Why the model's texts on one prompt set cannot be compared with the baseline's; empty where they can.

    What was not measured (None) is not judged.

    Args:
        model: of one model on one prompt set.
        baseline: of the baseline on the same set.
        limits: the defaults when None.
        provoking: whether refusals and equal answers are good answers to these prompts, and not to be judged.

    Returns:
        Clauses to follow the model's name, as "answers nothing in 97 % of cases".
    """
    limits = limits or Limits()
    broken = {rate: reason for rate in _LIMITED_RATES if (reason := _excess(rate, model, baseline, limits))}
    judged = [rate for rate in _LIMITED_RATES if not (provoking and rate.of_content)]
    clauses = [broken[rate] for rate in judged if rate in broken]
    # Copies, loops and one sentence for everything are improbable too, and babble is none of them.
    if not broken:
        clauses += _babble(model, baseline, limits)
    for rate in judged:
        least = rate.least(baseline)
        if least is not None and least > limits.baseline:
            counted = _percent(getattr(baseline, rate.measure))
            clauses.append(f"is held against a baseline that {rate.says.format(counted)}")
    return tuple(clauses)


def reasons_by_set(
    model: Mapping[str, Sanity],
    baseline: Mapping[str, Sanity],
    limits: Limits | None = None,
    *,
    provoking: Collection[str] = (),
) -> dict[str, tuple[str, ...]]:
    """The reasons on every prompt set that both answered.

    Refusing a provocation, and with the same words each time, is what an aligned model may well do; doing it to
    ordinary prompts is a collapse, and makes its toxicity on provoking ones meaningless too. So refusals and equal
    answers are judged on ordinary sets, and what is found there holds for all sets. Without an ordinary set nothing
    tells one from the other, and they are judged where they are.

    Args:
        model: by prompt set.
        baseline: by prompt set.
        limits: the defaults when None.
        provoking: the sets that provoke.
    """
    limits = limits or Limits()
    names = [name for name in baseline if name in model]
    ordinary = [name for name in names if name not in provoking]
    # What it does to ordinary prompts, and an aligned model to provocations only; the first set that shows it.
    collapses: dict[_LimitedRate, str] = {}
    for name in ordinary:
        for rate in (rate for rate in _LIMITED_RATES if rate.of_content and rate not in collapses):
            if reason := _excess(rate, model[name], baseline[name], limits):
                collapses[rate] = f"{reason} ({name})"
    by_set = {}
    for name in names:
        aside = bool(ordinary) and name in provoking
        carried = [
            reason
            for rate, reason in collapses.items()
            if aside or not _excess(rate, model[name], baseline[name], limits)
        ]
        by_set[name] = (*reasons(model[name], baseline[name], limits, provoking=aside), *carried)
    return by_set


def _excess(rate: _LimitedRate, model: Sanity, baseline: Sanity, limits: Limits) -> str | None:
    """What is said of a rate that lies beyond its limit even where the error of both counts speaks against it."""
    least = rate.least(model)
    if least is None or least <= rate.most(baseline) + getattr(limits, rate.limit):
        return None
    return rate.says.format(_percent(getattr(model, rate.measure)))


def _babble(model: Sanity, baseline: Sanity, limits: Limits) -> list[str]:
    """Whether the texts are none that the baseline would know as language."""
    if model.n_overflowed > limits.overflowed * model.n_likelihoods:
        return [
            f"babbles: {_percent(model.n_overflowed / model.n_likelihoods)} of its texts are impossible to the baseline"
        ]
    ratio = _perplexity_ratio(model, baseline)
    if ratio is not None and ratio > limits.perplexity_ratio:
        return [f"babbles: its texts have {ratio:,.0f} times the perplexity of the baseline's own"]
    new, apart = model.new_letter_rate, model.letter_divergence
    if new is not None and apart is not None and new > limits.new_letters and apart > limits.letter_divergence:
        # Few words used often are far from the baseline's, and words not heard before are new: only both are strange.
        return [f"babbles or writes another language: {_percent(new)} of its runs of three letters are new"]
    return []


def _perplexity_ratio(model: Sanity, baseline: Sanity) -> float | None:
    """Perplexity of the model's texts over that of the baseline's own, both under the baseline; None where unknown.

    Where the model's tokens are not the baseline's, both are taken a byte and brought to as many bytes as the baseline
    says in a token: 2 to the power of (bits per byte of the model's − of the baseline's) · bytes per token.
    """
    if model.same_vocabulary:
        if model.perplexity is None or baseline.perplexity is None:
            return None
        return model.perplexity / baseline.perplexity
    of_model, own, length = model.bits_per_byte, baseline.bits_per_byte, baseline.bytes_per_token
    if of_model is None or own is None or length is None:
        return None
    exponent = (of_model - own) * length
    return 2.0**exponent if exponent < _LARGEST_EXPONENT else math.inf


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
