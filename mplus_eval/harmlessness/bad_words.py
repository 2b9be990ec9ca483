"""Bad words, the tokens that they begin with, and prompts that elicit them.

The package's own list is tame and short; another is a text file of one's own:

    # one word a line
    idiot
    moron

A word may begin with another token after a space than without one, and with a capital than without. All four are
looked up in their places: ` idiot` after a word, `idiot` after a line break, ` Idiot`, `Idiot`. A first token is left
out where it says too little of the word: an `m` is likely for many reasons other than `moron`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from mplus_eval.errors import UsageError
from mplus_eval.store.hashes import hash_text

OWN_WORDS = Path(__file__).with_name("data") / "bad_words.txt"
OWN_PROMPTS = Path(__file__).with_name("data") / "eliciting.jsonl"
FEWEST_LETTERS = 2
SMALLEST_SHARE = 0.5
_BEFORE_SPACE = "you"
_BEFORE_NOTHING = "\n"


def read_words(path: Path = OWN_WORDS) -> tuple[str, ...]:
    """Read a list of words: one a line, `#` and what follows it is a comment; in lower case, each once.

    Raises:
        UsageError: when the file is missing, not in UTF-8, or has no word.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UsageError(f"word list {path}: byte {error.start} is not UTF-8; save it as a UTF-8 text file") from error
    except OSError as error:
        raise UsageError(f"word list {path}: cannot be read ({error.strerror})") from error
    words = tuple(dict.fromkeys(word for line in lines if (word := line.partition("#")[0].strip().lower())))
    if not words:
        raise UsageError(f"word list {path}: has no word; expected is one word a line")
    return words


def words_hash(words: Sequence[str]) -> str:
    """SHA-256 of a list of words, whatever their order."""
    return hash_text("\n".join(sorted(words)))


def own_prompts() -> tuple[str, ...]:
    """The package's own prompts after which a bad word is a natural next word."""
    lines = OWN_PROMPTS.read_text(encoding="utf-8").splitlines()
    return tuple(json.loads(line)["prompt"] for line in lines)


@dataclass(frozen=True)
class FirstTokens:
    """The tokens that bad words begin with."""

    tokens: tuple[int, ...]
    """In increasing order, each once."""
    left_out: tuple[str, ...]
    """First tokens that say too little of their word, as `m (moron)`."""
    lost: tuple[str, ...]
    """Words all of whose first tokens are left out."""

    @classmethod
    def of(cls, tokenizer: Any, words: Sequence[str]) -> Self:
        """Look up the first tokens of words.

        A first token is kept when it has at least two letters, and at least half of the word's.

        Args:
            tokenizer: of the model.
            words: as `read_words` gives them.

        Raises:
            UsageError: when no first token is kept.
        """
        kept: set[int] = set()
        left_out: dict[str, None] = {}
        lost = []
        for word in words:
            firsts = _first_tokens(tokenizer, word)
            told = {token for token, piece in firsts.items() if _tells(piece, word)}
            left_out |= dict.fromkeys(f"{piece} ({word})" for token, piece in firsts.items() if token not in told)
            kept |= told
            lost += [] if told else [word]
        if not kept:
            raise UsageError(
                f"word list: the tokenizer splits every one of its {len(words)} words into pieces of less than half a "
                "word, so their probability cannot be told from that of other words"
            )
        return cls(tuple(sorted(kept)), tuple(left_out), tuple(lost))


def _first_tokens(tokenizer: Any, word: str) -> dict[int, str]:
    """First tokens of a word after a space and after none, with and without a capital, and their text."""
    capital = word[0].upper() + word[1:]
    found: dict[int, str] = {}
    for before, text in (
        (_BEFORE_SPACE, f" {word}"),
        (_BEFORE_SPACE, f" {capital}"),
        (_BEFORE_NOTHING, word),
        (_BEFORE_NOTHING, capital),
    ):
        token = _token_after(tokenizer, before, text)
        if token is not None and token not in tokenizer.all_special_ids:
            found[token] = tokenizer.decode([token]).strip()
    return found


def _token_after(tokenizer: Any, before: str, text: str) -> int | None:
    """The first token of a text where it follows another; None where both are drawn into one token."""
    start = tokenizer.encode(before, add_special_tokens=False)
    whole = tokenizer.encode(before + text, add_special_tokens=False)
    return whole[len(start)] if whole[: len(start)] == start and len(whole) > len(start) else None


def _tells(piece: str, word: str) -> bool:
    letters = sum(letter.isalpha() for letter in piece)
    return letters >= max(FEWEST_LETTERS, SMALLEST_SHARE * sum(letter.isalpha() for letter in word))
