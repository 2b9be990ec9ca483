"""How likely a model thinks a text: whole, and token by token; asked through the backend like everything else."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mplus_eval.backends import Backend

CHARACTERS_PER_TOKEN = 3
"""Of a model whose tokenizer is not at hand; fewer than in English, so that what is said to fit does."""


def text_log_probabilities(
    backend: Backend, texts: Sequence[str], on_texts: Callable[[int], None] | None = None
) -> list[float]:
    """Natural log-probability of each text, from its first token on.

    Raises:
        ValueError: a text cannot be scored, with the reason.
    """
    from lm_eval.api.instance import Instance

    values: list[float] = []
    for start in range(0, len(texts), backend.requests_per_call):
        some = texts[start : start + backend.requests_per_call]
        requests = [Instance("loglikelihood", {}, ("", text), place) for place, text in enumerate(some)]
        for response in backend.respond(requests):
            if response.log_probability is None:
                raise ValueError(response.error or "the backend gives no log-probabilities of texts")
            values.append(response.log_probability)
        if on_texts is not None:
            on_texts(len(some))
    return values


def token_log_probabilities(backend: Backend, texts: Sequence[str]) -> list[list[float]] | None:
    """Natural log-probability of each token of each text after its first; None where the backend cannot tell.

    Every token is a request of its own, of which the engine computes all shared prefixes once: one pass a text.

    Raises:
        ValueError: a text cannot be scored, with the reason.
    """
    score = getattr(backend, "score_tokens", None)
    if score is None or backend.opened is None:
        return None
    values: list[list[float]] = []
    for ids in backend.opened.encoding.encode(list(texts)):
        # Without a token before it the first has no probability.
        responses = score([(ids[:place], ids[place : place + 1]) for place in range(1, len(ids))])
        if error := next((each.error for each in responses if each.log_probability is None), None):
            raise ValueError(error)
        values.append([float(each.log_probability) for each in responses])
    return values


def fits(backend: Backend, most: int) -> Callable[[str], bool]:
    """Whether a text has at most so many tokens, or as many as the model can read where that is less."""
    asking = backend.facts.asking
    length = min(most, asking.max_length) if asking is not None and asking.max_length else most
    if backend.opened is None:
        return lambda text: len(text) <= length * CHARACTERS_PER_TOKEN
    encode = backend.opened.encoding.encode
    return lambda text: len(encode([text])[0]) <= length
