"""An adapter over its base answers as the two merged, whatever the rows of either."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from mplus_eval.backends.adapters import IncompleteAdapterError, with_adapter
from mplus_eval.models.contents import content_faults
from mplus_eval.models.locations import resolve_source
from mplus_eval.spec.model import ModelSpec
from tests.backends.requests import choices, log_probabilities
from tests.backends.test_hf import load
from tests.conftest import TinyModel

PADDED, TOKENS = 384, 320
NEW = ("<|new|>", "<|other|>")


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def base(request: Any, tiny_model: TinyModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint whose 320 tokens lie in 384 rows, each of which has its share of the probability."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path, folder = tiny_model(architecture="llama"), tmp_path_factory.mktemp("padded")
    model: Any = AutoModelForCausalLM.from_pretrained(path, tie_word_embeddings=request.param)
    torch.manual_seed(0)
    model.resize_token_embeddings(PADDED, mean_resizing=False)
    with torch.no_grad():
        for table in (model.get_input_embeddings(), model.get_output_embeddings()):
            table.weight[TOKENS:].normal_(std=0.3)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(path).save_pretrained(folder)
    return folder


def adapted(
    base: Path,
    folder: Path,
    *,
    rows: int | None = None,
    new_tokens: tuple[str, ...] = (),
    save: dict[str, Any] | None = None,
    **lora: Any,
) -> tuple[Path, Path]:
    """An adapter with random weights over a base that may be resized for it, and the two merged."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(1)
    model: Any = AutoModelForCausalLM.from_pretrained(base)
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.add_special_tokens({"additional_special_tokens": list(new_tokens)})
    if rows:
        model.resize_token_embeddings(rows)
    peft = get_peft_model(
        model, LoraConfig(r=4, lora_alpha=16, target_modules=["q_proj", "v_proj"], init_lora_weights=False, **lora)
    )
    with torch.no_grad():
        for name, parameter in peft.named_parameters():
            if "trainable_tokens" in name or "modules_to_save" in name:
                parameter += torch.randn_like(parameter) * 0.3
    peft.save_pretrained(folder / "adapter", **(save or {}))
    tokenizer.save_pretrained(folder / "adapter")
    merged = peft.merge_and_unload()
    merged.save_pretrained(folder / "merged")
    tokenizer.save_pretrained(folder / "merged")
    return folder / "adapter", folder / "merged"


def faults(adapter: Path, **keys: Any) -> list[str]:
    model = ModelSpec(name="m", source=str(adapter), **keys)
    return content_faults(model, resolve_source(model, "hf"), talks=True)


SAVED: dict[str, dict[str, Any]] = {
    "no rows": {},
    "whole tables": {"modules_to_save": ["embed_tokens", "lm_head"], "ensure_weight_tying": True},
    "resized to fewer": {"rows": TOKENS, "save": {"save_embedding_layers": True}},
    "resized to more": {"rows": 448, "save": {"save_embedding_layers": True}},
    "new tokens in the padding": {"new_tokens": NEW, "trainable_token_indices": [TOKENS, TOKENS + 1]},
}


@pytest.mark.parametrize("saved", SAVED)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_an_adapter_answers_as_its_merged_twin(base: Path, tmp_path: Path, saved: str) -> None:
    adapter, merged = adapted(base, tmp_path, **SAVED[saved])
    assert faults(adapter) == []
    one, twin = load(adapter), load(merged)
    assert (
        one.opened.model.get_output_embeddings().weight.shape == twin.opened.model.get_output_embeddings().weight.shape
    )
    expected = log_probabilities(twin.respond(choices()))
    assert log_probabilities(one.respond(choices())) == pytest.approx(expected, abs=1e-4)
    assert expected != pytest.approx(log_probabilities(load(base).respond(choices())), abs=0.1)


@pytest.mark.parametrize("base", [True], indirect=True, ids=["tied"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_rows_trained_beyond_the_base_are_added(base: Path, tmp_path: Path) -> None:
    beyond = [PADDED, PADDED + 1]
    adapter, merged = adapted(base, tmp_path, rows=PADDED + 2, trainable_token_indices=beyond)
    assert faults(adapter) == []
    expected = log_probabilities(load(merged).respond(choices()))
    assert log_probabilities(load(adapter).respond(choices())) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    "lora",
    [{}, {"trainable_token_indices": [5]}],
    ids=["none", "of another token"],
)
def test_added_tokens_whose_rows_are_not_saved_are_refused_by_name(
    tiny_model: TinyModel, tmp_path: Path, lora: Any
) -> None:
    path = tiny_model(architecture="llama")
    adapter, _ = adapted(path, tmp_path, rows=TOKENS + 2, new_tokens=NEW, save={"save_embedding_layers": False}, **lora)
    assert faults(adapter) == [
        f"model 'm': the tokens '<|new|>' (id 320), '<|other|>' (id 321) of the adapter {adapter} lie beyond the 320 "
        f"rows of {path}, and it has not saved their rows: save it with save_embedding_layers=True, or go "
        f"without these tokens, with tokenizer={path}"
    ]
    assert faults(adapter, tokenizer=str(path)) == []


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_rows_of_one_table_are_not_those_of_the_other(tiny_model: TinyModel, tmp_path: Path) -> None:
    path = tiny_model(architecture="llama")
    adapter, _ = adapted(
        path,
        tmp_path,
        rows=TOKENS + 2,
        new_tokens=NEW,
        trainable_token_indices=[TOKENS, TOKENS + 1],
        save={"save_embedding_layers": False},
    )
    (line,) = faults(adapter)
    assert "has not saved their rows" in line


def test_an_adapter_that_finds_no_place_in_its_base_is_refused(tiny_model: TinyModel, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file
    from transformers import AutoModelForCausalLM

    path = tiny_model(architecture="llama")
    adapter, _ = adapted(path, tmp_path)
    weights = adapter / "adapter_model.safetensors"
    save_file({key.replace("layers", "blocks"): value for key, value in load_file(weights).items()}, weights)
    with pytest.raises(IncompleteAdapterError, match="does not fit its base"):
        with_adapter(AutoModelForCausalLM.from_pretrained(path), adapter)


def test_a_pickled_adapter_answers_the_same(tiny_model: TinyModel, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    adapter, _ = adapted(tiny_model(architecture="llama"), tmp_path)
    pickled = Path(shutil.copytree(adapter, tmp_path / "pickled"))
    torch.save(load_file(adapter / "adapter_model.safetensors"), pickled / "adapter_model.bin")
    (pickled / "adapter_model.safetensors").unlink()
    assert json.loads((pickled / "adapter_config.json").read_text())["peft_type"] == "LORA"
    expected = log_probabilities(load(adapter).respond(choices()))
    assert log_probabilities(load(pickled, allow_bin=True).respond(choices())) == pytest.approx(expected, abs=1e-6)


def test_the_heads_weights_are_not_copied_for_each_row(base: Path, tmp_path: Path) -> None:
    """As torch copies frozen ones where a slice of the states is multiplied with them."""
    from torch.profiler import ProfilerActivity, profile

    adapter, _ = adapted(base, tmp_path)
    model: Any = load(adapter).opened.model
    head, states = model.get_output_embeddings(), torch.randn(3, 5, model.config.hidden_size)
    with torch.inference_mode(), profile(activities=[ProfilerActivity.CPU]) as products:
        head(states[:, -1:])
    names = {event.key for event in products.key_averages()}
    assert "aten::mm" in names
    assert "aten::bmm" not in names
    assert not any(parameter.requires_grad for name, parameter in model.named_parameters() if "layers" in name)
