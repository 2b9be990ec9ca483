from __future__ import annotations

from pathlib import Path

from mplus_eval.backends.asking import asking_of
from mplus_eval.backends.encoding import Encoding
from mplus_eval.records.asking import Asking
from mplus_eval.spec.model import ModelSpec
from tests.conftest import TinyModel
from tests.tiny_models import around, retokenize


def test_what_each_part_knows_is_told(tiny_model: TinyModel, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(retokenize(tiny_model(), tmp_path, post_processor=around("<s>", "</s>")))
    model = ModelSpec(name="m", source="./m", quantization="4bit")
    assert asking_of(model, Encoding.of(tokenizer), max_length=512) == Asking(
        begins_with="<s>", leaves_off="</s>", max_length=512, quantization="4bit"
    )
