"""The 4-bit files themselves say what the checkpoints say that were unpacked from them: token ids, logits, ends."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from mplus_eval.backends.hf import HfModel
from mplus_eval.models.gguf import read_gguf
from mplus_eval.models.gguf_tokenizer import build_tokenizer
from tests.real.conftest import RealModel
from tests.real.models import GEMMA, SMOL, loaded
from tests.tiny_models import SENTENCES

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

QUANTIZED = {GEMMA: "GGUF Q4_K_M", SMOL: "GGUF Q4_1"}
TEXTS = [
    *SENTENCES,
    "  two  spaces, a\ttab\n\n\nand 1984's naïve 東京 🙂",
    "def f(x):\n    return x**2  # don't\r\n",
    "x" * 40,
    "<|im_start|>user\nHello<|im_end|>\n",
]
DIGIT_BEHIND_SPACES = re.compile(r"\s\s\d")


@pytest.fixture(scope="module", params=(GEMMA, SMOL))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def file(name: str, real_model: RealModel) -> Path:
    return real_model(f"gguf/{name}.gguf")


@pytest.fixture(scope="module")
def read(file: Path) -> Iterator[HfModel]:
    model = loaded(file)
    yield model
    model.close()


@pytest.fixture(scope="module")
def unpacked(name: str, real_model: RealModel) -> Iterator[HfModel]:
    model = loaded(real_model(name))
    yield model
    model.close()


def test_token_ids_are_those_of_the_checkpoint(read: HfModel, unpacked: HfModel, benchmark_data: Path) -> None:
    from datasets import load_dataset

    rows = load_dataset(str(benchmark_data / "openai" / "gsm8k"), "main", split="test[:200]")
    texts = [text for text in (*TEXTS, *rows["question"], *rows["answer"]) if not DIGIT_BEHIND_SPACES.search(text)]
    assert len(texts) > 390
    assert read.opened.encoding.encode(texts) == unpacked.opened.encoding.encode(texts)
    assert read.opened.encoding.bare(texts) == unpacked.opened.encoding.bare(texts)


def test_smollms_digits_are_cut_from_what_stands_before_them(real_model: RealModel) -> None:
    from transformers import AutoTokenizer

    read, text = build_tokenizer(read_gguf(real_model(f"gguf/{SMOL}.gguf"))), "and  2 ½"
    assert read.tokenize(text) == ["and", "ĠĠ", "2", "Ġ", "Â½"]
    # The checkpoint's is transformers' reading, which cuts as GPT-2 does, whatever the file names.
    assert AutoTokenizer.from_pretrained(real_model(SMOL)).tokenize(text) == ["and", "Ġ", "Ġ", "2", "ĠÂ", "½"]


def test_special_tokens_and_template_are_those_of_the_checkpoint(read: HfModel, unpacked: HfModel) -> None:
    ours, own = read.opened.tokenizer, unpacked.opened.tokenizer
    assert (ours.bos_token_id, ours.eos_token_id) == (own.bos_token_id, own.eos_token_id)
    assert read.lm.ends == unpacked.lm.ends
    assert ours.chat_template == own.chat_template


def test_logits_are_those_of_the_checkpoint(read: HfModel, unpacked: HfModel) -> None:
    ids = torch.tensor(unpacked.opened.encoding.encode(["\n".join(SENTENCES)]))
    with torch.inference_mode():
        assert torch.equal(read.opened.model(ids).logits, unpacked.opened.model(ids).logits)


def test_it_says_how_it_is_quantized_and_is_scored_as_the_checkpoint_is(
    name: str, read: HfModel, unpacked: HfModel
) -> None:
    assert read.facts.asking is not None
    assert read.facts.asking.quantization == QUANTIZED[name]
    assert (read.facts.dtype, read.facts.parameters) == (unpacked.facts.dtype, unpacked.facts.parameters)
    assert read.facts.scoring == unpacked.facts.scoring
