"""Dialogues: what all models said turn by turn, and what every judge said of each against the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.conversation import Conversation
from mplus_eval.reports.explorer.collection import (
    Choice,
    Collection,
    Item,
    SharedTexts,
    Texts,
    answer_texts,
    collect,
    preview,
    without_nothing,
)
from mplus_eval.reports.explorer.states import Result
from mplus_eval.reports.stored import StoredAnswer, StoredJudgement, read_answers
from mplus_eval.reports.thinking import THINKING_COLUMNS
from mplus_eval.store.parts import read_cell
from mplus_eval.store.run_directory import RunDirectory

COLUMNS = ("stratum", "prompt", "asked", "generations", "ended", "error", *THINKING_COLUMNS)
TIE = 0.5

Key = tuple[str, int]
"""A dialogue and a turn of it, counted from 1."""
Answers = Mapping[Key, StoredAnswer]
Judgements = Mapping[Key, StoredJudgement]


def dialogue_collection(comparison: Comparison, run: RunDirectory, choice: Choice) -> Collection | None:
    """The dialogues of a run; None where none are stored."""
    conversation = comparison.conversation
    if conversation is None:
        return None
    answers = {model: read for model in comparison.models if (read := _turns(run, model, conversation.name))}
    others = [model for model in answers if model != comparison.baseline]
    judged = {model: _judgements(run, model, conversation) for model in others}
    # The first model that was asked gives the order.
    first = {key: row for read in reversed(answers.values()) for key, row in read.items()}
    turns: dict[str, list[Key]] = {}
    for key in dict.fromkeys(key for read in answers.values() for key in read):
        turns.setdefault(key[0], []).append(key)
    turns = {item_id: sorted(own) for item_id, own in turns.items()}
    deciding = {model: _deciding(conversation, model) for model in others}
    dialogues = _Dialogues(answers, judged, turns, deciding)
    return collect(
        conversation.name,
        "dialogues",
        choice,
        baseline=comparison.baseline,
        items=[
            Item(item_id, first[own[0]].stratum, preview(first[own[0]].asked or first[own[0]].prompt))
            for item_id, own in turns.items()
        ],
        results={model: [dialogues.result(model, item_id) for item_id in turns] for model in answers},
        texts=dialogues.texts,
        facts={"scale": "preference", "judges": list(conversation.judges), "deciding": deciding},
        wrong=None,
        disagree={model: "".join("01"[dialogues.disputed(model, item_id)] for item_id in turns) for model in others},
    )


@dataclass(frozen=True)
class _Dialogues:
    """All that is stored, by model.

    Attributes:
        answers: of each model.
        judged: of each model against the baseline, a table a judge.
        turns: of each dialogue.
        deciding: the place of the judge that decides for a model.
    """

    answers: Mapping[str, Answers]
    judged: Mapping[str, Sequence[Judgements]]
    turns: Mapping[str, Sequence[Key]]
    deciding: Mapping[str, int]

    def result(self, model: str, item_id: str) -> Result | None:
        """How often a model was preferred in a dialogue, by the judge that decides; the baseline ties with itself."""
        rows = [row for key in self.turns[item_id] if (row := self.answers[model].get(key))]
        if not rows:
            return None
        if any(row.error for row in rows):
            return Result(failed=True)
        if model not in self.judged:
            return Result(TIE, TIE)
        preferences = [found[self.deciding[model]] for key in self.turns[item_id] if (found := self._of(model, key))]
        known = [preference for preference in preferences if preference is not None]
        mean = sum(known) / len(known) if known else None
        return Result(mean, mean)

    def disputed(self, model: str, item_id: str) -> bool:
        """Whether two judges prefer different answers in any turn."""
        return any({0.0, 1.0} <= set(self._of(model, key)) for key in self.turns[item_id])

    def texts(self, place: int, _: SharedTexts) -> Texts:
        """What is shown of the dialogue at a place."""
        return {"r": [self._turn(key) for key in list(self.turns.values())[place]]}

    def _turn(self, key: Key) -> Texts:
        rows = [answers.get(key) for answers in self.answers.values()]
        asked = next((row.asked or row.prompt for row in rows if row and (row.asked or row.prompt)), "")
        n_judges = max((len(tables) for tables in self.judged.values()), default=0)
        judgements = [
            [_judgement(self.judged[model][judge].get(key)) if model in self.judged else None for model in self.answers]
            for judge in range(n_judges)
        ]
        answers = [row and answer_texts(row, d=row.ended) for row in rows]
        return {"q": asked, "a": answers, "j": judgements}

    def _of(self, model: str, key: Key) -> list[float | None]:
        """What each judge preferred."""
        found = [table.get(key) for table in self.judged[model]]
        return [judgement.preference if judgement else None for judgement in found]


def _turns(run: RunDirectory, model: str, name: str) -> Answers:
    rows = read_answers(run.answers(model, name), COLUMNS)
    return {(row.item_id, row.sample + 1): row for row in rows}


def _judgements(run: RunDirectory, model: str, conversation: Conversation) -> list[Judgements]:
    """By judge, what is stored of a model."""
    tables: list[Judgements] = []
    for number, _ in enumerate(conversation.judges, start=1):
        rows = read_cell(run.judgements(number, model), StoredJudgement)
        tables.append({(row.item_id, row.turn): row for row in rows})
    return tables


def _deciding(conversation: Conversation, model: str) -> int:
    """The place of the judge that decides for a model among all judges."""
    judges, judging = list(conversation.judges), conversation.models.get(model)
    return judges.index(judging.judge) if judging and judging.judge in judges else 0


def _judgement(row: StoredJudgement | None) -> Texts | None:
    if row is None:
        return None
    return without_nothing(
        {
            "v": row.preference,
            "f": row.model_first,
            "b": row.baseline_first,
            "m": None if row.margin is None else round(row.margin, 3),
            "x": [reason for reason in row.reasons or () if reason.strip()] or None,
            "e": row.cause if row.preference is None else None,
        }
    )
