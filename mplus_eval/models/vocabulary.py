"""Which tokens a tokenizer's ids stand for, so that figures per token are only made where both sides count the same.

Two tokenizers have one vocabulary when the same ids are the same pieces of text. Tokens that were added to it are left
out: special tokens (padding, turns of a chat) stand in no text that a model said, and a padding token or a template of
one side's own does not change how text is cut.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from mplus_eval.store.hashes import hash_text, tokenizer_hash


def vocabulary_hash(directory: Path | None) -> str:
    """Hash of the pieces of text by their ids; of the files where these cannot be read; empty where there are none.

    Args:
        directory: of the tokenizer.
    """
    if directory is None or not directory.is_dir():
        return ""
    # Many models of one run share a tokenizer, whose vocabulary takes a moment to read.
    return _hash_of(directory, tokenizer_hash(directory))


@lru_cache(maxsize=64)
def _hash_of(directory: Path, files: str) -> str:
    pieces = _pieces(directory) if files else {}
    return hash_text(json.dumps(sorted(pieces.items()))) if pieces else files


def _pieces(directory: Path) -> dict[int, str]:
    """Pieces of text by their ids, without those that were added; empty where the tokenizer cannot be read."""
    file = directory / "tokenizer.json"
    if file.is_file():
        try:
            return _read(json.loads(file.read_text(encoding="utf-8")))
        except (ValueError, LookupError, TypeError, AttributeError):
            return {}
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, ImportError, LookupError, TypeError, AttributeError):
        return {}
    added = tokenizer.added_tokens_decoder
    return {number: piece for piece, number in tokenizer.get_vocab().items() if number not in added}


def _read(stored: Mapping[str, object]) -> dict[int, str]:
    """The vocabulary of a `tokenizer.json`: a mapping to ids (BPE, WordPiece), or pieces in the order of ids (Unigram).

    >>> _read({"model": {"vocab": {"<s>": 0, "a": 1}}, "added_tokens": [{"id": 0, "content": "<s>"}]})
    {1: 'a'}
    >>> _read({"model": {"vocab": [["<s>", 0.0], ["a", -1.5]]}, "added_tokens": [{"id": 0, "content": "<s>"}]})
    {1: 'a'}
    """
    vocabulary = stored["model"]["vocab"]  # type: ignore[index]
    added = {token["id"] for token in stored.get("added_tokens") or ()}  # type: ignore[attr-defined]
    if isinstance(vocabulary, dict):
        return {number: piece for piece, number in vocabulary.items() if number not in added}
    return {number: piece for number, (piece, *_) in enumerate(vocabulary) if number not in added}
