"""The section on conversation: from the comparison's part on it to tables, figures, dialogues, and words between."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.conversation import Conversation, Judging
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports import formats
from mplus_eval.reports.charts import Figure
from mplus_eval.reports.conversation_figures import category_figures, ratings_figure, win_figure
from mplus_eval.reports.conversation_phrasing import (
    causes,
    chat_format_named,
    first_judge,
    has_orders,
    judge_leanings,
    judge_named,
    why_unknown,
)
from mplus_eval.reports.conversation_tables import ConversationTables
from mplus_eval.reports.palette import Look
from mplus_eval.reports.tables import ModelLabel, Table
from mplus_eval.reports.text import enumerated, head, one_line
from mplus_eval.reports.transcripts import Transcripts, transcripts


@dataclass(frozen=True)
class JudgeView:
    """What one judge found, and what is to be known of it."""

    title: str
    results: Table
    judge: Table
    leanings: tuple[str, ...]


@dataclass(frozen=True)
class WithheldVerdict:
    """Why no verdict is drawn from a model's win rate."""

    model: str
    reasons: str


@dataclass(frozen=True)
class ConversationSection:
    """Everything that the report says of conversation below the decision; a table without data is None."""

    protocol: str
    withheld: tuple[WithheldVerdict, ...]
    judges: tuple[JudgeView, ...]
    figures: tuple[Figure, ...]
    ratings: Table | None
    turns: Table | None
    categories: Table | None
    agreement: Table | None
    grades: Table | None
    text: Table
    notes: tuple[str, ...]
    transcripts: tuple[Transcripts, ...]


def conversation_section(
    comparison: Comparison, looks: Mapping[str, Look], labels: Mapping[str, ModelLabel], directory: Path
) -> ConversationSection | None:
    """The section, where conversation was evaluated; the saved steps of a training are no part of `comparison`."""
    conversation = comparison.conversation
    if conversation is None:
        return None
    tables = ConversationTables(comparison, conversation, labels)
    drawn = (win_figure(tables, looks), ratings_figure(tables, looks), *category_figures(tables, looks))
    figures = tuple(figure for figure in drawn if figure)
    return ConversationSection(
        protocol=_protocol(conversation),
        withheld=tuple(_withheld(tables)),
        judges=tuple(_judge_views(tables)),
        figures=figures,
        ratings=None if any(figure.name == "ratings" for figure in figures) else tables.ratings(),
        turns=tables.turns(),
        categories=tables.categories(),
        agreement=tables.agreement(),
        grades=tables.grades(),
        text=tables.text(),
        notes=tuple(_notes(tables)),
        transcripts=transcripts(comparison, directory, labels),
    )


def _protocol(conversation: Conversation) -> str:
    """What was asked and who judged, in a few sentences."""
    found = list(conversation.models.values())
    orders = ", every pair in both orders" if any(has_orders(one) for one in found) else ""
    judged = sum(one.win_rate.n_judged for one in found)
    unjudged = sum(one.win_rate.n_unjudged for one in found)
    said = [
        f"{formats.counted(conversation.n_dialogues, 'dialogue')} of {one_line(conversation.dialogues)}, "
        f"{formats.counted(conversation.n_turns, 'turn')} in all, {conversation.max_new_tokens} new tokens at most.",
        f"Each answer was judged against the baseline’s by {first_judge(conversation)}{orders}: "
        f"{formats.counted(judged, 'pair')} judged, {formats.count(unjudged)} unjudged.",
        "A judge may favour a model of its own family.",
    ]
    return " ".join(said)


def _withheld(tables: ConversationTables) -> Iterable[WithheldVerdict]:
    for model, found in tables.models.items():
        if found.verdict is Verdict.NOT_COMPARABLE:
            reasons = [one_line(reason).rstrip(".") for reason in found.reasons] or ["its verdicts cannot be believed"]
            said = enumerated(reasons)
            yield WithheldVerdict(model, f"{said[:1].upper()}{said[1:]}.")


def _judge_views(tables: ConversationTables) -> Iterable[JudgeView]:
    """What the first judge found, and the second where there is one."""
    both: tuple[Mapping[str, Judging], ...] = (tables.models, tables.seconds)
    for place, judged in enumerate(both):
        if judged:
            name = judge_named(next(iter(judged.values())).judge)
            title = f"Second judge: {name}" if place else "Win rate"
            yield JudgeView(title, tables.results(judged, name), tables.judge(judged, name), tuple(_leanings(judged)))


def _leanings(judged: Mapping[str, Judging]) -> Iterable[str]:
    """What a judge leans to, and why pairs have no verdict, by model."""
    for model, found in judged.items():
        if said := list(judge_leanings(found)):
            yield f"{model}: {' '.join(said)}"
        if found.explained_by_length:
            yield f"{model}: length explains its win, which is not shown at equal length."
        if found.unjudged:
            yield f"{model}: unjudged {formats.count(found.win_rate.n_unjudged)}: {causes(found.unjudged)}."


def _notes(tables: ConversationTables) -> Iterable[str]:
    """Models without a result, chat formats that differ, and judges that two could not be compared by."""
    for model in tables.labels:
        if model != tables.comparison.baseline and model not in tables.models:
            yield f"{model}: no result: {why_unknown(model, tables.comparison)}."
    used = {tables.comparison.baseline: tables.conversation.baseline.chat_format}
    used |= {model: found.chat_format for model, found in tables.models.items()}
    if len(set(used.values())) > 1:
        named = {how: enumerated([model for model in used if used[model] == how]) for how in used.values()}
        yield f"Chat formats differ: {'; '.join(f'{chat_format_named(how)}: {who}' for how, who in named.items())}."
    for model, found in tables.models.items():
        if found.agreement and found.agreement.withheld:
            yield f"{model}: no kappa: {head(one_line(found.agreement.withheld), 160).rstrip('.')}."
