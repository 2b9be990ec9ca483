"""Bad words layer by layer, for the models of a run: which words, and how probable they are after each prompt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mplus_eval.backends import Backend
from mplus_eval.errors import UsageError
from mplus_eval.fingerprint import hash_text
from mplus_eval.statistics.design import Floats


def word_probabilities(backend: Backend, texts: Sequence[str], words: Path | None) -> tuple[tuple[str, ...], Floats]:
    """The probability that the first token of a bad word comes next, at every point of the residual stream.

    Args:
        backend: of the kind hf.
        texts: prompts, as the model sees them.
        words: a user's list; the package's own when None.

    Returns:
        The points' names, and an array (prompts, points).
    """
    from mplus_eval.harmlessness.bad_words import first_tokens, read_words
    from mplus_eval.harmlessness.logit_lens import Lens

    model = backend.torch_model
    if model is None:
        raise UsageError("the layers can be looked into with the backend hf only")
    lens = Lens.of(model)
    tokens = first_tokens(backend.tokenizer, read_words(words))
    return lens.points, lens.probabilities([backend.encode(text) for text in texts], tokens)


def words_hash(words: Path | None) -> str:
    """Hash of a list of words."""
    from mplus_eval.harmlessness.bad_words import read_words

    return hash_text("\n".join(read_words(words)))
