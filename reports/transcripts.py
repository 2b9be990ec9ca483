"""Dialogues, all models side by side, with what the judges said: decisive ones, and a random sample.

The sample is drawn from the run's seed and the dialogues' names, so nobody picks them and the same run shows the same
ones. Where answers or judgements are not stored any more, there is nothing to show.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.conversation import Conversation
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports import formats
from mplus_eval.reports.anchors import anchor
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
FEW_MODELS = 2
"""Of more models than this one dialogue of each kind is shown for each, so that the page stays light."""

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
class Opinion:
    """What one judge said of one model's answer, from that model's view."""

    mark: Mark
    detail: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class TurnAnswer:
    """What one model said in a turn, how that came to its end, and what the judges said of it."""

    model: str
    note: str
    text: str
    thought: Thought | None = None
    opinions: tuple[Opinion, ...] = ()


@dataclass(frozen=True)
class JudgedTurn:
    """One turn: the user's words, and every model's answer, the baseline's first."""

    user: str
    answers: tuple[TurnAnswer, ...]


@dataclass(frozen=True)
class Reason:
    """Why a dialogue is shown: what it is of one model."""

    model: str
    mark: Mark
    kind: str


@dataclass(frozen=True)
class Transcript:
    """One dialogue with the answers of all models."""

    anchor: str
    title: str
    reasons: tuple[Reason, ...]
    turns: tuple[JudgedTurn, ...]


def transcripts(comparison: Comparison, directory: Path, labels: Mapping[str, ModelLabel]) -> tuple[Transcript, ...]:
    """Some dialogues of the models whose answers and judgements are stored, each once with all their answers."""
    conversation = comparison.conversation
    if conversation is None:
        return ()
    stored = _Stored.of(comparison, conversation, RunDirectory(directory), labels)
    per_kind = PER_KIND if len(stored.judged) <= FEW_MODELS else 1
    reasons: dict[str, list[tuple[Key, Reason]]] = {}
    for model in stored.judged:
        decides = stored.deciding(model)
        for key, kind in choose(decides, per_kind, comparison.seed).items():
            if any(key in answers for answers in stored.answers.values()):
                reasons.setdefault(key[0], []).append((key, Reason(model, mark_of(decides.get(key)), kind)))
    return tuple(stored.transcript(item_id, why) for item_id, why in reasons.items())


def read_turns(folder: Path) -> dict[Key, StoredAnswer]:
    """What one model said, by dialogue and turn."""
    columns = ("stratum", "prompt", "asked", "generations", "ended", "error", *THINKING_COLUMNS)
    rows = read_answers(folder, columns)
    return {(row.item_id, row.sample + 1): row for row in rows}


def choose(judged: Judgements, per_kind: int, seed: int) -> dict[Key, str]:
    """Which turns are shown, and as what; every dialogue once.

    Args:
        judged: those of the judge that decides, by dialogue and turn.
        per_kind: of won and lost ones, in the random sample; of the others one less, and one at least.
        seed: of the sample.
    """
    lot = sorted(judged, key=lambda key: sha256(f"{seed}\0{key[0]}\0{key[1]}".encode()).digest())
    margins = {key: abs(margin) for key in lot if (margin := judged[key].margin) is not None}
    decisive = sorted(margins, key=lambda key: margins[key])[::-1]

    def preferring(keys: list[Key], preference: float | None) -> list[Key]:
        return [key for key in keys if judged[key].preference == preference]

    kinds = {
        "most decisive win": (preferring(decisive, 1.0), 1),
        "most decisive loss": (preferring(decisive, 0.0), 1),
        "won, random sample": (preferring(lot, 1.0), per_kind),
        "lost, random sample": (preferring(lot, 0.0), per_kind),
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
class _Stored:
    """What is stored of a run's dialogues: answers by model, and judgements by model and judge."""

    baseline: str
    conversation: Conversation
    answers: Mapping[str, Answers]
    judged: Mapping[str, Mapping[str, Judgements]]

    @classmethod
    def of(
        cls, comparison: Comparison, conversation: Conversation, run: RunDirectory, labels: Mapping[str, ModelLabel]
    ) -> _Stored:
        """Read it, the baseline's answers first; a model without answers or judgements is left out."""
        base = comparison.baseline
        answers = {base: read_turns(run.answers(base, conversation.name))}
        judged: dict[str, dict[str, Judgements]] = {}
        for model in (name for name in labels if name in conversation.models):
            own = read_turns(run.answers(model, conversation.name))
            of_model: dict[str, Judgements] = {}
            for number, judge in enumerate(conversation.judges, start=1):
                rows = read_cell(run.judgements(number, model), StoredJudgement)
                of_model[judge] = {(row.item_id, row.turn): row for row in rows}
            if own and any(of_model.values()):
                answers[model], judged[model] = own, of_model
        return cls(base, conversation, answers, judged)

    def deciding(self, model: str) -> Judgements:
        """What the judge said that decides for a model."""
        judged = self.judged[model]
        return judged.get(self.conversation.models[model].judge) or next(iter(judged.values()))

    def transcript(self, item_id: str, why: Sequence[tuple[Key, Reason]]) -> Transcript:
        """One whole dialogue."""
        keys = [key for answers in self.answers.values() for key in answers if key[0] == item_id]
        n_turns = max(turn for _, turn in keys)
        row = next(answers[key] for answers in self.answers.values() for key in keys if key in answers)
        reasons = (
            replace(reason, kind=f"{reason.kind}, turn {key[1]}") if n_turns > 1 else reason for key, reason in why
        )
        return Transcript(
            anchor=anchor("dialogue", item_id),
            title=f"Dialogue {one_line(item_id)}, {one_line(row.stratum)}",
            reasons=tuple(reasons),
            turns=tuple(self._turn((item_id, turn)) for turn in range(1, n_turns + 1)),
        )

    def _turn(self, key: Key) -> JudgedTurn:
        rows = {model: answers.get(key) for model, answers in self.answers.items()}
        # Where an older run has not stored the user's words, the end of the prompt stands for them.
        stored = [row for row in rows.values() if row]
        asked = next((row.asked for row in stored if row.asked), None)
        prompt = next((row.prompt for row in stored if row.prompt), "")
        user = truncate_end(asked, ASKED_LENGTH) if asked else truncate_start(prompt, ASKED_LENGTH)
        return JudgedTurn(user, tuple(self._answer(model, row, key) for model, row in rows.items()))

    def _answer(self, model: str, row: StoredAnswer | None, key: Key) -> TurnAnswer:
        of_model = self.conversation.baseline if model == self.baseline else self.conversation.models[model]
        opinions = tuple(self._opinions(model, key))
        # The format is the same in every turn.
        notes = [chat_format_named(of_model.chat_format).split(",")[0]] if key[1] == 1 else []
        if row is None or not row.generations:
            why = truncate_end(one_line((row.error if row else None) or "no answer is stored"), REASON_LENGTH)
            return TurnAnswer(model, ", ".join([*notes, f"failed: {why}"]), "", opinions=opinions)
        if row.ended is not None:
            notes.append("ended with EOS" if row.ended else "truncated")
        text = row.generations[0]
        shown = truncate_end(text, SAID_LENGTH) if text.strip() else "(nothing)"
        return TurnAnswer(model, ", ".join(notes), shown, thought(row), opinions)

    def _opinions(self, model: str, key: Key) -> Iterable[Opinion]:
        """What each judge said, by its name but for the one that decides."""
        for judge, judgements in self.judged.get(model, {}).items():
            if judgement := judgements.get(key):
                who = "" if judgements is self.deciding(model) else f"by {judge_named(judge)}"
                detail = " ".join(filter(None, (who, verdict_detail(judgement, self.baseline, model))))
                reasons = tuple(shown_reasons(judgement, self.baseline, model))
                yield Opinion(mark_of(judgement), detail, reasons)


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
