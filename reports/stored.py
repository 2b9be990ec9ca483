"""What the report reads of stored answers, outcomes and judgements, in records of its own.

Only the columns that are shown are read, and long ones of the shown items only: a cell may hold a hundred thousand
items. Where nothing is stored any more, there is nothing to show.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import ClassVar, NamedTuple

import pyarrow as pa

from mplus_eval.store.outcomes import Outcome
from mplus_eval.store.parts import cell_tables


class StoredAnswer(NamedTuple):
    """What a model said to one item, and how it was scored; a column that was not read has its default.

    Attributes:
        item_id: the item.
        sample: number of the sample, from 0; of a dialogue, the turn.
        stratum: the subtask or category that the item belongs to.
        prompt_hash: of the prompt.
        prompt: what was put to the model.
        asked: the user's words within the prompt, of dialogues.
        choices: the continuations that were scored.
        log_probabilities: of each choice, summed over its tokens.
        generations: what the model wrote.
        thinking: the reasoning before it.
        n_thinking: its tokens.
        unclosed: whether the reasoning never ended, so that there is no answer.
        n_truncated: tokens cut from the left of the prompt.
        ended: whether the model ended by itself.
        error: why the item failed.
        target: the right answer.
        answer: what the model is taken to have said.
        score: None where the item failed.
    """

    item_id: str
    sample: int
    stratum: str = ""
    prompt_hash: str = ""
    prompt: str = ""
    asked: str | None = None
    choices: Sequence[str] | None = None
    log_probabilities: Sequence[float] | None = None
    generations: Sequence[str] | None = None
    thinking: str | None = None
    n_thinking: int | None = None
    unclosed: bool | None = None
    n_truncated: int | None = None
    ended: bool | None = None
    error: str | None = None
    target: str | None = None
    answer: str | None = None
    score: float | None = None


@dataclass(frozen=True, kw_only=True)
class StoredJudgement:
    """What a judge said of one turn of a dialogue, from the model's view: 1 where it won, 0.5 a tie, 0 a loss.

    Attributes:
        item_id: the dialogue.
        turn: from 1.
        preference: None where there is no verdict.
        model_first: the verdict with the model's answer shown first; None where the judge sees no order.
        baseline_first: the verdict with the baseline's answer shown first.
        margin: by how much, of a judge that says so.
        reasons: the judge's words, one or one an order.
        cause: why there is no verdict.
    """

    item_id: str
    turn: int
    preference: float | None
    model_first: float | None = field(default=None, metadata={"column": "in_order"})
    baseline_first: float | None = field(default=None, metadata={"column": "swapped"})
    margin: float | None = None
    reasons: Sequence[str] | None = None
    cause: str | None = None

    SCHEMA: ClassVar[pa.Schema] = pa.schema(
        [
            pa.field("item_id", pa.string()),
            pa.field("turn", pa.int32()),
            pa.field("preference", pa.float64()),
            pa.field("in_order", pa.float64()),
            pa.field("swapped", pa.float64()),
            pa.field("margin", pa.float64()),
            pa.field("reasons", pa.list_(pa.string())),
            pa.field("cause", pa.string()),
        ]
    )

    @property
    def is_inconsistent(self) -> bool:
        """Whether the judge was asked in both orders and said different things."""
        verdicts = (self.model_first, self.baseline_first)
        return None not in verdicts and self.model_first != self.baseline_first


def read_answers(
    folder: Path, columns: Sequence[str], item_ids: Collection[str] | None = None
) -> Iterator[StoredAnswer]:
    """The rows of a cell's answers or outcomes, all or those of some items.

    Args:
        folder: of the cell.
        columns: fields of the record; what names the row is always read.
        item_ids: None for all.

    Raises:
        DamagedPartError: a part is not what was written.
    """
    if item_ids is not None and not item_ids:
        return
    for table in cell_tables(folder, Outcome, ("item_id", "sample", *columns), item_ids=item_ids):
        stored, n_rows = set(table.column_names), table.num_rows
        values = (
            table[name].to_pylist() if name in stored else repeat(StoredAnswer._field_defaults[name], n_rows)
            for name in StoredAnswer._fields
        )
        yield from map(StoredAnswer._make, zip(*values, strict=True))
