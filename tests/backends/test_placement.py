"""Models whose parts lie in several places answer as the same models in one place."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest
import torch

from mplus_eval.backends import load_backend
from mplus_eval.backends.adapters import OffloadedBaseError
from mplus_eval.backends.hf import HfModel, n_parameters
from mplus_eval.backends.placement import temporary_folder
from mplus_eval.inference.tree_scorer import TreeScorer
from mplus_eval.models.locations import resolve_source
from mplus_eval.spec.model import ModelSpec
from mplus_eval.store.hashes import cache_directory
from tests.backends.requests import choices, generations, log_probabilities, texts
from tests.conftest import TinyModel
from tests.tiny_models import build_adapter

ALL_ON_DISK = {"device_map": "auto", "max_memory": {"cpu": 1}}
EACH_ELSEWHERE = {
    "device_map": {
        "model.embed_tokens": "disk", "model.layers.0": "cpu", "model.layers.1": "disk", "model.norm": "cpu",
        "model.rotary_emb": "cpu", "lm_head": "disk",
    }
}  # fmt: skip


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def load(source: Path, **keys: Any) -> HfModel:
    model = ModelSpec(name="m", source=str(source), **keys)
    backend = load_backend("hf", model, resolve_source(model, "hf"))
    assert isinstance(backend, HfModel)
    return backend


def offloaded() -> list[Path]:
    return list((cache_directory() / "offloaded").glob("*"))


@pytest.mark.parametrize("keys", [{"device_map": "auto"}, ALL_ON_DISK, EACH_ELSEWHERE])
def test_a_model_spread_over_memory_and_disk_answers_as_in_one_place(
    tiny_model: TinyModel, keys: dict[str, Any]
) -> None:
    plain, spread = load(tiny_model(), device="cpu"), load(tiny_model(), **keys)
    assert spread.facts.scoring is not None
    assert spread.facts.scoring.name == "tree"
    assert spread.facts.parameters == plain.facts.parameters
    for asked in (choices(), texts()):
        expected, found = (log_probabilities(each.respond(asked)) for each in (plain, spread))
        assert found == pytest.approx(expected, abs=1e-5)
    assert [each.text for each in spread.respond(generations())] == [each.text for each in plain.respond(generations())]
    assert spread.score_tokens([([3, 4], [5])])[0].log_probability == pytest.approx(
        plain.score_tokens([([3, 4], [5])])[0].log_probability, abs=1e-5
    )
    spread.close()
    assert offloaded() == []


def test_a_family_with_attention_of_its_own_is_asked_by_the_next_tier(tiny_model: TinyModel) -> None:
    source = tiny_model(architecture="gpt2")
    plain, spread = load(source, device="cpu"), load(source, **ALL_ON_DISK)
    for tier in ("shared prefix", "plain"):
        spread.lm.tier = type(spread.lm.tier)(tier, 0.0, 0.0, "")
        found, expected = (log_probabilities(each.respond(choices())) for each in (spread, plain))
        assert found == pytest.approx(expected, abs=1e-5)


def test_a_folder_that_was_named_is_used_and_kept(tiny_model: TinyModel, tmp_path: Path) -> None:
    backend = load(tiny_model(), **ALL_ON_DISK, offload_folder=str(tmp_path / "here"))
    backend.close()
    assert (tmp_path / "here").is_dir()
    assert offloaded() == []


def test_folders_of_processes_that_are_gone_are_removed() -> None:
    parent = cache_directory() / "offloaded"
    left, elsewhere = (parent / f"{machine}.99999999.abc" for machine in (socket.gethostname(), "elsewhere"))
    for folder in (left, elsewhere):
        folder.mkdir(parents=True)
    new = temporary_folder()
    assert not left.exists()
    assert elsewhere.exists()
    assert f".{os.getpid()}." in new.name
    for folder in (new, elsewhere):
        folder.rmdir()


def test_an_adapter_does_not_go_on_a_base_whose_parts_are_fetched(tiny_model: TinyModel, tmp_path: Path) -> None:
    adapter = build_adapter(tmp_path / "adapter", tiny_model())
    assert load(adapter, device_map="auto").respond(choices()) == load(adapter, device="cpu").respond(choices())
    with pytest.raises(OffloadedBaseError, match="merge it into the base first"):
        load(adapter, **ALL_ON_DISK)
    assert offloaded() == []


def test_tied_weights_count_once_wherever_they_lie(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=10, tie_word_embeddings=True, **sizes))
    model.save_pretrained(tmp_path / "model")
    spread = AutoModelForCausalLM.from_pretrained(
        tmp_path / "model", device_map={"": "disk"}, offload_folder=tmp_path / "x"
    )
    # Embedding 80, attention 4 · 64, feed-forward 3 · 64, three norms of 8.
    assert n_parameters(model) == n_parameters(spread) == 80 + 4 * 64 + 3 * 64 + 3 * 8


def test_the_implementation_of_attention_and_the_length_are_those_that_were_asked_for(tiny_model: TinyModel) -> None:
    backend = load(tiny_model(), attn_implementation="eager", max_length=24)
    assert backend.opened.model.config._attn_implementation == "eager"
    assert backend.facts.asking is not None
    assert backend.facts.asking.max_length == 24
    (response,) = backend.score_tokens([([3] * 30, [4])])
    # One more than the length, since the last token is never an input.
    assert response.n_truncated == 30 + 1 - 25


def test_too_little_memory_for_loading_names_the_keys_that_help(
    tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    monkeypatch.setattr("mplus_eval.backends.checked_hflm.WholeModel.from_pretrained", full)
    with pytest.raises(MemoryError, match=r"^out of memory; device_map=auto .* max_memory=.* tp_plan=auto .*"):
        load(tiny_model(), device_map="auto")
    assert offloaded() == []


def test_out_of_memory_halves_what_a_spread_model_computes_at_once(
    tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    spread = load(tiny_model(), **ALL_ON_DISK)
    expected, score = log_probabilities(spread.respond(choices())), TreeScorer.score

    def of_little_memory(self: TreeScorer, requests: Any) -> Any:
        if self.budget.tokens > 256:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return score(self, requests)

    monkeypatch.setattr(TreeScorer, "score", of_little_memory)
    assert spread.lm.budget.tokens == 1024
    assert log_probabilities(spread.respond(choices())) == pytest.approx(expected, abs=1e-5)
    assert spread.lm.budget.tokens == 256


@pytest.fixture
def wide(tiny_model: TinyModel, tmp_path: Path) -> Path:
    """A model whose heads are as wide as FlexAttention needs them, which is what computes the tree on a GPU."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    sizes = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    torch.manual_seed(0)
    ids = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    LlamaForCausalLM(LlamaConfig(vocab_size=320, initializer_range=0.3, **sizes, **ids)).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(tiny_model()).save_pretrained(tmp_path)
    return tmp_path


@pytest.mark.gpu
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-3), ("bfloat16", 1.0)])
def test_a_model_spread_over_gpu_memory_and_disk_answers_as_on_the_gpu(
    wide: Path, dtype: str, tolerance: float
) -> None:
    elsewhere = {"model.layers.0": 0, "model.layers.1": "disk", "model.norm": "cpu", "model.rotary_emb": 0}
    whole = load(wide, device="cuda", dtype=dtype)
    spread = load(wide, device_map={"model.embed_tokens": "cpu", **elsewhere, "lm_head": 0}, dtype=dtype)
    assert spread.facts.scoring is not None
    assert spread.facts.scoring.name == "tree"
    expected, found = (log_probabilities(each.respond(choices())) for each in (whole, spread))
    assert found == pytest.approx(expected, abs=tolerance)
    if dtype == "float32":
        assert [each.text for each in spread.respond(generations())] == [
            each.text for each in whole.respond(generations())
        ]
