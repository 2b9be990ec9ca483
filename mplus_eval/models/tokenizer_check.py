"""Whether a tokenizer is whole: what makes every number of a model mean nothing is refused while planning.

A vocabulary without its merges (a converted file's, at times) writes one token a letter, without an error:

    whole   The| quick| brown|…        lost    T|h|e| |q|u|i|c|k| |b|r|…
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ENGLISH = "The quick brown fox jumps over the lazy dog, and the dog sleeps on.\nAnswer:"
CHOICES = (" A", " B", " yes", " no")
_WORDS_TRIED = 64
_FEWEST_WORDS = 16
"""With fewer tokens of several letters, as a toy's, nothing is said about merges."""
_TOKENS_PER_LETTER = 0.9
"""From here on a word is taken to be written letter by letter; whole vocabularies need 0.2 to 0.5."""
_WAY_OUT = "name the folder of a whole one with tokenizer=DIR"


class TokenizerError(ValueError):
    """A tokenizer whose ids would make numbers that mean nothing."""

    def __init__(self, what: str) -> None:
        """Say what was found, and the way out."""
        super().__init__(f"its tokenizer {what}; {_WAY_OUT}")


def refuse_broken(tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuse a tokenizer in which a prompt and its answers cannot be told apart, or that has lost its merges.

    Raises:
        TokenizerError: saying what was found.
    """
    prompt = list(tokenizer(ENGLISH, add_special_tokens=False)["input_ids"])
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    inner = [token for token in prompt[1:] if token in special]
    if inner:
        raise TokenizerError(f"puts {tokenizer.convert_ids_to_tokens(inner[0])} into plain text, though asked not to")
    for choice in CHOICES:
        whole = list(tokenizer(ENGLISH + choice, add_special_tokens=False)["input_ids"])
        n_common = next((i for i, pair in enumerate(zip(prompt, whole, strict=False)) if pair[0] != pair[1]), None)
        rest = whole[len(prompt) if n_common is None else n_common :]
        if not prompt or n_common == 0:
            raise TokenizerError(f"writes a prompt in other tokens when {choice!r} follows it")
        if all(token in special for token in rest):
            raise TokenizerError(f"has no token for {choice!r} after a prompt")
    _refuse_lost_merges(tokenizer, special)


def _refuse_lost_merges(tokenizer: PreTrainedTokenizerBase, special: Collection[int]) -> None:
    """Refuse a tokenizer that never uses the words of its own vocabulary; one without such words is whole."""
    words = [f" {word}" for word in islice(_words(tokenizer), _WORDS_TRIED)]
    if len(words) < _FEWEST_WORDS:
        return
    encoded = tokenizer(words, add_special_tokens=False)["input_ids"]
    lengths = [sum(token not in special for token in ids) for ids in encoded]
    if sum(lengths) >= _TOKENS_PER_LETTER * sum(len(word) - 1 for word in words):
        raise TokenizerError(
            f"writes {words[0]!r} in {lengths[0]} tokens, though its vocabulary has it as one, and other words alike "
            f"({sum(lengths) / len(words):.1f} tokens a word): its merges are lost"
        )


def _words(tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """The tokens of three or more English letters, the oldest first, without added ones."""
    added = set(tokenizer.get_added_vocab())
    by_age = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    words = (token.lstrip("Ġ▁") for token, _ in by_age if isinstance(token, str) and token not in added)
    return [word for word in dict.fromkeys(words) if len(word) > 2 and word.isascii() and word.isalpha()]
