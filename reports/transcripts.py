"""Dialogues side by side with what the judges said: a few of each model, decisive ones and some drawn by lot.

The lot is drawn from the run's seed and the dialogues' names, so nobody picks them and the same run shows the same
ones. Where answers or judgements are not stored any more, there is nothing to show.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.conversation import Conversation
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports import formats
from mplus_eval.reports.conversation_phrasing import chat_format_named, judge_named
from mplus_eval.reports.stored import StoredAnswer, StoredJudgement, read_answers
from mplus_eval.reports.tables import ModelLabel
from mplus_eval.reports.text import one_line, truncate_end, truncate_start
from mplus_eval.reports.thinking import THINKING_COLUMNS, Thought, thought
from mplus_eval.reports.verdicts import MARKS, NO_VERDICT, Mark
from mplus_eval.store.parts import read_cell
from mplus_eval.store.run_directory import RunDirectory

SAID_LENGTH = 1500
ASKED_LENGTH = 800
REASON_LENGTH = 500
PER_KIND = 2
MANY_MODELS = 6
"""Of more models than this one dialogue of each kind is shown, so that the page stays light."""

Key = tuple[str, int]
"""A dialogue and a turn of it, counted from 1."""
Answers = Mapping[Key, StoredAnswer]
Judgements = Mapping[Key, StoredJudgement]

WON = replace(MARKS[Verdict.IMPROVED], word="won")
TIED = replace(MARKS[Verdict.PRESERVED], word="tied")
LOST = replace(MARKS[Verdict.DEGRADED], word="lost")
ORDER = replace(MARKS[Verdict.UNDECIDED], word="tied, the order decided")
UNJUDGED = replace(NO_VERDICT, word="unjudged")


@dataclass(frozen=True)
class TurnAnswer:
    """What one model said in a turn, and how that came to its end."""

    model: str
    css: str
    note: str
    text: str
    thought: Thought | None = None


@dataclass(frozen=True)
class Opinion:
    """What one judge said of a turn, from the model's view."""

    mark: Mark
    detail: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class JudgedTurn:
    """One turn: the user's words, the baseline's answer and the model's, and the verdicts."""

    user: str
    answers: tuple[TurnAnswer, ...]
    opinions: tuple[Opinion, ...]


@dataclass(frozen=True)
class Transcript:
    """One dialogue."""

    mark: Mark
    title: str
    turns: tuple[JudgedTurn, ...]


@dataclass(frozen=True)
class Transcripts:
    """Some dialogues of one model."""

    model: str
    title: str
    items: tuple[Transcript, ...]


def transcripts(comparison: Comparison, directory: Path, labels: Mapping[str, ModelLabel]) -> tuple[Transcripts, ...]:
    """Dialogues of every model whose answers and judgements are stored."""
    conversation = comparison.conversation
    if conversation is None:
        return ()
    run, judges = RunDirectory(directory), list(conversation.judges)
    per_kind = PER_KIND if len(conversation.models) <= MANY_MODELS else 1
    base = read_turns(run.answers(comparison.baseline, conversation.name))
    shown = []
    for model in (name for name in labels if name in conversation.models):
        judged = []
        for number in range(1, len(judges) + 1):
            rows = read_cell(run.judgements(number, model), StoredJudgement)
            judged.append({(row.item_id, row.turn): row for row in rows})
        chosen = choose(judged[0], per_kind, comparison.seed) if judged else {}
        own = read_turns(run.answers(model, conversation.name))
        names = (comparison.baseline, model)
        pages = _Pages(conversation, names, labels, (base, own), dict(zip(judges, judged, strict=True)))
        items = tuple(pages.transcript(key, kind) for key, kind in chosen.items() if key in base or key in own)
        if items:
            shown.append(Transcripts(model, formats.counted(len(items), "dialogue"), items))
    return tuple(shown)


def read_turns(folder: Path) -> dict[Key, StoredAnswer]:
    """What one model said, by dialogue and turn."""
    columns = ("stratum", "prompt", "asked", "generations", "ended", "error", *THINKING_COLUMNS)
    rows = read_answers(folder, columns)
    return {(row.item_id, row.sample + 1): row for row in rows}


def choose(judged: Judgements, per_kind: int, seed: int) -> dict[Key, str]:
    """Which turns are shown, and as what; every dialogue once.

    Args:
        judged: the first judge's, by dialogue and turn.
        per_kind: of won and lost ones, drawn by lot; of the others one less, and one at least.
        seed: of the lot.
    """
    lot = sorted(judged, key=lambda key: sha256(f"{seed}\0{key[0]}\0{key[1]}".encode()).digest())
    margins = {key: abs(margin) for key in lot if (margin := judged[key].margin) is not None}
    decisive = sorted(margins, key=lambda key: margins[key])[::-1]

    def preferring(keys: list[Key], preference: float | None) -> list[Key]:
        return [key for key in keys if judged[key].preference == preference]

    kinds = {
        "most decisive win": (preferring(decisive, 1.0), 1),
        "most decisive loss": (preferring(decisive, 0.0), 1),
        "won, drawn by lot": (preferring(lot, 1.0), per_kind),
        "lost, drawn by lot": (preferring(lot, 0.0), per_kind),
        "the order decided": ([key for key in lot if judged[key].is_inconsistent], max(1, per_kind - 1)),
        "tied": ([key for key in preferring(lot, 0.5) if not judged[key].is_inconsistent], max(1, per_kind - 1)),
        "unjudged": (preferring(lot, None), 1),
    }
    chosen: dict[Key, str] = {}
    for kind, (keys, most) in kinds.items():
        taken = {item_id for item_id, _ in chosen}
        first: dict[str, Key] = {}
        for key in keys:
            if key[0] not in taken:
                first.setdefault(key[0], key)
        chosen |= dict.fromkeys(list(first.values())[:most], kind)
    return chosen


@dataclass(frozen=True)
class _Pages:
    """What the dialogues of one model are put together from; names and answers are the baseline's and the model's."""

    conversation: Conversation
    names: tuple[str, str]
    labels: Mapping[str, ModelLabel]
    answers: tuple[Answers, Answers]
    judged: Mapping[str, Judgements]

    def transcript(self, key: Key, kind: str) -> Transcript:
        """The whole dialogue of a turn that was chosen."""
        item_id, turn = key
        first = next(iter(self.judged.values()))
        row = next(rows[key] for rows in self.answers if key in rows)
        n_turns = max(number for rows in self.answers for name, number in rows if name == item_id)
        which = f", turn {turn}" if n_turns > 1 else ""
        title = f"{kind}{which}: dialogue {one_line(item_id)}, {one_line(row.stratum)}"
        turns = []
        for place in ((item_id, number) for number in range(1, n_turns + 1)):
            rows = [answers.get(place) for answers in self.answers]
            opinions = []
            for judge, judgements in self.judged.items():
                if judgement := judgements.get(place):
                    who = "" if judgements is first else f"by {judge_named(judge)}"
                    detail = " ".join(filter(None, (who, verdict_detail(judgement, *self.names))))
                    opinions.append(Opinion(mark_of(judgement), detail, tuple(shown_reasons(judgement, *self.names))))
            # Where an older run has not stored the user's words, the end of the prompt stands for them.
            stored = [row for row in rows if row]
            asked = next((row.asked for row in stored if row.asked), None)
            prompt = next((row.prompt for row in stored if row.prompt), "")
            user = truncate_end(asked, ASKED_LENGTH) if asked else truncate_start(prompt, ASKED_LENGTH)
            answers = (self._answer(name, row, place) for name, row in zip(self.names, rows, strict=True))
            turns.append(JudgedTurn(user, tuple(answers), tuple(opinions)))
        return Transcript(mark_of(first.get(key)), title, tuple(turns))

    def _answer(self, name: str, row: StoredAnswer | None, key: Key) -> TurnAnswer:
        css, is_base = self.labels[name].css, name == self.names[0]
        of_model = self.conversation.baseline if is_base else self.conversation.models[name]
        # The format is the same in every turn.
        notes = [chat_format_named(of_model.chat_format).split(",")[0]] if key[1] == 1 else []
        if row is None or not row.generations:
            why = truncate_end(one_line((row.error if row else None) or "no answer is stored"), REASON_LENGTH)
            return TurnAnswer(name, css, ", ".join([*notes, f"failed: {why}"]), "")
        if row.ended is not None:
            notes.append("ended its turn" if row.ended else "cut off by the limit")
        text = row.generations[0]
        shown = truncate_end(text, SAID_LENGTH) if text.strip() else "(nothing)"
        return TurnAnswer(name, css, ", ".join(notes), shown, thought(row))


def mark_of(judgement: StoredJudgement | None) -> Mark:
    """The mark of a judgement, from the model's view."""
    if judgement is None or judgement.preference is None:
        return UNJUDGED
    if judgement.is_inconsistent:
        return ORDER
    return {1.0: WON, 0.0: LOST}.get(judgement.preference, TIED)


def verdict_detail(judgement: StoredJudgement, baseline: str, model: str) -> str:
    """Who was preferred in which order, or by how much."""
    if judgement.preference is None:
        return f"({truncate_end(one_line(judgement.cause or 'no verdict'), REASON_LENGTH)})"
    first, second = (
        "a tie" if value == 0.5 else f"{model if value == 1.0 else baseline} preferred"
        for value in (judgement.model_first, judgement.baseline_first)
    )
    if judgement.is_inconsistent:
        return f"({model} shown first: {first}; {baseline} shown first: {second})"
    if judgement.model_first is not None and judgement.baseline_first is not None:
        return f"({first}, in both orders)"
    return f"(score {formats.signed(judgement.margin)} against {baseline}’s)" if judgement.margin is not None else ""


def shown_reasons(judgement: StoredJudgement, baseline: str, model: str) -> Iterable[str]:
    """A judge's words; of two orders it is said which answer it calls A."""
    reasons = [truncate_end(reason, REASON_LENGTH) for reason in judgement.reasons or () if reason.strip()]
    if len(reasons) == 2:
        yield from (f"A is {first}: {reason}" for first, reason in zip((baseline, model), reasons, strict=True))
    else:
        yield from reasons
