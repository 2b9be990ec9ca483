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
    StockAnswer,
    WinRecord,
)
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports import formats
from mplus_eval.reports.text import abridged, enumerated, one_line, truncate_end
from mplus_eval.reports.verdicts import VERDICTS

REASON_LENGTH = 160
NAME_LENGTH = 60
STOCK_LENGTH = 60
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
        return f"No verdict on conversation: {why_unknown(model, comparison)}."
    detectable = judging.smallest_detectable
    below, above = (formats.whole_percent(round(0.5 + turn * (detectable or 0), 2)) for turn in (-1, 1))
    second = judging.second_judge
    facts = {
        "baseline": comparison.baseline,
        "preferred": preferred(judging, comparison),
        "rates": "; ".join(rate_by_judge(model, each, comparison) for each in (judging, second) if each),
        "ruled_out": formats.whole_percent(0.5 - conversation.margin),
        "pairs": formats.counted(judging.win_rate.n_judged, "pair"),
        "detectable": f"below {below} or above {above}",
        "not_compared": not_compared(model, judging),
    }
    return VERDICTS[judging.verdict].conversation.sentence(facts, {"power_known": detectable is not None})


def preferred(judging: Judging, comparison: Comparison) -> str:
    """How often answers were preferred, and how often with length controlled, without the full stop."""
    confidence, equal = formats.whole_percent(1 - comparison.level), judging.length_controlled_win_rate.value
    said = f"Preferred to {comparison.baseline} in {spoken_rate(judging.win_rate, f'{confidence} CI')}"
    if equal is None:
        return said
    # A win that length explains is called that.
    explained = ", so length explains the preference" if judging.explained_by_length else ""
    return f"{said}; length-controlled {percent(equal, decimals(judging.win_rate))}{explained}"


def rate_by_judge(model: str, judging: Judging, comparison: Comparison) -> str:
    """A judge's win rate and who it is: `68 % (CI 62–75) by reward, the reward model that plus was trained on`."""
    return f"{spoken_rate(judging.win_rate, what='')} by {judge_of(model, judging, comparison)}"


def judge_of(model: str, judging: Judging, comparison: Comparison) -> str:
    """A judge by its name, and that it trained the model where it did."""
    if not judging.trained_model:
        return judge_named(judging.judge)
    was = "was" if is_training_known(model, comparison) else "may have been"
    return f"{judge_named(judging.judge)}, the reward model that {model} {was} trained on"


def is_training_known(model: str, comparison: Comparison) -> bool:
    """Whether a model says how it was made; of another it is known only which reward model lies beside it."""
    return comparison.models[model].training is not None


def trained_how(model: str, comparison: Comparison) -> str:
    """What a judge whose weights were found did: `trained`, or `may have trained`."""
    return "trained" if is_training_known(model, comparison) else "may have trained"


def decimals(wins: WinRecord) -> int:
    """Of the percent of a win rate: narrow intervals have one."""
    return 1 if wins.ci and wins.ci[1] - wins.ci[0] < COARSE else 0


def spoken_rate(wins: WinRecord, interval: str = "CI", what: str = " of answers") -> str:
    """The win rate with its interval: `63 % of answers (95 % CI 58–68)`; a dash where nothing was judged."""
    if wins.value is None:
        return "–"
    places = decimals(wins)
    rate = f"{percent(wins.value, places)}{what}"
    if wins.ci is None:
        return rate
    low, high = (f"{100 * end:.{places}f}" for end in wins.ci)
    return f"{rate} ({interval} {low}–{high})"


def percent(fraction: float, places: int = 0) -> str:
    """A share in whole percent, or with so many decimals."""
    return f"{100 * fraction:.{places}f} %"


def not_compared(model: str, judging: Judging, at_most: int = MOST_CAUSES) -> str:
    """Say why no verdict is drawn from a model's win rate, with the first reasons."""
    reasons = [truncate_end(one_line(reason), REASON_LENGTH).rstrip(".") for reason in judging.reasons]
    joined = abridged(reasons, at_most, "reasons") or "its verdicts cannot be believed"
    return f"The conversation of {model} is not compared: {joined}."


def shown_reason(judging: Judging) -> str:
    """The first reason why no verdict is drawn, without the full stop."""
    reason = next(iter(judging.reasons), "its verdicts cannot be believed")
    return truncate_end(one_line(reason), REASON_LENGTH).rstrip(".")


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
    """Who judged, and what of the judge's ways and of the answers qualifies the sentence."""
    judging = model_conversation(model, comparison)
    if judging is None or judging.verdict is None:
        return
    if judging.verdict is not Verdict.JUDGES_DISAGREE:
        yield f"Judge: {judge_of(model, judging, comparison)}."
    yield from judge_leanings(judging)
    second = judging.second_judge
    if second and judging.verdict is not Verdict.JUDGES_DISAGREE and second.win_rate.value is not None:
        yield f"Second judge: {rate_by_judge(model, second, comparison)}{second_verdict(judging, second)}."
    if judging.stock_answer:
        yield f"{stock_answer(judging.stock_answer, comparison.baseline)}."


def second_verdict(judging: Judging, second: Judging) -> str:
    """What a second judge's verdict is beside the one that stands, after its rate."""
    if second.trained_model:
        return "; it does not decide"
    if second.verdict is None:
        return ", no verdict"
    word = VERDICTS[second.verdict].conversation.word or second.verdict.value
    return ", the same verdict" if second.verdict is judging.verdict else f", {word}"


def stock_answer(stock: StockAnswer, baseline: str, length: int = STOCK_LENGTH) -> str:
    """The answer that a model gives too often, shortened: `28 % of answers are “Tell me more.” (base at most 2 %)`."""
    text = truncate_end(one_line(stock.text), length)
    return f"{percent(stock.share)} of answers are “{text}” ({baseline} at most {percent(stock.baseline_share)})"


def judge_leanings(judging: Judging) -> Iterable[str]:
    """What shows that a judge heeds the order or the length of answers; nothing where nothing was shown."""
    bias, length = judging.bias, judging.length_controlled_win_rate
    if _above(bias.order_inconsistency, 0.5):
        yield f"{_share(bias.order_inconsistency)} of the judge’s verdicts flip with the order of the answers."
    first = bias.first_preferred
    of_decided = f"wins {_share(first)} of its decided verdicts; fair is 50 %"
    if _above(first, 0.5):
        yield f"First position {of_decided}."
    elif first.ci and first.ci[1] < 0.5:
        yield f"First position {of_decided}, so the judge prefers the last."
    if _above(bias.longer_preferred, 0.5) and length.length_effect is None and length.separated:
        yield "Length alone decides."
    if _above(bias.longer_preferred, 0.5):
        yield f"The judge chose the longer answer in {_share(bias.longer_preferred)} of decided pairs."
    if length.extrapolated:
        yield "One side’s answers are always the longer ones, so the length-controlled rate is extrapolated."
    if length.withheld:
        yield f"No length-controlled rate: {truncate_end(one_line(length.withheld), REASON_LENGTH).rstrip('.')}."


def _above(rate: Rate, limit: float) -> bool:
    return rate.ci is not None and rate.ci[0] > limit


def _share(rate: Rate) -> str:
    return percent(rate.value or 0.0)


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
