"""lm-eval's `HFLM` made strict: whole checkpoints only, NaN is never an answer; and a way to quantize."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from lm_eval.api.instance import Instance
from transformers import AutoModelForCausalLM

from mplus_eval.backends.checked_hflm import CheckedHFLM, IncompleteWeightsError
from mplus_eval.inference.logits import NotANumberError
from tests.backends.requests import choices, generations
from tests.conftest import TinyModel


def load(path: Path, **keys: Any) -> CheckedHFLM:
    return CheckedHFLM(pretrained=str(path), device="cpu", backend="causal", **keys)


@pytest.fixture
def broken(tiny_model: TinyModel) -> CheckedHFLM:
    """A model whose logits are NaN."""
    lm = load(tiny_model())
    with torch.no_grad():
        next(lm.model.parameters()).fill_(float("nan"))
    return lm


@pytest.mark.parametrize("requests", [choices, generations])
def test_nan_logits_stop_whatever_is_asked(broken: CheckedHFLM, requests: Any) -> None:
    asked: list[Instance] = requests()
    with pytest.raises(NotANumberError, match="the model returned NaN logits"):
        getattr(broken, asked[0].request_type)(asked, disable_tqdm=True)


def test_nan_passes_where_it_reaches_the_answer_that_it_belongs_to(broken: CheckedHFLM) -> None:
    tokens = torch.tensor([[1, 2, 3]])
    with broken.nan_in_answers():
        assert bool(broken.model(tokens).logits.isnan().all())
    with pytest.raises(NotANumberError):
        broken.model(tokens)


def test_weights_that_lack_a_tensor_are_refused(tiny_model: TinyModel, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = tmp_path / "half"
    shutil.copytree(tiny_model(), path)
    tensors = load_file(path / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(IncompleteWeightsError, match=r"lacks 1 tensors, first model\.layers\.1\.mlp\.up_proj\.weight"):
        load(path)


@pytest.mark.parametrize(("name", "bits"), [("4bit", (True, False)), ("8bit", (False, True))])
def test_quantization_reaches_transformers(
    tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch, name: str, bits: tuple[bool, bool]
) -> None:
    # bitsandbytes needs a GPU of its own; here the settings are looked at where transformers would take them.
    seen: list[Any] = []
    plain = AutoModelForCausalLM.from_pretrained

    def noting(*args: Any, quantization_config: Any = None, **kwargs: Any) -> Any:
        seen.append(quantization_config)
        return plain(*args, **kwargs)

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", noting)
    load(tiny_model(), quantization=name)
    (settings,) = seen
    assert (settings.load_in_4bit, settings.load_in_8bit) == bits
