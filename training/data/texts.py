"""Texts without questions: what the KL is measured on, and what is replayed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mplus_eval.errors import SpecError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def read_texts(source: str, n: int, seed: int) -> tuple[str, ...]:
    """Read at most `n` texts: a file with a blank line between texts, or those of the demo, drawn by the seed.

    Raises:
        SpecError: the file cannot be read, or the demo has no such texts; the line goes on after the source's name.
    """
    if source.startswith("demo:"):
        from mplus_eval.demo.text import held_out_texts, texts_without_talk

        makers = {"demo:texts": held_out_texts, "demo:texts-without-talk": texts_without_talk}
        if source not in makers:
            raise SpecError([f"no such demo texts; there are {', '.join(makers)}"])
        return tuple(makers[source](n, seed))
    try:
        texts = [text.strip() for text in Path(source).expanduser().read_text(encoding="utf-8").split("\n\n")]
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError([f"cannot be read ({error})"]) from None
    return tuple(text for text in texts if text)[:n]


def encode_texts(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_length: int) -> list[list[int]]:
    """Token ids of the texts that have anything to predict, cut to a length."""
    encoded = tokenizer(list(texts), truncation=True, max_length=max_length)["input_ids"] if texts else []
    return [ids for ids in encoded if len(ids) > 1]
