"""Splits that share no first message."""

from __future__ import annotations

from mplus_eval.training.data import (
    load_pairs,
    split_held_out,
)
from mplus_eval.training.recipe import PairDataSource


def test_splits_share_no_first_message_and_lose_no_pair() -> None:
    pairs = load_pairs(PairDataSource(source="demo:pairs", n=400), 0).rows
    kept, held_out = split_held_out(pairs, 0.25, 0)
    assert len(kept) + len(held_out) == 400
    assert 80 <= len(held_out) <= 100
    assert not {pair.prompt for pair in kept} & {pair.prompt for pair in held_out}
    first, second = split_held_out(kept, 0.5, 1)
    assert not {pair.prompt for pair in first} & {pair.prompt for pair in second}
    assert split_held_out(pairs, 0.25, 0) == (kept, held_out)
