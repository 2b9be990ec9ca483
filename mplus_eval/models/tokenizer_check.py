"""Whether a tokenizer is whole: one that would make numbers mean nothing is refused, while planning if its file tells.

A vocabulary without its merges (a converted file's, at times) writes one token a letter, without an error:

    whole   The| quick| brown|…        lost    T|h|e| |q|u|i|c|k| |b|r|…
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from mplus_eval.store.hashes import hash_file

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
    words = _words(tokenizer.get_vocab(), set(tokenizer.get_added_vocab()))
    encoded = tokenizer(words, add_special_tokens=False)["input_ids"] if words else []
    if (fault := _lost_merges(words, encoded, special)) is not None:
        raise TokenizerError(fault)


def stored_fault(directory: Path) -> str | None:
    """Why the tokenizer stored in a directory would be refused when loaded, as far as its file alone tells.

    So a comparison ends while it is planned. A file that cannot be read here is left to who loads it.
    """
    file = directory / "tokenizer.json"
    # Read once, however often a process plans.
    return _fault_of(file, hash_file(file)) if file.is_file() else None


@lru_cache(maxsize=64)
def _fault_of(file: Path, _hash: str) -> str | None:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception:  # noqa: BLE001 - the Rust library raises this very class
        return None
    special = {number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    words = _words(tokenizer.get_vocab(with_added_tokens=False), ())
    encoded = tokenizer.encode_batch(words, add_special_tokens=False)
    fault = _lost_merges(words, [each.ids for each in encoded], special)
    return None if fault is None else str(TokenizerError(fault))


def _lost_merges(words: Sequence[str], encoded: Sequence[Sequence[int]], special: Collection[int]) -> str | None:
    """Whether a tokenizer never uses the words of its own vocabulary; one without such words is whole."""
    if len(words) < _FEWEST_WORDS:
        return None
    lengths = [sum(token not in special for token in ids) for ids in encoded]
    if sum(lengths) < _TOKENS_PER_LETTER * sum(len(word) - 1 for word in words):
        return None
    return (
        f"writes {words[0]!r} in {lengths[0]} tokens, though its vocabulary has it as one, and other words alike "
        f"({sum(lengths) / len(words):.1f} tokens a word): its merges are lost"
    )


def _words(vocabulary: Mapping[str, int], added: Collection[str]) -> list[str]:
    """Tokens of three or more English letters as words in a text, the oldest first, without added ones."""
    by_age = sorted(vocabulary.items(), key=lambda entry: entry[1])
    names = (token.lstrip("Ġ▁") for token, _ in by_age if isinstance(token, str) and token not in added)
    words = (name for name in dict.fromkeys(names) if len(name) > 2 and name.isascii() and name.isalpha())
    return [f" {word}" for word in islice(words, _WORDS_TRIED)]
