"""What transformers makes of both files' tokenizers, saved beside the right weights, is refused while planning."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.errors import SpecError
from mplus_eval.models.contents import content_faults
from mplus_eval.models.locations import model_faults, resolve_source
from mplus_eval.models.tokenizer_check import TokenizerError, refuse_broken
from mplus_eval.spec.model import ModelSpec
from mplus_eval.training.chat import load_tokenizer
from tests.real.conftest import RealModel
from tests.real.models import GEMMA, SMOL

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

Read = Callable[[str], Any]


@pytest.fixture(scope="module")
def read(real_model: RealModel) -> Read:
    """What transformers makes of a file's tokenizer, which takes it half a minute for 262,144 tokens."""

    @cache
    def tokenizer(name: str) -> Any:
        from transformers import AutoTokenizer

        file = real_model(f"gguf/{name}.gguf")
        return AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)

    return tokenizer


@pytest.fixture
def converted(real_model: RealModel, read: Read, tmp_path: Path) -> Callable[[str], Path]:
    """A checkpoint with that tokenizer."""

    def make(name: str) -> Path:
        read(name).save_pretrained(tmp_path)
        for each in ("config.json", "generation_config.json", "model.safetensors"):
            (tmp_path / each).symlink_to(real_model(name) / each)
        return tmp_path

    return make


def faults(source: Path, **keys: str) -> list[str]:
    model = ModelSpec(name="m", source=str(source), **keys)
    assert model_faults(model, "hf") == []
    return content_faults(model, resolve_source(model, "hf"), talks=True)


def test_a_vocabulary_whose_merges_are_lost(converted: Callable[[str], Path], real_model: RealModel) -> None:
    path = converted(GEMMA)
    (line,) = faults(path)
    assert line.startswith("model 'm': its tokenizer writes ' ")
    assert line.endswith("its merges are lost; name the folder of a whole one with tokenizer=DIR")
    assert faults(path, tokenizer=str(real_model(GEMMA))) == []


def test_one_that_writes_words_in_two_or_three_pieces(read: Read) -> None:
    # As it is read; saved and loaded again it writes one token a letter.
    assert read(GEMMA).tokenize("The capital") == ["The", "▁c", "ap", "it", "al"]
    with pytest.raises(TokenizerError, match="its merges are lost"):
        refuse_broken(read(GEMMA))


def test_an_end_token_that_begins_turns(converted: Callable[[str], Path], real_model: RealModel) -> None:
    path = converted(SMOL)
    mistake = (
        "its tokenizer takes '<|im_start|>' for its end token, which begins a turn in its chat template; what ends an "
        "answer there is '<|im_end|>'"
    )
    assert faults(path) == [f"model 'm': {mistake}; name the folder of a whole one with tokenizer=DIR"]
    assert faults(path, tokenizer=str(real_model(SMOL))) == []
    with pytest.raises(SpecError) as caught:
        load_tokenizer(path)
    assert caught.value.faults == (f"base {path}: {mistake}; name it as eos_token in tokenizer_config.json",)


@pytest.mark.parametrize("name", [GEMMA, SMOL])
def test_a_whole_one_is_taken(name: str, real_model: RealModel) -> None:
    assert faults(real_model(name)) == []
