"""Evidence of the third axis: the win rate of the judge that decides, and what the answers themselves are like."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mplus_eval.gate.evidence import Evidence, Scope, reason, shown
from mplus_eval.records.comparison import Comparison
from mplus_eval.records.conversation import ModelConversation
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports.units import Unit

AXIS = "conversation"
LINK = "#conversation"
NOT_EVALUATED = "conversation was not evaluated"
TRAINED = "the judge trained this model"
LESS_IS_BETTER = Unit(True, higher_is_better=False)
RATES = {"empty": "empty answers", "truncation": "truncated answers"}
"""By the beginning of the names that `AnswerText` has for them."""

Find = Callable[[Comparison, str, Scope], Iterator[Evidence]]
OfModel = Callable[[ModelConversation], Evidence]


def conversation(comparison: Comparison, model: str, _scope: Scope) -> Iterator[Evidence]:
    """The win rate against the baseline, whose even is one half."""

    def of_model(found: ModelConversation) -> Evidence:
        wins, interval = found.win_rate, found.win_rate.ci
        place, what = AXIS, f"win rate by {shown(found.judge)}"
        if found.verdict is None or wins.value is None:
            return Evidence(place, LINK, what, "nothing was judged")
        # Whatever the stored verdict says: a judge that trained the model decides nothing of it.
        verdict = Verdict.NOT_COMPARABLE if found.trained_model else found.verdict
        return Evidence(
            place,
            LINK,
            what,
            verdict=verdict,
            reasons=found.reasons or ((TRAINED,) if found.trained_model else ()),
            value=wins.value,
            ci=interval,
            difference=wins.value - 0.5,
            difference_ci=None if interval is None else (interval[0] - 0.5, interval[1] - 0.5),
            n_items=wins.n_judged,
            even="one half",
        )

    return _of_model(comparison, model, of_model)


def rate_of(name: str) -> Find:
    """The share of answers that are empty or truncated."""

    def of_model(found: ModelConversation) -> Evidence:
        value: float | None = getattr(found.text, f"{name}_rate")
        absent = "no value is stored" if value is None else ""
        return Evidence(
            AXIS, LINK, RATES[name], absent, value=value, n_items=found.text.n_answers, unit=LESS_IS_BETTER
        )  # fmt: skip

    return lambda comparison, model, _scope: _of_model(comparison, model, of_model)


def failed_answers(comparison: Comparison, model: str, _scope: Scope) -> Iterator[Evidence]:
    """The model's answers that failed."""

    def of_model(found: ModelConversation) -> Evidence:
        text = found.text
        return _count("failed answers", text.n_failed, text.n_answers + text.n_failed)

    return _of_model(comparison, model, of_model)


def unjudged_pairs(comparison: Comparison, model: str, _scope: Scope) -> Iterator[Evidence]:
    """The pairs of which the judge that decides gave no verdict."""

    def of_model(found: ModelConversation) -> Evidence:
        wins = found.win_rate
        return _count("unjudged pairs", wins.n_unjudged, wins.n_judged + wins.n_unjudged)

    return _of_model(comparison, model, of_model)


def _count(what: str, count: int, n_items: int) -> Evidence:
    if not n_items:
        return Evidence(AXIS, LINK, what, "no answer is stored")
    return Evidence(AXIS, LINK, what, value=count / n_items, count=count, n_items=n_items)


def _of_model(comparison: Comparison, model: str, of_model: OfModel) -> Iterator[Evidence]:
    found = comparison.conversation
    if found is None:
        yield Evidence(AXIS, LINK, absent=NOT_EVALUATED)
    elif model not in found.models:
        yield Evidence(AXIS, LINK, absent=reason(found.missing.get(model, "no result is stored")))
    else:
        yield of_model(found.models[model])
