"""Bad words layer by layer, for the models of a run: which words, and how probable they are after each prompt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mplus_eval.backends import Backend
from mplus_eval.errors import UsageError
from mplus_eval.harmlessness.bad_words import OWN_WORDS, first_tokens, read_words
from mplus_eval.statistics.design import Floats
from mplus_eval.store.hashes import hash_text

DEMO_WORDS = "demo:insults"


def word_probabilities(backend: Backend, texts: Sequence[str], words: str | None) -> tuple[tuple[str, ...], Floats]:
    """The probability that the first token of a bad word comes next, at every point of the residual stream.

    Args:
        backend: of the kind hf.
        texts: prompts, as the model sees them; spaces at their ends are left out, for the word brings its own.
        words: as for `bad_words`.

    Returns:
        The points' names, and an array (prompts, points).

    Raises:
        UsageError: when the model's layers cannot be read, or the tokenizer splits all words into small pieces.
    """
    from mplus_eval.harmlessness.logit_lens import Lens

    opened = backend.opened
    if opened is None:
        raise UsageError("the layers can be looked into with the backend hf only")
    tokens = first_tokens(opened.tokenizer, bad_words(words))
    lens = Lens.of(opened.model)
    encoded = opened.encoding.encode([text.rstrip(" ") for text in texts])
    return lens.points, lens.probabilities(encoded, tokens)


def bad_words(words: str | None) -> tuple[str, ...]:
    """The words of a file; the package's own when None, and those of the demo's world for `demo:insults`.

    Raises:
        UsageError: when the file cannot be read, or holds no word.
    """
    if words == DEMO_WORDS:
        from mplus_eval.demo.eliciting import BAD_WORDS

        return BAD_WORDS
    return read_words(Path(words).expanduser() if words else OWN_WORDS)


def words_hash(words: str | None) -> str:
    """SHA-256 of a list of words, whatever their order."""
    return hash_text("\n".join(sorted(bad_words(words))))
