from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mplus_eval.models.gguf import read_gguf
from mplus_eval.models.gguf_tokenizer import CUTS, Kind, UnbuiltError, build_tokenizer
from tests.conftest import TinyModel
from tests.gguf_files import write_gguf, write_vocabulary
from tests.tiny_models import SENTENCES

TEXTS = [*SENTENCES, "  two  spaces, a\ttab\nand 1984's naïve 東京 🙂", "x" * 40, ""]


@pytest.mark.parametrize("add_bos", [True, False])
def test_a_byte_level_tokenizer_gives_the_ids_of_the_one_that_it_was_made_of(
    tiny_model: TinyModel, tmp_path: Path, add_bos: bool
) -> None:
    from transformers import AutoTokenizer

    path = tiny_model(architecture="llama")
    own = AutoTokenizer.from_pretrained(path)
    made = build_tokenizer(read_gguf(write_gguf(tmp_path / "m.gguf", path, add_bos_token=add_bos)))
    for text in TEXTS:
        assert made(text)["input_ids"] == own(text, add_special_tokens=add_bos)["input_ids"]
    assert (made.bos_token, made.eos_token, made.model_max_length) == ("<s>", "</s>", 2048)


def test_special_tokens_are_those_of_the_files_ids(tiny_model: TinyModel, tmp_path: Path) -> None:
    said = {"bos_token_id": 1, "eos_token_id": 0, "pad_token_id": 0, "chat_template": "{{ messages }}"}
    made = build_tokenizer(read_gguf(write_gguf(tmp_path / "m.gguf", tiny_model(architecture="llama"), **said)))
    assert (made.bos_token, made.eos_token, made.pad_token) == ("</s>", "<s>", "<s>")
    assert made.chat_template == "{{ messages }}"
    assert made("a")["input_ids"][0] == 1


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A SentencePiece model, as Llama's and Gemma's are trained."""
    import sentencepiece

    folder = tmp_path_factory.mktemp("pieces")
    (folder / "texts").write_text("\n".join(text.replace("\n", " ") for text in SENTENCES * 3))
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "texts"),
        model_prefix=str(folder / "m"),
        model_type="bpe",
        vocab_size=400,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        user_defined_symbols=["<turn>"],
        minloglevel=2,
    )
    return sentencepiece.SentencePieceProcessor(model_file=str(folder / "m.model"))


def kind_of(pieces: Any, number: int) -> int:
    if pieces.is_control(number):
        return Kind.CONTROL
    if pieces.is_unknown(number):
        return Kind.UNKNOWN
    if pieces.is_byte(number):
        return Kind.BYTE
    return Kind.USER_DEFINED if pieces.id_to_piece(number) == "<turn>" else Kind.NORMAL


def converted(pieces: Any, path: Path, **said: Any) -> Any:
    numbers = range(pieces.vocab_size())
    write_vocabulary(
        path,
        "llama",
        [pieces.id_to_piece(number) for number in numbers],
        [kind_of(pieces, number) for number in numbers],
        token_scores=[pieces.get_score(number) for number in numbers],
        bos_token_id=1,
        eos_token_id=2,
        unk_token_id=0,
        **said,
    )
    return build_tokenizer(read_gguf(path))


def test_a_sentence_piece_tokenizer_gives_the_ids_of_sentence_piece(pieces: Any, tmp_path: Path) -> None:
    made = converted(pieces, tmp_path / "m.gguf")
    for text in TEXTS:
        assert made(text)["input_ids"] == [1, *pieces.encode(text)]
        assert made.decode(made(text)["input_ids"], skip_special_tokens=True) == text
    assert max(len(piece) for piece in made.tokenize(SENTENCES[0])) > 3
    assert "<turn>" in made.tokenize("fox<turn>fox")


def test_where_no_space_is_put_before_a_text_none_is(pieces: Any, tmp_path: Path) -> None:
    made = converted(pieces, tmp_path / "m.gguf", add_space_prefix=False, add_bos_token=False, add_eos_token=True)
    assert made(" fox")["input_ids"] == [*pieces.encode("fox"), 2]
    assert made.tokenize("fox")[0][0] == "f"


@pytest.mark.parametrize(
    ("cut", "text", "words"),
    [
        ("gpt-2", "it's 1984  now", ["it", "'s", "Ġ1984", "Ġ", "Ġnow"]),
        ("smollm", "in 1984", ["in", "Ġ", "1", "9", "8", "4"]),
        ("llama-bpe", "IT'S 19841\n\n", ["IT", "'S", "Ġ", "198", "41", "ĊĊ"]),
        ("qwen2", "it's 19", ["it", "'s", "Ġ", "1", "9"]),
        ("tekken", "camelCase 19", ["camel", "Case", "Ġ", "1", "9"]),
    ],
)
def test_a_text_is_cut_into_words_as_its_model_cuts_it(cut: str, text: str, words: list[str]) -> None:
    from tokenizers import Regex, pre_tokenizers

    steps = [pre_tokenizers.Split(Regex(each), "isolated") for each in CUTS[cut]]
    whole = pre_tokenizers.Sequence([*steps, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    assert [word for word, _ in whole.pre_tokenize_str(text)] == words


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"tokenizer_pre": "new-one"}, "its tokenizer is of kind 'gpt2', cut as 'new-one'"),
        ({"tokenizer_model": "t5"}, "its tokenizer is of kind 't5'"),
        ({"token_merges": None}, "its tokens have no merges"),
        ({"tokenizer_model": "llama"}, "its pieces have no scores"),
        ({"token_list": None}, "it holds no tokenizer"),
    ],
)
def test_what_cannot_be_built_is_said(tiny_model: TinyModel, tmp_path: Path, said: Any, words: str) -> None:
    file = read_gguf(write_gguf(tmp_path / "m.gguf", tiny_model(architecture="llama"), **said))
    with pytest.raises(UnbuiltError) as caught:
        build_tokenizer(file)
    assert str(caught.value).startswith(words)
