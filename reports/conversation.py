"""The section on conversation: from the comparison's part on it to tables, dialogues, and words between."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.conversation import Conversation, Judging
from mplus_eval.reports import formats
from mplus_eval.reports.conversation_phrasing import (
    causes,
    chat_format_named,
    first_judge,
    has_orders,
    judge_leanings,
    judge_named,
    judged_models,
    why_unknown,
)
from mplus_eval.reports.conversation_tables import ConversationTables, ratings_table
from mplus_eval.reports.figures.figure import Figure
from mplus_eval.reports.tables import ModelLabel, Table, Withheld
from mplus_eval.reports.text import enumerated, one_line, truncate_end
from mplus_eval.reports.thinking import thinking_notes
from mplus_eval.reports.transcripts import Transcript, transcripts
from mplus_eval.reports.verdicts import MARKS, is_comparable


@dataclass(frozen=True)
class JudgeView:
    """What one judge found, and what is to be known of it."""

    title: str
    results: Table
    judge: Table
    leanings: tuple[str, ...]


@dataclass(frozen=True)
class ConversationSection:
    """Everything that the report says of conversation below the decision, besides its figures.

    A table without data is None, and so are the ratings where a figure has them.
    """

    protocol: str
    withheld: tuple[Withheld, ...]
    judges: tuple[JudgeView, ...]
    ratings: Table | None
    turns: Table | None
    categories: Table | None
    agreement: Table | None
    grades: Table | None
    text: Table
    notes: tuple[str, ...]
    transcripts: tuple[Transcript, ...]


def conversation_section(
    comparison: Comparison, labels: Mapping[str, ModelLabel], directory: Path, figures: Sequence[Figure]
) -> ConversationSection | None:
    """The section, where conversation was evaluated; the saved steps of a training are no part of `comparison`."""
    conversation = comparison.conversation
    if conversation is None:
        return None
    tables = ConversationTables(comparison, conversation, labels)
    return ConversationSection(
        protocol=protocol(conversation),
        withheld=tuple(withheld_verdicts(comparison)),
        judges=tuple(judge_views(tables)),
        ratings=None if any(figure.name == "ratings" for figure in figures) else ratings_table(comparison),
        turns=tables.win_rates_by("turn"),
        categories=tables.win_rates_by("category"),
        agreement=tables.agreement(),
        grades=tables.grades(),
        text=tables.text(),
        notes=(*notes(comparison, conversation), *thinking_notes(comparison, (conversation.name,))),
        transcripts=transcripts(comparison, directory, labels),
    )


def protocol(conversation: Conversation) -> str:
    """What was asked and who judged, in a few sentences."""
    models = conversation.models.values()
    orders = ", every pair in both orders" if any(map(has_orders, models)) else ""
    n_judged = sum(judging.win_rate.n_judged for judging in models)
    n_unjudged = sum(judging.win_rate.n_unjudged for judging in models)
    return (
        f"{formats.counted(conversation.n_dialogues, 'dialogue')} of {one_line(conversation.dialogues)}, "
        f"{formats.counted(conversation.n_turns, 'turn')} in all, {conversation.max_new_tokens} new tokens at most. "
        f"Each answer was judged against the baseline’s by {first_judge(conversation)}{orders}: "
        f"{formats.counted(n_judged, 'pair')} judged, {formats.count(n_unjudged)} unjudged. "
        "A judge may favour a model of its own family."
    )


def withheld_verdicts(comparison: Comparison) -> Iterable[Withheld]:
    """Every model that is not comparable, with all reasons."""
    for model, judging in judged_models(comparison).items():
        if judging.verdict and not is_comparable(judging):
            mark = MARKS[judging.verdict]
            reasons = [one_line(reason).rstrip(".") for reason in judging.reasons] or [
                "its verdicts cannot be believed"
            ]
            joined = enumerated(reasons)
            yield Withheld(mark, model, mark.word, f"{joined[:1].upper()}{joined[1:]}.")


def judge_views(tables: ConversationTables) -> Iterable[JudgeView]:
    """What the first judge found and leans to, why pairs have no verdict, and the same of others."""
    by_judge: dict[str, dict[str, Judging]] = {name: {} for name in tables.conversation.judges}
    for model, found in judged_models(tables.comparison).items():
        for name in (found.judge, *([found.second_judge.judge] if found.second_judge else [])):
            if judging := found.by(name):
                by_judge.setdefault(name, {})[model] = judging
    for title, judged in zip(("Win rate", *["Second judge: {judge}"] * len(by_judge)), by_judge.values(), strict=False):
        leanings = []
        for model, judging in judged.items():
            if leans := list(judge_leanings(judging)):
                leanings.append(f"{model}: {' '.join(leans)}")
            if judging.explained_by_length:
                leanings.append(f"{model}: length explains its win, which is not shown at equal length.")
            if judging.unjudged:
                n_unjudged = formats.count(judging.win_rate.n_unjudged)
                leanings.append(f"{model}: unjudged {n_unjudged}: {causes(judging.unjudged)}.")
        if judged:
            judge = judge_named(next(iter(judged.values())).judge)
            results, heeds = tables.results(judged, judge), tables.judge(judged, judge)
            yield JudgeView(title.format(judge=judge), results, heeds, tuple(leanings))


def notes(comparison: Comparison, conversation: Conversation) -> Iterable[str]:
    """Rows and dialogues that were left out or cut, models without a result, formats that differ, kappas withheld."""
    models = judged_models(comparison)
    if conversation.n_bad:
        why = " ".join(f"{truncate_end(one_line(fault), 160)}." for fault in conversation.bad)
        yield f"{formats.counted(conversation.n_bad, 'row')} of the dialogues cannot be used, and left out: {why}"
    texts = {comparison.baseline: conversation.baseline.text}
    texts |= {model: judging.text for model, judging in models.items()}
    for model, text in texts.items():
        if text.n_cut:
            of_all = f"{formats.count(text.n_cut)} of {formats.counted(text.n_answers, 'answer')}"
            yield f"{model}: {of_all} to dialogues that are longer than the model can read; their beginning was cut."
        if text.ran_on_rate:
            share = formats.with_percent(text.ran_on_rate)
            yield f"{model}: after {share} of its answers it went on to speak for the user; that is cut off."
    for model in comparison.models:
        if model != comparison.baseline and model not in models:
            yield f"{model}: no result: {why_unknown(model, comparison)}."
    used = {comparison.baseline: conversation.baseline.chat_format}
    used |= {model: judging.chat_format for model, judging in models.items()}
    if len(set(used.values())) > 1:
        named = {how: enumerated([model for model in used if used[model] == how]) for how in used.values()}
        yield f"Chat formats differ: {'; '.join(f'{chat_format_named(how)}: {who}' for how, who in named.items())}."
    for model, judging in models.items():
        if judging.agreement and judging.agreement.withheld:
            yield f"{model}: no kappa: {truncate_end(one_line(judging.agreement.withheld), 160).rstrip('.')}."
