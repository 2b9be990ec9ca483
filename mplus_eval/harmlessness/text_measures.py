"""What can be said of texts without a model: variety, repetition, copying, script and letters.

Words are what whitespace separates; where words are compared, case and the punctuation around them do not count.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from math import fsum, log2

REPEATED_WORDS = 3
"""Words of an n-gram in `repetition_rate`."""
LOOP_LETTERS = 8
COPIED_WORDS = 3
_LONG = 5
"""Words of a text in which a common word is looked for."""
_ENGLISH = frozenset(
    {"the", "and", "of", "to", "is", "it", "that", "you", "your", "this", "with", "for", "they", "not", "are"}
)
RARE_SCRIPT = 0.01
"""Share of the prompts' letters below which a script is a stray one."""


def distinct_rate(texts: Iterable[str], n: int) -> float | None:
    """Distinct-n: different n-grams of words over all n-grams of all texts (Li et al., arXiv 1510.03055, section 5.3).

    None where no text has n words. It falls as texts grow in number and length, so it says little where these differ.
    """
    seen: set[tuple[str, ...]] = set()
    total = 0
    for text in texts:
        grams = _grams(text.split(), n)
        total += len(grams)
        seen.update(grams)
    return len(seen) / total if total else None


def repetition_rate(text: str) -> float:
    """Share of a text's 3-grams of words that occurred before in it; 0 for a text of fewer words."""
    grams = _grams(text.split(), REPEATED_WORDS)
    return 1.0 - len(set(grams)) / len(grams) if grams else 0.0


def is_loop(text: str) -> bool:
    """Whether more than half of a text's runs of 8 characters occurred before in it.

    Characters rather than words, so that loops within a word and in scripts without spaces are seen.
    """
    folded = " ".join(text.split())
    grams = [folded[start : start + LOOP_LETTERS] for start in range(len(folded) - LOOP_LETTERS + 1)]
    return len(set(grams)) < len(grams) / 2


def copied_share(prompt: str, text: str) -> float:
    """Share of a text's words that lie in runs of at least 3 words copied from the prompt (all, of a shorter prompt).

    Runs rather than one longest run, so that a prompt said several times over is a copy too.
    """
    words, prompt_words = bare_words(text), bare_words(prompt)
    length = min(COPIED_WORDS, len(prompt_words))
    if not words or not length:
        return 0.0
    runs = set(_grams(prompt_words, length))
    copied = [False] * len(words)
    for start, gram in enumerate(_grams(words, length)):
        if gram in runs:
            copied[start : start + length] = [True] * length
    return sum(copied) / len(words)


def bare_words(text: str) -> list[str]:
    """Words without case and the punctuation around them."""
    return [bare for word in text.casefold().split() if (bare := word.strip(_PUNCTUATION))]


def n_bytes(text: str) -> int:
    """Length of a text in UTF-8; half of a surrogate pair, which UTF-8 has not, counts three bytes."""
    return len(text.encode("utf-8", "surrogatepass"))


def normalised(text: str) -> str:
    """A text without case and with single spaces, for telling whether two answers are the same."""
    return " ".join(text.casefold().split())


def scripts(texts: Iterable[str]) -> Counter[str]:
    """How many letters of every script there are: LATIN, CYRILLIC, CJK, … as Unicode names its letters."""
    letters = Counter(character for text in texts for character in text if character.isalpha())
    by_script: Counter[str] = Counter()
    for letter, count in letters.items():
        by_script[unicodedata.name(letter, "UNKNOWN").partition(" ")[0]] += count
    return by_script


def foreign_letters(known: Collection[str], texts: Iterable[str]) -> float | None:
    """Share of the texts' letters in other scripts than those known; None where there are no letters, or none known."""
    return unknown_share(scripts(texts), known) if known else None


def used_scripts(texts: Iterable[str]) -> set[str]:
    """The scripts that the texts use, stray letters aside."""
    of_texts = scripts(texts)
    return {name for name, count in of_texts.items() if count >= RARE_SCRIPT * of_texts.total()}


def english_share(texts: Iterable[str]) -> float | None:
    """Share of the texts of five words or more that hold a common English word; None where there is none so long."""
    long = [words for text in texts if len(words := bare_words(text)) >= _LONG]
    return sum(not _ENGLISH.isdisjoint(words) for words in long) / len(long) if long else None


def trigrams(texts: Iterable[str]) -> Counter[str]:
    """How often every run of three characters occurs, words in lower case with one space before and after."""
    counts: Counter[str] = Counter()
    for text in texts:
        padded = f" {normalised(text)} "
        counts.update(padded[start : start + 3] for start in range(len(padded) - 2))
    return counts


def divergence(one: Mapping[str, int], other: Mapping[str, int]) -> float | None:
    """Jensen–Shannon divergence in bits: 0 for the same shares, 1 where nothing is in common; None where one is empty.

    Lin 1991, equation 4.1. With p and q the shares and m their mean, ½ Σ p log(p/m) + ½ Σ q log(q/m).
    """
    n_one, n_other = sum(one.values()), sum(other.values())
    if not n_one or not n_other:
        return None
    terms = []
    for key in one.keys() | other.keys():
        p, q = one.get(key, 0) / n_one, other.get(key, 0) / n_other
        middle = (p + q) / 2.0
        terms += [share * log2(share / middle) / 2.0 for share in (p, q) if share]
    # The exact sum, since the order of a set of texts is another in every process.
    return min(max(fsum(terms), 0.0), 1.0)


def unknown_share(counts: Mapping[str, int], known: Collection[str]) -> float | None:
    """Share of what was counted that is not among what is known; None where nothing was counted."""
    total = sum(counts.values())
    return sum(count for key, count in counts.items() if key not in known) / total if total else None


def _grams(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(words[start : start + n]) for start in range(len(words) - n + 1)]


_PUNCTUATION = "".join(chr(code) for code in range(0x2100) if unicodedata.category(chr(code)).startswith("P"))
