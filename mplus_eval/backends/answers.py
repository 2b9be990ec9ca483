"""What is stored of how an item was asked and answered: the same columns on every axis."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TypedDict

from mplus_eval.backends.base import Response
from mplus_eval.store.hashes import hash_text


class AskedColumns(TypedDict):
    """Columns of an `Answer`, named as there; None is what the backend cannot tell."""

    n_truncated: int | None
    n_prompt_tokens: int | None
    token_hash: str | None
    n_equal_choices: int | None
    n_spanned: int | None
    thinking: str | None
    n_thinking: int | None
    unclosed: bool | None
    ran_on: bool | None


def asked_columns(responses: Sequence[Response]) -> AskedColumns:
    """The columns of one item's responses, each to one of its requests."""
    tokens = [(_ids(each.prompt_tokens), _ids(each.scored_tokens)) for each in responses]
    scored = [pair for pair in tokens if pair[1] is not None]
    known = any(prompt is not None for prompt, _ in tokens)
    return AskedColumns(
        n_truncated=_most(each.n_truncated for each in responses),
        n_prompt_tokens=_most(len(prompt) for prompt, _ in tokens if prompt is not None),
        token_hash=hash_text(json.dumps(tokens))[:16] if known else None,
        n_equal_choices=sum(scored.count(pair) > 1 for pair in scored) if scored else None,
        n_spanned=_most(each.n_spanned for each in responses),
        thinking=next((each.thinking for each in responses if each.thinking is not None), None),
        n_thinking=_most(each.n_thinking for each in responses),
        unclosed=_any(each.unclosed for each in responses),
        ran_on=_any(each.ran_on for each in responses),
    )


def _ids(tokens: Sequence[int] | None) -> list[int] | None:
    return None if tokens is None else list(tokens)


def _most(counts: Iterable[int | None]) -> int | None:
    return max((count for count in counts if count is not None), default=None)


def _any(answers: Iterable[bool | None]) -> bool | None:
    told = [answer for answer in answers if answer is not None]
    return any(told) if told else None
