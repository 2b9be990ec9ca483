"""The per-item records that every axis ends in: what a model said to an item, and the same scored.

    answers/<model>/<task>/part-00000.parquet     `Answer`, item by item: the costly half
    outcomes/<model>/<task>/part-00000.parquet    `Outcome`, the same items scored: what statistics and reports read

`docs/outcomes.md` documents every column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import ClassVar, Self

import pyarrow as pa

OUTSIDE = "outside the model: "
"""What the error of an item begins with that failed for a reason which may pass, such as a server that was gone."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a model said to one item, once.

    Attributes:
        item_id: the item, the same for every model: pairs are made by it.
        stratum: the subtask or category that the item belongs to.
        cluster: what the item shares with others, such as a passage; None where it shares nothing.
        sample: number of the sample, from 0; of a dialogue, the turn.
        prompt_hash: SHA-256 of the prompt.
        prompt: what was put to the model, with few-shot examples and chat template.
        asked: the user's words within the prompt; of prompt sets and dialogues only.
        choices: the continuations that were scored.
        log_probabilities: of each choice, natural logarithm, summed over its tokens.
        greedy: whether each choice is what greedy decoding would say.
        generations: what the model wrote, cut at the stop strings.
        n_truncated: tokens cut from the left of the prompt to fit the model's length; None where that is not known.
        n_tokens: generated; of prompt sets and dialogues only.
        ended: whether the model ended by itself; of prompt sets and dialogues only.
        n_prompt_tokens: of the prompt as it was put, before anything was cut.
        token_hash: hash of the ids of all tokens that were put: of prompts, and of the continuations that were scored.
        n_equal_choices: choices whose ids are those of another choice of the same item.
        n_spanned: tokens of the prompt that were scored with the choices, since a token spans the boundary.
        thinking: the reasoning before what the model wrote.
        n_thinking: its tokens.
        unclosed: whether the reasoning never ended, so that there is no answer.
        ran_on: whether the model went on to speak for another, which was cut.
        n_replaced_examples: few-shot examples that are other ones than lm-eval's, which gave the item away.
        error: why the item failed; None when it did not.
    """

    item_id: str
    stratum: str
    sample: int
    prompt_hash: str
    prompt: str
    cluster: str | None = None
    asked: str | None = None
    choices: Sequence[str] | None = None
    log_probabilities: Sequence[float] | None = None
    greedy: Sequence[bool] | None = None
    generations: Sequence[str] | None = None
    n_truncated: int | None = None
    n_tokens: int | None = None
    ended: bool | None = None
    n_prompt_tokens: int | None = None
    token_hash: str | None = None
    n_equal_choices: int | None = None
    n_spanned: int | None = None
    thinking: str | None = None
    n_thinking: int | None = None
    unclosed: bool | None = None
    ran_on: bool | None = None
    n_replaced_examples: int | None = None
    error: str | None = None

    SCHEMA: ClassVar[pa.Schema] = pa.schema(
        [
            pa.field("item_id", pa.string(), nullable=False),
            pa.field("stratum", pa.string(), nullable=False),
            pa.field("cluster", pa.string()),
            pa.field("sample", pa.int32(), nullable=False),
            pa.field("prompt_hash", pa.string(), nullable=False),
            pa.field("prompt", pa.string(), nullable=False),
            pa.field("asked", pa.string()),
            pa.field("choices", pa.list_(pa.string())),
            pa.field("log_probabilities", pa.list_(pa.float64())),
            pa.field("greedy", pa.list_(pa.bool_())),
            pa.field("generations", pa.list_(pa.string())),
            pa.field("n_truncated", pa.int32()),
            pa.field("n_tokens", pa.int32()),
            pa.field("ended", pa.bool_()),
            pa.field("n_prompt_tokens", pa.int32()),
            pa.field("token_hash", pa.string()),
            pa.field("n_equal_choices", pa.int32()),
            pa.field("n_spanned", pa.int32()),
            pa.field("thinking", pa.string()),
            pa.field("n_thinking", pa.int32()),
            pa.field("unclosed", pa.bool_()),
            pa.field("ran_on", pa.bool_()),
            pa.field("n_replaced_examples", pa.int32()),
            pa.field("error", pa.string()),
        ]
    )

    @property
    def failed_outside(self) -> bool:
        """Whether it failed for a reason outside the model, so that it is asked again by the next run."""
        return self.error is not None and self.error.startswith(OUTSIDE)

    @property
    def text(self) -> str | None:
        """What the model wrote; None where nothing was generated."""
        return self.generations[0] if self.generations else None


@dataclass(frozen=True, kw_only=True)
class Outcome(Answer):
    """An answer with what scoring adds.

    Attributes:
        target: the right answer.
        answer: what the model is taken to have said: the choice that the metric looks at, or the extracted answer.
        score: the task's metric for this item, of a ratio measure its loss; None when it failed, and then left out of
            every mean.
        metrics: every metric that is a number, by `metric,filter`, or a few, by `metric,filter:0` and so on; of a
            prompt set by `scorer:label`.
    """

    target: str | None = None
    answer: str | None = None
    score: float | None = None
    metrics: Mapping[str, float] | None = None

    SCHEMA: ClassVar[pa.Schema] = pa.schema(
        [
            *Answer.SCHEMA,
            pa.field("target", pa.string()),
            pa.field("answer", pa.string()),
            pa.field("score", pa.float64()),
            pa.field("metrics", pa.map_(pa.string(), pa.float64())),
        ]
    )

    @classmethod
    def of(
        cls,
        given: Answer,
        *,
        target: str | None = None,
        answer: str | None = None,
        score: float | None = None,
        metrics: Mapping[str, float] | None = None,
        error: str | None = None,
    ) -> Self:
        """An answer with its score, or with the error for which there is none."""
        scored = {"target": target, "answer": answer, "score": score, "metrics": metrics, "error": error or given.error}
        return cls(**(vars(given) | scored))


MOST_NUMBERS = 16
"""Of a metric that is several numbers for an item; what has more is not stored."""


def as_stored(key: str, value: object) -> dict[str, float]:
    """A value by `metric,filter`, or several as `metric,filter:0`, `:1` and so on; nothing where it is no number."""
    if isinstance(value, Real):
        return {key: float(value)}
    if isinstance(value, list | tuple) and 0 < len(value) <= MOST_NUMBERS and all(isinstance(x, Real) for x in value):
        return {f"{key}:{place}": float(number) for place, number in enumerate(value)}
    return {}
