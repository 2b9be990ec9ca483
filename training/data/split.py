"""Splits of pairs that share no first user message, so that a held-out pair is about something else."""

from __future__ import annotations

import random
from collections.abc import Sequence

from mplus_eval.training.data.evaluated import normalised
from mplus_eval.training.data.rows import PreferencePair

Split = tuple[tuple[PreferencePair, ...], tuple[PreferencePair, ...]]


def split_held_out(pairs: Sequence[PreferencePair], share: float, seed: int) -> Split:
    """Split pairs into those that are trained on and about a `share` of them that is not; order is kept."""
    groups: dict[str, int] = {}
    for pair in pairs:
        key = first_user_message(pair)
        groups[key] = groups.get(key, 0) + 1
    keys = sorted(groups)
    random.Random(seed).shuffle(keys)
    wanted, held_out, n = share * len(pairs), set(), 0
    for key in keys:
        # A first message that many pairs share would take more than the share at once; it stays in training.
        if n + groups[key] <= wanted:
            held_out.add(key)
            n += groups[key]
    trained_on = tuple(pair for pair in pairs if first_user_message(pair) not in held_out)
    return trained_on, tuple(pair for pair in pairs if first_user_message(pair) in held_out)


def first_user_message(pair: PreferencePair) -> str:
    """What the user says first, but for case and punctuation; empty where the user says nothing."""
    return normalised(next((message.content for message in pair.prompt if message.role == "user"), ""))
