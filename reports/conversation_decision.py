"""Conversation in the decision: the win rate by both judges, a stock answer, and the headline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.conversation import Judging, ModelConversation
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports import formats
from mplus_eval.reports.conversation_phrasing import (
    decimals,
    judge_named,
    model_conversation,
    percent,
    shown_reason,
    stock_answer,
    trained_how,
    why_unknown,
)
from mplus_eval.reports.finding import Finding, Headline, Note, clauses, is_settled, no_verdict, shortened, word_of
from mplus_eval.reports.text import abridged
from mplus_eval.reports.verdicts import MARKS, VERDICTS, is_comparable

AXIS = "Conversation"
EVIDENCE = "#conversation"
STOCK_LENGTH = 24
MOST_MODELS = 2


def conversation_measure(comparison: Comparison) -> str:
    """What the axis is measured by."""
    return f"preferred to {comparison.baseline} [{formats.whole_percent(1 - comparison.level)} CI]"


def conversation_finding(model: str, comparison: Comparison) -> Finding:
    """A model's verdict by the judge that decides; where two judges disagree, the rates of both."""
    judging = model_conversation(model, comparison)
    if judging is None or judging.verdict is None or judging.win_rate.value is None:
        return no_verdict(AXIS, why_unknown(model, comparison), EVIDENCE)
    disagree = judging.verdict is Verdict.JUDGES_DISAGREE
    word = word_of(judging.verdict, VERDICTS[judging.verdict].conversation)
    interval = rate_interval(judging)
    return Finding(
        axis=AXIS,
        mark=MARKS[judging.verdict],
        word=f"{word}, by length" if judging.explained_by_length else word,
        value=percent(judging.win_rate.value, decimals(judging.win_rate)),
        interval=f"{interval} by {judge_named(judging.judge)}{trained(model, judging, comparison)}"
        if disagree
        else interval,
        reason="" if is_comparable(judging) else shown_reason(judging),
        notes=tuple(_notes(model, judging, comparison)),
        href=EVIDENCE,
        verdict=judging.verdict,
        number=judging.win_rate.value,
    )


def rate_interval(judging: Judging) -> str:
    """The interval of a win rate in percent: `[62, 75]`."""
    wins = judging.win_rate
    return f"[{', '.join(f'{100 * end:.{decimals(wins)}f}' for end in wins.ci)}]" if wins.ci else ""


def _rate_by(model: str, judging: Judging, comparison: Comparison) -> str:
    """A judge's win rate and its name: `68 % [62, 75] by reward (trained it)`."""
    rate = percent(judging.win_rate.value or 0.0, decimals(judging.win_rate))
    return f"{rate} {rate_interval(judging)} by {judge_named(judging.judge)}{trained(model, judging, comparison)}"


def trained(model: str, judging: Judging, comparison: Comparison) -> str:
    """That the judge trained the model, where it did or may have."""
    return f" ({trained_how(model, comparison)} it)" if judging.trained_model else ""


def _notes(model: str, judging: ModelConversation, comparison: Comparison) -> Iterable[Note]:
    """Who else judged, and what with length controlled; then the stock answer."""
    disagree, second, equal = judging.verdict is Verdict.JUDGES_DISAGREE, judging.second_judge, ""
    rates = [_rate_by(model, judging, comparison)] if not is_comparable(judging) and judging.trained_model else []
    if second and second.win_rate.value is not None:
        rates.append(_rate_by(model, second, comparison))
    controlled = judging.length_controlled_win_rate.value
    if controlled is not None and is_comparable(judging) and not disagree:
        equal = f"length-controlled {percent(controlled, decimals(judging.win_rate))}"
    if told := "; ".join(filter(None, (*rates, equal))):
        has_trained = judging.trained_model or bool(second and second.trained_model)
        yield Note(told, disagree or judging.explained_by_length or has_trained, EVIDENCE)
    if judging.stock_answer:
        yield Note(stock_answer(judging.stock_answer, comparison.baseline, STOCK_LENGTH), True, EVIDENCE)


def conversation_headline(findings: Mapping[str, Finding], comparison: Comparison) -> Headline:
    """What the verdicts say of all models, where the judges disagree, and whose answers are one text over and over."""
    known = {name: found for name in findings if (found := model_conversation(name, comparison))}
    told = {name: _by_both(each, known.get(name)) for name, each in findings.items()}
    warnings = (
        *disagreements(known, comparison),
        *by_trainers(known, comparison),
        *stock_answers(known, comparison.baseline),
    )
    return Headline(AXIS, clauses(told, _spread), facts=not_enough(known), warnings=warnings)


def _by_both(finding: Finding, judging: ModelConversation | None) -> Finding:
    """The finding, with the second judge in its word where that one prefers the model too, and did not train it."""
    second = judging.second_judge if judging else None
    if finding.verdict is not Verdict.IMPROVED or second is None or second.trained_model:
        return finding
    if second.verdict is not Verdict.IMPROVED:
        return finding
    return replace(finding, word=f"{finding.word} by both judges")


def _spread(group: Sequence[Finding]) -> str:
    rates = [each.number for each in group if each.number is not None]
    if not rates or not is_settled(group[0]) or group[0].verdict is Verdict.JUDGES_DISAGREE:
        return ""
    return f" ({formats.spoken_range(rates, lambda rate: f'{100 * rate:.0f}')} %)"


def not_enough(known: Mapping[str, Judging]) -> str:
    """Which win rates so many pairs can detect, where any verdict is open; empty where none is."""
    undecided = [each for each in known.values() if each.verdict is Verdict.UNDECIDED]
    detectable = [each.smallest_detectable for each in undecided if each.smallest_detectable is not None]
    if not detectable:
        return ""
    n_pairs, least = max(each.win_rate.n_judged for each in undecided), min(detectable)
    return (
        f"{formats.counted(n_pairs, 'pair')} can only show win rates below {percent(0.5 - least)} or above "
        f"{percent(0.5 + least)}."
    )


def disagreements(known: Mapping[str, ModelConversation], comparison: Comparison) -> Iterable[str]:
    """What each judge says of models on which they disagree; of many the first."""
    for name, judging in list(_of_verdict(known, Verdict.JUDGES_DISAGREE).items())[:MOST_MODELS]:
        rates = [
            f"{percent(each.win_rate.value)} by {judge_named(each.judge)}"
            + (f", which {trained_how(name, comparison)} it" if each.trained_model else "")
            for each in (judging, judging.second_judge)
            if each and each.win_rate.value is not None
        ]
        yield f"{shortened(name)}: {', '.join(rates)}."


def _of_verdict(known: Mapping[str, ModelConversation], verdict: Verdict) -> dict[str, ModelConversation]:
    return {name: each for name, each in known.items() if each.verdict is verdict}


def by_trainers(known: Mapping[str, ModelConversation], comparison: Comparison) -> Iterable[str]:
    """What the judge says that trained a model, and that it does not decide; of many models the first."""
    told = {
        name: judging.second_judge
        for name, judging in known.items()
        if judging.second_judge
        and judging.second_judge.trained_model
        and judging.verdict is not Verdict.JUDGES_DISAGREE
    }
    for name, judging in list(told.items())[:MOST_MODELS]:
        if judging.win_rate.value is not None:
            rate = f"{percent(judging.win_rate.value)} by {judge_named(judging.judge)}"
            yield f"{shortened(name)}: {rate}, which {trained_how(name, comparison)} it and does not decide."


def stock_answers(known: Mapping[str, ModelConversation], baseline: str) -> Iterable[str]:
    """Whose most frequent answer is clearly more frequent than the baseline’s, with the text of the one given most."""
    found = {name: judging.stock_answer for name, judging in known.items() if judging.stock_answer}
    if not found:
        return
    first, *others = sorted(found, key=lambda name: -found[name].share)
    shares = [f"{percent(found[name].share)} of {shortened(name)}’s" for name in others]
    more = f"; {abridged(shares, MOST_MODELS, 'models')} are one of their own" if shares else ""
    yield f"{shortened(first)}: {stock_answer(found[first], baseline)}{more}."
