"""Requests of lm-eval's three types, as tasks make them, and what is read from their responses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mplus_eval.backends import Response

CONTEXTS = ("Question: what is one plus two? Answer:", "A river runs from the mountain", "")
CONTINUATIONS = (" three", " four", " the sea; no")


def choices() -> list[Any]:
    """Three items of three choices each, one of them without a context."""
    return [_instance("loglikelihood", context, choice) for context in CONTEXTS for choice in CONTINUATIONS]


def generations(n_tokens: int = 8) -> list[Any]:
    """Two items to be generated."""
    settings = {"until": ["\n"], "max_gen_toks": n_tokens, "do_sample": False}
    return [_instance("generate_until", context, dict(settings)) for context in ("Question: what", "She said: no,")]


def texts() -> list[Any]:
    """Two texts whose whole log-probability is asked."""
    return [_instance("loglikelihood_rolling", text) for text in ("The dog sleeps on.", "0 1 2 3")]


def log_probabilities(responses: Sequence[Response]) -> list[float | None]:
    """Of each response."""
    return [response.log_probability for response in responses]


def _instance(request_type: str, *arguments: Any) -> Any:
    from lm_eval.api.instance import Instance

    return Instance(request_type, {}, arguments, 0)
