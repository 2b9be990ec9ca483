"""Turns of dialogues as they are judged and stored: answers by turn, and what a judge says of each.

judgements/<n>/<model>/part-00000.parquet      `JudgedTurn`: by the n-th judge, the model's answers and the baseline's
judgements/grades/<model>/part-00000.parquet   `GradedTurn`: by a language model, one model's answers
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, TypeVar

import pyarrow as pa

from mplus_eval.conversation.items import Dialogue
from mplus_eval.judges.base import Grade, Judgement
from mplus_eval.store.parts import fresh, read_part
from mplus_eval.store.run_directory import RunDirectory

Key = tuple[str, int]
"""A dialogue and a turn of it, counted from 0."""
Texts = Mapping[Key, str]
"""What a model said, without what failed."""
NO_ANSWER = "a model has no answer"


@dataclass(frozen=True, kw_only=True)
class JudgedTurn:
    """What one judge says of a turn.

    `turn` counts from 1; preferences are the model's view: 1 a win, 0.5 a tie, 0 a loss, None unjudged. `model_first`
    is the preference when the model's answer was shown first, `baseline_first` when the baseline's was.
    """

    item_id: str
    category: str
    turn: int
    preference: float | None = None
    model_first: float | None = field(default=None, metadata={"column": "in_order"})
    baseline_first: float | None = field(default=None, metadata={"column": "swapped"})
    words_model: int | None = None
    words_baseline: int | None = None
    margin: float | None = None
    n_truncated: int | None = None
    reasons: Sequence[str] | None = None
    cause: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None

    SCHEMA: ClassVar[pa.Schema] = pa.schema(
        [
            pa.field("item_id", pa.string(), nullable=False),
            pa.field("category", pa.string(), nullable=False),
            pa.field("turn", pa.int32(), nullable=False),
            pa.field("preference", pa.float64()),
            pa.field("in_order", pa.float64()),
            pa.field("swapped", pa.float64()),
            pa.field("words_model", pa.int32()),
            pa.field("words_baseline", pa.int32()),
            pa.field("margin", pa.float64()),
            pa.field("n_truncated", pa.int32()),
            pa.field("reasons", pa.list_(pa.string())),
            pa.field("cause", pa.string()),
            pa.field("tokens_in", pa.int64()),
            pa.field("tokens_out", pa.int64()),
        ]
    )

    def judged(self, judgement: Judgement) -> JudgedTurn:
        """The turn with what a judge says of it."""
        return replace(
            self,
            preference=judgement.preference,
            model_first=judgement.model_first,
            baseline_first=judgement.baseline_first,
            margin=judgement.margin,
            n_truncated=judgement.n_truncated,
            reasons=list(judgement.reasons),
            cause=judgement.cause,
            tokens_in=judgement.tokens_in,
            tokens_out=judgement.tokens_out,
        )


@dataclass(frozen=True, kw_only=True)
class GradedTurn:
    """What a language model says of one answer; `turn` counts from 1, `cause` says why there is no grade."""

    item_id: str
    category: str
    turn: int
    grade: int | None = None
    with_reference: bool | None = None
    reason: str | None = None
    cause: str | None = None

    SCHEMA: ClassVar[pa.Schema] = pa.schema(
        [
            pa.field("item_id", pa.string(), nullable=False),
            pa.field("category", pa.string(), nullable=False),
            pa.field("turn", pa.int32(), nullable=False),
            pa.field("grade", pa.int32()),
            pa.field("with_reference", pa.bool_()),
            pa.field("reason", pa.string()),
            pa.field("cause", pa.string()),
        ]
    )

    def graded(self, grade: Grade) -> GradedTurn:
        """The turn with what a judge says of it."""
        return replace(
            self,
            grade=grade.grade,
            with_reference=grade.with_reference,
            reason=grade.reason,
            cause=grade.cause,
        )


Turn = TypeVar("Turn", JudgedTurn, GradedTurn)


def read_texts(directory: RunDirectory, model: str, name: str) -> dict[Key, str]:
    """What a model said to the dialogues of that name."""
    answers = directory.read_answers(model, name)
    return {(answer.item_id, answer.sample): answer.text for answer in answers if answer.text is not None}


def answers_until(texts: Texts, dialogue: Dialogue, turn: int) -> tuple[str, ...] | None:
    """A model's answers to a dialogue's turns up to this one; None where one of them failed."""
    keys = [(dialogue.item_id, number) for number in range(turn + 1)]
    return tuple(texts[key] for key in keys) if all(key in texts for key in keys) else None


def stored_turns(place: Path, kind: type[Turn], fingerprint: str) -> dict[Key, Turn]:
    """What was said before of the same answers by the same judge; empty where nothing was."""
    if fresh(place, fingerprint) is None:
        return {}
    return {(turn.item_id, turn.turn - 1): turn for turn in read_part(place, kind)}
