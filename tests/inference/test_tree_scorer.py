"""Scores of the tree, against a plain forward of each request alone."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from mplus_eval.inference import attention
from mplus_eval.inference import tree_scorer as scorer
from mplus_eval.inference.budget import Budget
from mplus_eval.inference.tree import Request
from mplus_eval.inference.tree_scorer import TreeScorer
from tests.inference.families import TREE, VOCABULARY, build, largest_difference, plain, some_requests

REQUESTS = some_requests()
N_PREFIXES = len({one.inputs[: n + 1] for one in REQUESTS for n in range(len(one.inputs))})


@pytest.fixture(scope="module")
def llama() -> Any:
    return build(TREE["Llama"])


@pytest.mark.parametrize("family", ["Llama", "Mistral, window"])
@pytest.mark.parametrize("tokens", [7, 60, 4096])
@pytest.mark.parametrize("rows", [3, 4096])
def test_every_budget_gives_a_plain_forward_s_numbers(family: str, tokens: int, rows: int) -> None:
    model = build(TREE[family])
    tree = TreeScorer(model, Budget(tokens, rows))
    assert largest_difference(tree.score(REQUESTS), plain(model, REQUESTS)) < 1e-4
    assert tree.n_tokens == N_PREFIXES


def test_no_forward_computes_more_than_the_budget(llama: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def noting(model: Any, positions: list[int], inputs: dict[str, Any]) -> torch.Tensor:
        sizes.append((inputs["input_ids"].shape[1], len(positions)))
        return logits_at(model, positions, inputs)

    logits_at = scorer.logits_at
    monkeypatch.setattr(scorer, "logits_at", noting)
    TreeScorer(llama, Budget(tokens=20, rows=5)).score(REQUESTS)
    assert max(tokens for tokens, _ in sizes) <= 20
    assert max(rows for _, rows in sizes) <= 5
    assert sum(tokens for tokens, _ in sizes) == N_PREFIXES


def test_segments_longer_than_the_longest_are_split(llama: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorer, "LONGEST_SEGMENT", 5)
    tree = TreeScorer(llama, Budget())
    assert largest_difference(tree.score(REQUESTS), plain(llama, REQUESTS)) < 1e-4
    assert tree.n_tokens == N_PREFIXES


def test_greedy_is_true_only_where_every_target_is_the_likeliest(llama: Any) -> None:
    context: tuple[int, ...] = (5, 6, 7)
    likeliest = context
    with torch.inference_mode():
        for _ in range(3):
            likeliest = (*likeliest, int(llama(torch.tensor([likeliest])).logits[0, -1].argmax()))
    right = likeliest[3:]
    wrong = (right[0], (right[1] + 1) % VOCABULARY, right[2])
    requests = [Request((context + answer)[:-1], answer) for answer in (right, wrong, right[:1])]
    assert [greedy for _, greedy in TreeScorer(llama, Budget()).score(requests)] == [True, False, True]


def test_nothing_to_score_sums_to_nothing(llama: Any) -> None:
    assert TreeScorer(llama, Budget()).score([]) == []
    assert TreeScorer(llama, Budget()).score([Request((5, 6), ())]) == [(0.0, True)]


def test_absolute_positions_up_to_the_last() -> None:
    for family in ("GPT-2", "OPT"):
        model = build(TREE[family])
        longest = 256
        inputs = tuple(3 + n % 90 for n in range(longest))
        requests = [Request(inputs, (4, 5)), Request((*inputs[:-1], 7), (6,)), Request(inputs[1:], (8,))]
        assert largest_difference(TreeScorer(model, Budget(100)).score(requests), plain(model, requests)) < 1e-4


def test_a_model_without_logits_to_keep(llama: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = llama.forward

    def forward(input_ids: Any, position_ids: Any = None, use_cache: bool = False) -> Any:
        return inner(input_ids=input_ids, position_ids=position_ids, use_cache=use_cache)

    expected = plain(llama, REQUESTS)
    monkeypatch.setattr(llama, "forward", forward)
    assert largest_difference(TreeScorer(llama, Budget(60)).score(REQUESTS), expected) < 1e-4


def test_an_adapter_on_a_model() -> None:
    from peft import LoraConfig, get_peft_model

    model = build(TREE["Llama"])
    before = plain(model, REQUESTS)
    torch.manual_seed(1)
    settings = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
    adapted = get_peft_model(model, settings).eval()
    expected = plain(adapted, REQUESTS)
    assert max(abs(one - other) for (one, _), (other, _) in zip(before, expected, strict=True)) > 1
    assert largest_difference(TreeScorer(adapted, Budget(60)).score(REQUESTS), expected) < 1e-4
    assert model.config._attn_implementation == "sdpa"


@pytest.mark.parametrize("embeddings", ["cpu", "disk"])
def test_a_model_whose_parts_are_fetched_when_they_are_needed(llama: Any, tmp_path: Path, embeddings: str) -> None:
    llama.save_pretrained(tmp_path / "model")
    elsewhere = {"model.layers": "disk", "model.norm": "cpu", "model.rotary_emb": "cpu", "lm_head": "disk"}
    model = AutoModelForCausalLM.from_pretrained(
        tmp_path / "model",
        device_map={"model.embed_tokens": embeddings, **elsewhere},
        offload_folder=tmp_path / "offloaded",
    )
    assert largest_difference(TreeScorer(model, Budget(60)).score(REQUESTS), plain(llama, REQUESTS)) < 1e-4


def test_scores_are_capped_as_the_model_s_own_kernel_does() -> None:
    """Gemma 2 caps them, PyTorch's kernel does not; both give a plain forward's numbers, which differ."""
    model = build(TREE["Gemma 2"], attn_logit_softcapping=2.0)
    found = {}
    for kernel in ("eager", "sdpa"):
        model.set_attn_implementation(kernel)
        found[kernel] = plain(model, REQUESTS)
        assert largest_difference(TreeScorer(model, Budget(60)).score(REQUESTS), found[kernel]) < 1e-4
        assert model.config._attn_implementation == kernel
    assert abs(found["eager"][0][0] - found["sdpa"][0][0]) > 1e-3


def test_a_model_that_returns_no_numbers_gives_none() -> None:
    model = build(TREE["Llama"])
    model.lm_head.weight.data.fill_(math.nan)
    assert all(math.isnan(value) for value, _ in TreeScorer(model, Budget()).score(REQUESTS))


def test_attention_that_is_not_called_in_every_layer_is_refused(llama: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = TreeScorer(llama, Budget())
    monkeypatch.setattr(llama.config, "num_hidden_layers", 4)
    with pytest.raises(RuntimeError, match="attention was computed 3 times in 4 layers"):
        TreeScorer(llama, Budget()).score(REQUESTS)
    assert llama.config._attn_implementation == "sdpa"
    assert attention._active is None
    monkeypatch.undo()
    assert len(tree.score(REQUESTS)) == len(REQUESTS)
