"""How much is computed at once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from mplus_eval.inference.budget import Budget, find_budget, layers_by_gpu


def test_halving_ends_where_nothing_is_left_to_halve() -> None:
    budget = Budget()
    for _ in range(20):
        budget = budget.halved()
    assert budget == Budget(tokens=64, rows=16, slots=1, cached=64)


def test_a_batch_size_that_was_asked_for_is_items_of_sixty_four_tokens() -> None:
    assert Budget.of_batch(16) == Budget(tokens=1024, rows=1024, slots=128, cached=65536)
    assert Budget.of_batch(1) == Budget(tokens=64, rows=64, slots=8, cached=4096)
    assert Budget.of_batch(6).tokens < Budget.of_batch(16).tokens


def test_on_a_processor_rows_of_a_wide_vocabulary_are_few() -> None:
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    wide = LlamaForCausalLM(LlamaConfig(vocab_size=100_000, **sizes))
    narrow = LlamaForCausalLM(LlamaConfig(vocab_size=100, **sizes))
    # 256 MiB over 12 bytes for each of 100,000 logits.
    assert find_budget(wide).rows == 223
    assert find_budget(narrow) == Budget()


def test_on_an_accelerator_each_part_gets_a_quarter_of_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    config = LlamaConfig(
        vocab_size=1000, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2,
    )  # fmt: skip
    model: Any = SimpleNamespace(config=config, device=torch.device("cuda"), dtype=torch.bfloat16)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (4 * 2**20, 8 * 2**20))
    # A token: keys and values are 2 · 2 bytes · 16 · 2 heads · 2 layers = 256 bytes, what is active in one layer
    # 2 bytes · (3 · 128 + 6 · 64) = 1,536 more; a row of logits has 12 bytes · 1,000.
    assert find_budget(model) == Budget(tokens=2**20 // 1792, rows=2**20 // 12000, slots=256, cached=2**20 // 256)


def spread(places: dict[str, Any]) -> Any:
    config = LlamaConfig(
        vocab_size=1000, hidden_size=64, intermediate_size=128, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2,
    )  # fmt: skip
    return SimpleNamespace(config=config, device=torch.device("meta"), dtype=torch.bfloat16, hf_device_map=places)


def test_layers_count_for_the_gpu_that_computes_them() -> None:
    """What is fetched from memory or disk is computed on the first one; without GPUs, nothing is."""
    layers = {"model.layers.0": 1, "model.layers.1": 2, "model.layers.2": "disk"}
    model = spread({"model.embed_tokens": 1, **layers, "model.norm": "cpu", "lm_head": 2})
    assert layers_by_gpu(model) == {torch.device("cuda", 1): 2, torch.device("cuda", 2): 1}
    assert layers_by_gpu(spread({"model.embed_tokens": "cpu", "model.layers": "disk"})) == {}
    # All layers in one entry: nobody says which GPU has how many.
    assert layers_by_gpu(spread({"model.embed_tokens": 0, "model.layers": 1, "lm_head": 1})) == {
        torch.device("cuda", 0): 3,
        torch.device("cuda", 1): 3,
    }


def test_of_several_gpus_the_one_with_least_for_its_layers_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    free = {torch.device("cuda", 0): 4 * 2**20, torch.device("cuda", 1): 2 * 2**20}
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free[device], 8 * 2**20))
    layers = {"model.layers.0": 0, "model.layers.1": 0, "model.layers.2": 1}
    # Keys and values of a token are 128 bytes a layer: GPU 0 holds two layers in 2^20 bytes, GPU 1 one in half of that.
    # What is active in one layer is 1,536 bytes more; rows of logits lie on the one, or the other.
    assert find_budget(spread({"model.embed_tokens": 0, **layers, "lm_head": 1})) == Budget(
        tokens=2**19 // (1536 + 128), rows=2**19 // 12000, slots=256, cached=2**20 // 256
    )
