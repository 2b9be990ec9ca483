"""A slice of the data: the rows that one stage uses, with what the training record says of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from mplus_eval.records.training import DataUsed
from mplus_eval.store.hashes import hash_text
from mplus_eval.training.data.rows import Rows, TrainingRow, hash_rows

S = TypeVar("S", bound=TrainingRow | str, covariant=True)
T = TypeVar("T", bound=TrainingRow)


@dataclass(frozen=True)
class DataSlice(Generic[S]):
    """Rows as a stage uses them; `described` has an entry for each source, in the order of the rows."""

    rows: tuple[S, ...]
    described: tuple[DataUsed, ...]

    @property
    def hash(self) -> str:
        """One hash over all of them."""
        return hash_text(json.dumps([entry.hash for entry in self.described]))


def slice_of(
    source_rows: Rows[T],
    used: Sequence[T],
    kind: Literal["pairs", "demonstrations", "prompts"],
    *,
    n_too_long: int = 0,
    n_evaluated: int = 0,
) -> DataSlice[T]:
    """The rows of one source that are used, with how many were left out and why."""
    source = source_rows.source
    described = DataUsed(
        source=source.source,
        subset=source.subset,
        split=source.split,
        kind=kind,
        n=len(used),
        n_malformed=source_rows.n_malformed,
        n_too_long=n_too_long,
        n_evaluation_prompts=n_evaluated,
        hash=hash_rows(used),
    )
    return DataSlice(tuple(used), (described,))


def joined(slices: Sequence[DataSlice[T]]) -> DataSlice[T]:
    """The rows of several sources, one source after the other."""
    rows = tuple(row for part in slices for row in part.rows)
    return DataSlice(rows, tuple(entry for part in slices for entry in part.described))
