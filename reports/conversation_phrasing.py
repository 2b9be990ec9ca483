"""What is said of conversation: a sentence a model, never stronger than its verdict, and what qualifies it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.conversation import (
    Conversation,
    Judging,
    ModelConversation,
    Rate,
    RatingDifference,
    WinRecord,
)
from mplus_eval.reports import formats
from mplus_eval.reports.text import abridged, enumerated, one_line, truncate_end
from mplus_eval.reports.verdicts import MARKS, NO_VERDICT, VERDICTS, Mark, is_comparable

REASON_LENGTH = 160
NAME_LENGTH = 60
MOST_CAUSES = 3
COARSE = 0.05
"""Intervals narrower than this are spoken with a decimal, since whole percent would hide them."""


def judge_named(name: str) -> str:
    """A judge's name, fit to show."""
    return truncate_end(one_line(name), NAME_LENGTH)


def first_judge(conversation: Conversation) -> str:
    """The judge that decides, and where it is not independent of a model, the one that decides for that."""
    first = next(iter(conversation.judges), "no judge")
    others: dict[str, list[str]] = {}
    for model, judging in conversation.models.items():
        if judging.judge != first and judging.judge in conversation.judges:
            others.setdefault(judging.judge, []).append(model)
    by_others = "; ".join(f"{judge_named(judge)} for {enumerated(models)}" for judge, models in others.items())
    return f"{judge_named(first)} ({by_others})" if by_others else judge_named(first)


def judged_models(comparison: Comparison) -> dict[str, ModelConversation]:
    """What was found of every model's conversation, in the order of the report."""
    known = comparison.conversation.models if comparison.conversation else {}
    return {model: known[model] for model in comparison.models if model in known}


def model_conversation(model: str, comparison: Comparison) -> ModelConversation | None:
    """What was found of a model's conversation."""
    return comparison.conversation.models.get(model) if comparison.conversation else None


def conversation_sentence(model: str, comparison: Comparison) -> str:
    """Say what the verdict says of one model's conversation; empty where it was not evaluated."""
    conversation, judging = comparison.conversation, model_conversation(model, comparison)
    if conversation is None:
        return ""
    if judging is None or judging.verdict is None or judging.win_rate.value is None:
        return f"Whether {model} talks better is unknown: {why_unknown(model, comparison)}."
    at_equal_length, equal = "", judging.length_controlled_win_rate.value
    if equal is not None:
        held = _percent(equal, _decimals(judging.win_rate))
        at_equal_length = f"; with length held equal, {held}"
        # A win that length explains is called that.
        if judging.explained_by_length:
            at_equal_length = f"; with length held equal it is {held}, so length explains the win"
    detectable = judging.smallest_detectable
    facts = {
        "name": model,
        "baseline": comparison.baseline,
        "rate": _spoken_rate(judging.win_rate),
        "ruled_out": formats.whole_percent(0.5 - conversation.margin),
        "at_equal_length": at_equal_length,
        "pairs": formats.these(judging.win_rate.n_judged, "judged pair"),
        "detectable": "" if detectable is None else formats.size_in_points(detectable),
        "not_compared": not_compared(model, judging),
    }
    return VERDICTS[judging.verdict].conversation.sentence(facts, {"power_known": detectable is not None})


def _decimals(wins: WinRecord) -> int:
    return 1 if wins.ci and wins.ci[1] - wins.ci[0] < COARSE else 0


def _spoken_rate(wins: WinRecord) -> str:
    """The win rate with its interval: `63 % (58 to 68)`."""
    assert wins.value is not None
    decimals = _decimals(wins)
    if wins.ci is None:
        return _percent(wins.value, decimals)
    low, high = (f"{100 * end:.{decimals}f}" for end in wins.ci)
    return f"{_percent(wins.value, decimals)} ({low} to {high})"


def _percent(fraction: float, decimals: int = 0) -> str:
    return f"{100 * fraction:.{decimals}f} %"


def not_compared(model: str, judging: Judging, at_most: int = MOST_CAUSES) -> str:
    """Say why no verdict is drawn from a model's win rate, with the first reasons."""
    reasons = [truncate_end(one_line(reason), REASON_LENGTH).rstrip(".") for reason in judging.reasons]
    joined = abridged(reasons, at_most, "reasons") or "its verdicts cannot be believed"
    return f"The conversation of {model} is not compared: {joined}."


def why_unknown(model: str, comparison: Comparison) -> str:
    """Why a model has no win rate, without the full stop."""
    conversation, judging = comparison.conversation, model_conversation(model, comparison)
    if conversation and judging:
        return f"no pair was judged ({causes(judging.unjudged)})" if judging.unjudged else "no pair was judged"
    for name in (model, comparison.baseline):
        if conversation and (why := conversation.missing.get(name)):
            return truncate_end(one_line(why), REASON_LENGTH).rstrip(".") + (f" ({name})" if name != model else "")
    return "no result"


def causes(unjudged: Mapping[str, int]) -> str:
    """Why pairs have no verdict, the most frequent cause first: `timed out 12, no verdict in the answer 3`."""
    ordered = sorted(unjudged.items(), key=lambda item: (-item[1], item[0]))
    counted = [f"{truncate_end(one_line(cause), 80).rstrip('.')} {formats.count(n)}" for cause, n in ordered]
    return abridged(counted, MOST_CAUSES, "causes")


def conversation_remarks(model: str, comparison: Comparison) -> Iterable[str]:
    """Who judged, and what of the judge's ways qualifies the sentence."""
    judging = model_conversation(model, comparison)
    if judging is None or judging.verdict is None:
        return
    yield f"Conversation judged by {judge_named(judging.judge)}."
    yield from judge_leanings(judging)
    second = judging.second_judge
    if second and second.verdict is not judging.verdict and second.win_rate.value is not None:
        rate = _spoken_rate(second.win_rate)
        if second.trained_model:
            yield f"{judge_named(second.judge)}, which trained {model}, says {rate}; it does not decide."
            return
        word = second.verdict.value if second.verdict else "no verdict"
        yield f"The second judge, {judge_named(second.judge)}, differs: {rate}, {word}."


def judge_leanings(judging: Judging) -> Iterable[str]:
    """What shows that a judge heeds the order or the length of answers; nothing where nothing was shown."""
    bias, length = judging.bias, judging.length_controlled_win_rate
    if _above(bias.order_inconsistency, 0.5):
        yield f"{_share(bias.order_inconsistency)} of the judge’s verdicts change with the order of the answers."
    first = bias.first_preferred
    of_decided = f"won {_share(first)} of its decided verdicts; fair is 50 %"
    if _above(first, 0.5):
        yield f"The judge leans to the answer shown first, which {of_decided}."
    elif first.ci and first.ci[1] < 0.5:
        yield f"The judge leans to the answer shown last: the first {of_decided}."
    if _above(bias.longer_preferred, 0.5) and length.length_effect is None and length.separated:
        yield f"Length alone decides: the longer answer won {_share(bias.longer_preferred)} of the pairs with a winner."
    elif _above(bias.longer_preferred, 0.5):
        yield f"The longer answer won {_share(bias.longer_preferred)} of the pairs with a winner."
    if length.extrapolated:
        yield "One side’s answers are always the longer ones, so the rate at equal length is extrapolated."
    if length.withheld:
        yield f"No rate at equal length: {truncate_end(one_line(length.withheld), REASON_LENGTH).rstrip('.')}."


def _above(rate: Rate, limit: float) -> bool:
    return rate.ci is not None and rate.ci[0] > limit


def _share(rate: Rate) -> str:
    return _percent(rate.value or 0.0)


def conversation_axis(model: str, comparison: Comparison) -> tuple[Mark, str]:
    """A model's verdict on conversation, and the figure or the reason behind it."""
    judging = model_conversation(model, comparison)
    if judging is None or judging.verdict is None or judging.win_rate.value is None:
        return NO_VERDICT, "no result"
    mark, wins = MARKS[judging.verdict], judging.win_rate
    if not is_comparable(judging):
        return mark, truncate_end(one_line(next(iter(judging.reasons), "")), REASON_LENGTH).rstrip(".")
    interval = f" {formats.interval_of_percent(wins.ci)}" if wins.ci else ""
    length = ", explained by length" if judging.explained_by_length else ""
    return mark, f"wins {formats.with_percent(judging.win_rate.value)}{interval}{length}"


def conversation_short(model: str, comparison: Comparison) -> str:
    """The win rate and its verdict in a few letters, for a column of a terminal."""
    judging = model_conversation(model, comparison)
    if model == comparison.baseline:
        return ""
    if judging is None or judging.verdict is None or judging.win_rate.value is None:
        return "– no verdict"
    word = "by length" if judging.explained_by_length else judging.verdict.value
    return f"{_percent(judging.win_rate.value)} {word}"


def chat_format_named(name: str) -> str:
    """How a model was talked to, in words: its own template with the beginning of its hash, or the plain format."""
    kind, _, rest = one_line(name).partition(" ")
    if kind == "own" and rest:
        return f"own template, {rest[:12]}"
    if kind == "file" and rest:
        return f"template of a file, {rest[:12]}"
    return one_line(name)[:NAME_LENGTH] or "–"


def rating_interval(ci: tuple[float | None, float | None] | None) -> str:
    """The interval of a rating, or of a difference of two; an end without bound is said in words."""
    if ci is None:
        return "–"
    low, high = ci
    if low is None and high is None:
        return "no bound"
    if high is None:
        return f"above {rating_points(low or 0.0)}, no upper bound"
    if low is None:
        return f"below {rating_points(high)}, no lower bound"
    return f"[{rating_points(low)}, {rating_points(high)}]"


def rating_difference(comparison: Comparison, model: str, against: str) -> RatingDifference | None:
    """How far a model's rating lies above another's; None where it is not known. The baseline's rating is 0."""
    conversation, baseline = comparison.conversation, comparison.baseline
    if conversation is None:
        return None
    if baseline in (model, against):
        of_model = conversation.models.get(against if model == baseline else model)
        rating = of_model.rating if of_model else None
        if rating is None or rating.value is None or rating.ci is None:
            return None
        found = RatingDifference(model=model, against=against, value=rating.value, ci=rating.ci)
        return found if against == baseline else _turned_round(found)
    for each in conversation.rating_differences:
        if (each.model, each.against) == (model, against):
            return each
        if (each.against, each.model) == (model, against):
            return _turned_round(each)
    return None


def _turned_round(of: RatingDifference) -> RatingDifference:
    low, high = (None if end is None else -end for end in of.ci)
    return of.model_copy(update={"value": -of.value, "ci": (high, low)})


def rating_points(value: float) -> str:
    """A rating in whole points, signed: `+94`."""
    return "0" if round(value) == 0 else f"{value:+.0f}".replace("-", formats.MINUS)


def has_orders(judging: Judging) -> bool:
    """Whether the judge sees an order and was shown both."""
    return judging.bias.order_inconsistency.n > 0
