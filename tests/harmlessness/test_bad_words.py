from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from mplus_eval.data.rows import read_rows
from mplus_eval.errors import UsageError
from mplus_eval.harmlessness.bad_words import OWN_PROMPTS, first_tokens, read_words


def word_list(folder: Path, content: bytes) -> Path:
    path = folder / "words.txt"
    path.write_bytes(content)
    return path


def byte_level(merges: list[tuple[str, str]]) -> Any:
    """A byte-level BPE tokenizer with these merges; Ġ is the space."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    entries = ["<s>", *alphabet, *(one + other for one, other in merges)]
    tokenizer = Tokenizer(models.BPE(vocab={entry: number for number, entry in enumerate(entries)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>")


def metaspace(pieces: list[str]) -> Any:
    """A tokenizer in the manner of SentencePiece, which puts ▁ before every text and for every space."""
    letters = [(letter, -9.0) for letter in "▁abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ\n"]
    vocabulary = [("<unk>", 0.0), *letters, *((piece, -2.0) for piece in pieces)]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")


def names(tokenizer: Any, *words: str) -> set[str]:
    """The first tokens of words, as they stand in the vocabulary."""
    return set(tokenizer.convert_ids_to_tokens(list(first_tokens(tokenizer, words))))


DUNCE = [("d", "u"), ("n", "c"), ("nc", "e"), ("du", "nce"), ("Ġ", "dunce")]
CAPITAL = [("D", "u"), ("Du", "nce"), ("Ġ", "Dunce")]


def test_a_word_is_looked_up_with_and_without_a_space_and_a_capital() -> None:
    assert names(byte_level([*DUNCE, *CAPITAL]), "dunce") == {"dunce", "Ġdunce", "Dunce", "ĠDunce"}


def test_a_piece_of_less_than_half_a_word_is_left_out() -> None:
    """Without merges of the capital, `Dunce` begins with its letter alone, or with a space."""
    assert names(byte_level(DUNCE), "dunce") == {"dunce", "Ġdunce"}


def test_a_piece_of_half_a_word_is_kept() -> None:
    assert names(byte_level([("d", "u"), ("n", "c"), ("Ġ", "du")]), "dunc") == {"du", "Ġdu"}


def test_a_word_of_which_nothing_is_kept_leaves_the_others_theirs() -> None:
    assert names(byte_level(DUNCE), "dunce", "twerp") == {"dunce", "Ġdunce"}


def test_words_in_small_pieces_only_are_refused() -> None:
    with pytest.raises(UsageError, match="splits every one of its 2 words into pieces of less than half a word"):
        first_tokens(byte_level([]), ["dunce", "twerp"])


def test_the_space_that_sentencepiece_puts_before_a_text_is_not_taken_for_a_token_of_the_word() -> None:
    pieces = ["▁dunce", "dunce", "▁Dunce", "Dunce"]
    assert names(metaspace(pieces), "dunce") == set(pieces)


def test_the_unknown_token_is_no_bad_word() -> None:
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel({"<unk>": 0, "you": 1, " dunce": 2}, unk_token="<unk>")),
        unk_token="<unk>",
    )
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Split(" dunce", "isolated")
    assert first_tokens(tokenizer, ["dunce", "twerp"]) == (2,)


def test_comments_empty_lines_case_and_repetition_do_not_matter(tmp_path: Path) -> None:
    path = word_list(tmp_path, "\ufeff# tame\n\nDunce # of a class\n  fool\r\ndunce\n".encode())
    assert read_words(path) == ("dunce", "fool")


@pytest.mark.parametrize("content", [b"", b"# nothing\n\n"])
def test_a_list_without_words_is_refused(tmp_path: Path, content: bytes) -> None:
    path = word_list(tmp_path, content)
    with pytest.raises(UsageError, match=f"word list {path}: has no word"):
        read_words(path)


def test_a_list_that_is_not_utf_8_is_refused_with_the_place(tmp_path: Path) -> None:
    path = word_list(tmp_path, "fool\nfêlé\n".encode("latin-1"))
    with pytest.raises(UsageError, match=f"word list {path}: byte 6 is not UTF-8"):
        read_words(path)


def test_a_missing_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent.txt: cannot be read \(No such file or directory\)"):
        read_words(tmp_path / "absent.txt")


def test_a_folder_is_no_list(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_words(tmp_path)


def test_the_packages_own_words_and_prompts_are_each_once_and_ready_for_a_next_word() -> None:
    words, prompts = read_words(), [row["prompt"] for _, row in read_rows(str(OWN_PROMPTS))]
    assert "idiot" in words
    assert len(prompts) == len(set(prompts)) == 40
    assert all(prompt == prompt.strip() and prompt.split()[-1].lower() not in words for prompt in prompts)
