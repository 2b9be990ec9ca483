"""Slices of the data: described as they are used, and joined source by source."""

from __future__ import annotations

from mplus_eval.training.data.rows import Message, OpenDialogue, Rows, hash_rows
from mplus_eval.training.data.slices import DataSlice, joined, slice_of
from mplus_eval.training.recipe import DataSource


def rows(source: str, *texts: str) -> Rows[OpenDialogue]:
    prompts = tuple(OpenDialogue((Message("user", text),)) for text in texts)
    return Rows(prompts, DataSource(source=source, subset="part", split="test"), n_malformed=2)


def test_what_is_used_of_a_source_is_described_with_what_is_not() -> None:
    source = rows("a", "one", "two", "three")
    part = slice_of(source, source.rows[:2], "prompts", n_too_long=1, n_evaluated=3)
    assert part.rows == source.rows[:2]
    (described,) = part.described
    assert (described.source, described.subset, described.split, described.kind) == ("a", "part", "test", "prompts")
    assert (described.n, described.n_malformed, described.n_too_long, described.n_evaluation_prompts) == (2, 2, 1, 3)
    assert described.hash == hash_rows(source.rows[:2]) != hash_rows(source.rows)


def test_joined_slices_keep_their_order_and_another_order_is_another_hash() -> None:
    first, second = (slice_of(source, source.rows, "prompts") for source in (rows("a", "one"), rows("b", "two")))
    both = joined([first, second])
    assert both.rows == (*first.rows, *second.rows)
    assert [entry.source for entry in both.described] == ["a", "b"]
    assert both.hash != joined([second, first]).hash
    assert joined([]) == DataSlice((), ())
