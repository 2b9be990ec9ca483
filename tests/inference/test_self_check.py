"""The check that chooses a tier: what it asks, what it refuses, and what it leaves behind."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from transformers import AttentionInterface

from mplus_eval.inference import attention, self_check
from mplus_eval.inference.budget import Budget
from mplus_eval.inference.self_check import Tier, accepted, choose_tier, difference, made_up_requests, scorer_of
from mplus_eval.inference.shared_prefix import SharedPrefixScorer
from mplus_eval.inference.tree import Request
from mplus_eval.inference.tree_scorer import TreeScorer
from tests.inference.families import LONGEST, SHARED_PREFIX, TREE, VOCABULARY, build, plain


@pytest.fixture(scope="module")
def llama() -> Any:
    return build(TREE["Llama"])


class Wrong(TreeScorer):
    """A tree whose last value is off by a little."""

    off = 0.01

    def score(self, requests: Sequence[Request]) -> list[tuple[float, bool]]:
        found = super().score(requests)
        return [*found[:-1], (found[-1][0] + self.off, found[-1][1])]


def test_made_up_requests_branch_repeat_and_nest(llama: Any) -> None:
    requests = made_up_requests(llama, LONGEST)
    inputs = [one.inputs for one in requests]
    assert len(set(inputs)) < len(inputs)
    assert any(one != other and other[: len(one)] == one for one in inputs for other in inputs)
    assert len({one[:24] for one in inputs}) < len(inputs) / 2
    # What left truncation leaves: tokens of another request, at other positions.
    assert any(other[3:20] == one[:17] for one in inputs for other in inputs)
    assert all(0 < len(one.targets) <= len(one.inputs) for one in requests)
    assert requests == made_up_requests(llama, LONGEST)


def test_made_up_requests_leave_special_tokens_out(llama: Any) -> None:
    used = {token for one in made_up_requests(llama, LONGEST) for token in (*one.inputs, *one.targets)}
    assert used <= set(range(3, VOCABULARY))
    assert len(used) > 50


@pytest.mark.parametrize(
    ("family", "options", "max_length", "longest"),
    [
        ("Llama", {}, 256, 96),
        ("Llama", {}, 50, 50),
        ("Llama", {}, 5, 5),
        ("Mistral, window", {"sliding_window": 150}, 256, 182),
        ("Mistral, window", {"sliding_window": 150}, 160, 160),
        ("Mistral, window", {"sliding_window": 4096}, 8192, 96),
    ],
)
def test_requests_are_as_long_as_the_window_asks_and_the_model_allows(
    family: str, options: dict[str, int], max_length: int, longest: int
) -> None:
    lengths = [len(one.inputs) for one in made_up_requests(build(TREE[family], **options), max_length)]
    assert max(lengths) == longest


@pytest.mark.parametrize("max_length", [1, 2, 7, 30])
def test_a_short_model_is_checked_within_its_length(max_length: int) -> None:
    model = build(TREE["GPT-2"], n_positions=max_length)
    assert choose_tier(model, max_length).name == "tree"


def test_a_budget_that_splits_everything(llama: Any) -> None:
    assert choose_tier(llama, LONGEST, Budget(tokens=5, rows=2)).name == "tree"


def test_the_largest_difference_a_token() -> None:
    requests = [Request((1, 2), (3, 4)), Request((1,), (2,))]
    assert difference([(-3.0, True), (-1.5, False)], [-3.5, -1.6], requests) == pytest.approx(0.25)
    assert math.isnan(difference([(-3.0, True), (math.nan, False)], [-3.5, -1.6], requests))
    assert math.isnan(difference([(math.nan, True), (-1.5, False)], [-3.5, -1.6], requests))


@pytest.mark.parametrize("off", [0.01, math.nan])
def test_a_tier_that_is_off_is_left(llama: Any, monkeypatch: pytest.MonkeyPatch, off: float) -> None:
    monkeypatch.setattr(Wrong, "off", off)
    monkeypatch.setitem(self_check.SCORERS, "tree", Wrong)
    tier = choose_tier(llama, LONGEST)
    assert tier.name == "shared prefix"
    # The last request has two targets.
    size = "0.005" if off == 0.01 else "nan"
    assert tier.why == f"tree: off by {size} nats a token, where 0.0002 is accepted"


def test_a_window_that_attention_ignores_is_found() -> None:
    model = build(TREE["Mistral, window"], sliding_window=120)
    assert choose_tier(model, LONGEST).name == "tree"

    def without_window(*args: Any, sliding_window: int | None = None, **rest: Any) -> Any:
        return attention.attention(*args, **rest)

    AttentionInterface.register(attention.NAME, without_window)
    try:
        tier = choose_tier(model, LONGEST)
        unreached = choose_tier(build(TREE["Mistral, window"], sliding_window=4096), 8192)
    finally:
        AttentionInterface.register(attention.NAME, attention.attention)
    assert tier.name == "shared prefix"
    assert tier.why.startswith("tree: off by ")
    assert unreached.why == "tree: attention is not told of the sliding window of 4096 tokens"


@pytest.mark.parametrize(
    "error", [NotImplementedError, TypeError, RuntimeError, ValueError, AttributeError, IndexError, KeyError]
)
def test_an_error_in_a_tier_fails_it_and_is_told_in_one_line(
    llama: Any, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def fail(self: Any, requests: Any) -> Any:
        raise error("no such thing\nas this")

    monkeypatch.setattr(TreeScorer, "score", fail)
    tier = choose_tier(llama, LONGEST)
    assert tier.name == "shared prefix"
    assert "no such thing" in tier.why
    assert "\n" not in tier.why


def test_a_model_that_made_up_requests_break_is_left_plain(llama: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: Any) -> Any:
        raise AssertionError("only text\nof poems")

    monkeypatch.setattr(llama, "forward", fail)
    assert choose_tier(llama, LONGEST) == Tier("plain", 0.0, 0.0, "made-up requests: AssertionError: only text")


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: not enough memory: you tried"),
        MemoryError(),
    ],
)
def test_out_of_memory_is_not_a_failed_check(llama: Any, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(TreeScorer, "score", fail)
    with pytest.raises(type(error)):
        choose_tier(llama, LONGEST)


def test_the_model_is_left_as_it_was() -> None:
    for family in (TREE["Gemma 2"], SHARED_PREFIX["Falcon"]):
        model = build(family)
        model.set_attn_implementation("eager")
        requests = [Request((5, 6, 7, 8), (9, 10))]
        kernel, before = model.config._attn_implementation, plain(model, requests)
        choose_tier(model, LONGEST)
        assert model.config._attn_implementation == kernel
        assert plain(model, requests) == before


def test_an_adapter_is_checked_as_a_whole(llama: Any) -> None:
    from peft import LoraConfig, get_peft_model

    settings = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
    tier = choose_tier(get_peft_model(build(TREE["Llama"]), settings).eval(), LONGEST)
    assert (tier.name, tier.why) == ("tree", "")


@pytest.mark.filterwarnings("ignore:Position ids are not supported")
def test_learned_prefixes_of_an_adapter_are_left_plain() -> None:
    from peft import PromptTuningConfig, get_peft_model

    settings = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4)
    tier = choose_tier(get_peft_model(build(TREE["Llama"]), settings).eval(), LONGEST)
    assert tier.name == "plain"


def test_large_log_probabilities_are_allowed_more_rounding(llama: Any) -> None:
    sharp = build(TREE["Llama"])
    sharp.lm_head.weight.data *= 30
    assert choose_tier(llama, LONGEST).tolerance == 2e-4
    tier = choose_tier(sharp, LONGEST)
    assert tier.name == "tree"
    assert tier.tolerance > 1e-3


@pytest.mark.parametrize(
    ("dtype", "right", "wrong"), [("float32", 8e-6, 0.02), ("bfloat16", 0.51, 2.6), ("float16", 0.1, 2.6)]
)
def test_what_is_accepted_lies_between_right_and_wrong_tiers_as_they_were_measured(
    dtype: str, right: float, wrong: float
) -> None:
    assert right < accepted(dtype, mean=-15.0, noise=0.0) < wrong
    # A model whose plain forwards differ from batch to batch is allowed four times that, in half precision.
    rough = accepted(dtype, mean=-15.0, noise=0.6)
    assert rough == (accepted(dtype, mean=-15.0, noise=0.0) if dtype == "float32" else 2.4)


def test_the_scorer_of_each_tier(llama: Any) -> None:
    budget = Budget(7, 3)
    tree = scorer_of(Tier("tree", 0.0, 1.0, ""), llama, budget)
    shared = scorer_of(Tier("shared prefix", 0.0, 1.0, ""), llama, budget)
    assert isinstance(tree, TreeScorer)
    assert isinstance(shared, SharedPrefixScorer)
    assert tree.budget == shared.budget == budget
    assert scorer_of(Tier("plain", 0.0, 1.0, ""), llama) is None
