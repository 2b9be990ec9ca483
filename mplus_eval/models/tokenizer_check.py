"""Whether a tokenizer is whole: what makes every number of a model mean nothing is refused while planning.

A vocabulary without its merges (a converted file's, at times) writes its own words in pieces, without an error:

    whole   The| quick| brown|…        lost    T|h|e| |q|u|i|c|k| |b|r|…    or    The| |quic|k| br|own|…
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ENGLISH = "The quick brown fox jumps over the lazy dog, and the dog sleeps on.\nAnswer:"
CHOICES = (" A", " B", " yes", " no")
_BEFORE = "and"
_WORDS_TRIED = 64
_FEWEST_WORDS = 8
"""With fewer words among its tokens, as a toy's has, nothing is said about merges."""
_SPACES = " Ġ▁"
"""How vocabularies write a space before a word."""
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
    _refuse_lost_merges(tokenizer)


def _refuse_lost_merges(tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuse a tokenizer that never uses the words of its own vocabulary; one without such words is whole."""
    words = _words(tokenizer)
    if len(words) < _FEWEST_WORDS:
        return
    # From the oldest to the newest: some of those that are met most often may come whole by chance.
    tried = words[:: -(-len(words) // _WORDS_TRIED)]
    texts = [f"{_BEFORE} {word}" for word, _ in tried]
    encoded = tokenizer(texts, add_special_tokens=False)["input_ids"]
    in_pieces = [place for place, (_, token) in enumerate(tried) if token not in encoded[place]]
    if 2 * len(in_pieces) > len(tried):
        before = len(tokenizer(_BEFORE, add_special_tokens=False)["input_ids"])
        word, n_tokens = f" {tried[in_pieces[0]][0]}", len(encoded[in_pieces[0]]) - before
        raise TokenizerError(
            f"writes {word!r} in {n_tokens} tokens, though its vocabulary has it as one, and {len(in_pieces)} of "
            f"{len(tried)} words alike: its merges are lost"
        )


def _words(tokenizer: PreTrainedTokenizerBase) -> list[tuple[str, int]]:
    """English words of three letters and more with the tokens that they are, the oldest first, without added ones.

    Those behind a space, where there are any: others may be the ends of words.
    """
    added = set(tokenizer.get_added_vocab())
    by_age = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    own = [(token, number) for token, number in by_age if isinstance(token, str) and token not in added]
    behind_space = [(token[1:], number) for token, number in own if token[:1] in _SPACES and token[1:]]
    usable = behind_space or own
    return [(word, number) for word, number in usable if len(word) > 2 and word.isascii() and word.isalpha()]
