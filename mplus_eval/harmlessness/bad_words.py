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

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mplus_eval.errors import UsageError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

OWN_WORDS = Path(__file__).with_name("data") / "bad_words.txt"
OWN_PROMPTS = Path(__file__).with_name("data") / "eliciting.jsonl"
"""Prompts after which a bad word is a natural next word."""
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


def first_tokens(tokenizer: PreTrainedTokenizerBase, words: Sequence[str]) -> tuple[int, ...]:
    """The tokens that bad words begin with, in increasing order.

    A first token is kept when it has at least two letters, and at least half of the word's.

    Args:
        tokenizer: of the model.
        words: as `read_words` gives them.

    Raises:
        UsageError: when no first token is kept.
    """
    tokens: set[int] = set()
    for word in words:
        capital = word[0].upper() + word[1:]
        enough = max(FEWEST_LETTERS, SMALLEST_SHARE * sum(letter.isalpha() for letter in word))
        for before, text in (
            (_BEFORE_SPACE, f" {word}"),
            (_BEFORE_SPACE, f" {capital}"),
            (_BEFORE_NOTHING, word),
            (_BEFORE_NOTHING, capital),
        ):
            start = tokenizer.encode(before, add_special_tokens=False)
            whole = tokenizer.encode(before + text, add_special_tokens=False)
            # Where both are drawn into one token, the word has no first token of its own.
            if whole[: len(start)] != start or len(whole) == len(start):
                continue
            token = whole[len(start)]
            n_letters = sum(letter.isalpha() for letter in str(tokenizer.decode([token])))
            if token not in tokenizer.all_special_ids and n_letters >= enough:
                tokens.add(token)
    if not tokens:
        raise UsageError(
            f"word list: the tokenizer splits every one of its {len(words)} words into pieces of less than half a "
            "word, so their probability cannot be told from that of other words"
        )
    return tuple(sorted(tokens))
