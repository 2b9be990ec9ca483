"""What a comparison says of a judge that gave too few verdicts."""

from __future__ import annotations

from pydantic import Field

from mplus_eval.records.base import Record


class Unjudged(Record):
    """A judge that left too much of what it was asked without a verdict, or all that it was asked of one model."""

    judge: str
    n_asked: int
    n_unjudged: int
    causes: dict[str, int] = Field(description="without what a single reply said")
    models: tuple[str, ...] = Field(default=(), description="those on whom it gave no verdict at all")
