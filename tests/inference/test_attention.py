"""The seam to transformers, and partial attention and its merging against a softmax over all keys in float64."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from mplus_eval.inference import attention as seam
from mplus_eval.inference.attention import (
    NAME,
    Softmax,
    attending,
    attention,
    has_kernel,
    heeds_caps,
    merge,
    own_attention,
    partial_attention,
    with_sinks,
)
from tests.inference.families import SHARED_PREFIX, TREE, build
from tests.inference.reference import DIMENSION, HEADS, KEY_HEADS, SCALE, random_tensor, softmax_attention

NO_MODULE: Any = SimpleNamespace()


class Noting:
    """A computation that notes what it is asked."""

    def __init__(self, caps: bool = True) -> None:
        self.caps, self.n_layers = caps, 0
        self.asked: list[tuple[int, Softmax]] = []

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, softmax: Softmax) -> Tensor:
        self.asked.append((layer, softmax))
        return query


@pytest.fixture(params=[True, False], ids=["kernel", "by hand"])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to compute attention, each wherever it is asked for."""
    monkeypatch.setattr(seam, "has_kernel", lambda *_: request.param)


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize("n_queries", [1, 7, 80])
@pytest.mark.parametrize("key_heads", [1, 2, 4])
def test_all_keys_seen(n_queries: int, key_heads: int) -> None:
    query = random_tensor(1, HEADS, n_queries, DIMENSION)
    key, value = (random_tensor(1, key_heads, 13, DIMENSION, seed=seed) for seed in (1, 2))
    out, lse = partial_attention(query, key, value, Softmax(SCALE))
    expected, total = softmax_attention(query, key, value, torch.ones(n_queries, 13, dtype=torch.bool))
    torch.testing.assert_close(out.double(), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(lse.double(), total, atol=1e-5, rtol=0)


@pytest.mark.usefixtures("kernel")
def test_causal() -> None:
    query = random_tensor(1, HEADS, 9, DIMENSION)
    key, value = (random_tensor(1, KEY_HEADS, 9, DIMENSION, seed=seed) for seed in (1, 2))
    out, lse = partial_attention(query, key, value, Softmax(SCALE), causal=True)
    expected, total = softmax_attention(query, key, value, torch.ones(9, 9, dtype=torch.bool).tril())
    torch.testing.assert_close(out.double(), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(lse.double(), total, atol=1e-5, rtol=0)


@pytest.mark.usefixtures("kernel")
def test_a_query_that_sees_no_key_adds_nothing() -> None:
    query = random_tensor(1, HEADS, 5, DIMENSION)
    key, value = (random_tensor(1, KEY_HEADS, 6, DIMENSION, seed=seed) for seed in (1, 2))
    mask = torch.rand(5, 6, generator=torch.Generator().manual_seed(3)) < 0.5
    mask[2] = False
    mask[3] = True
    out, lse = partial_attention(query, key, value, Softmax(SCALE), mask=mask)
    expected, total = softmax_attention(query, key, value, mask)
    torch.testing.assert_close(out.double(), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(lse.double(), total, atol=1e-5, rtol=0)
    assert out[:, :, 2].abs().max() == 0
    assert bool((lse[:, :, 2] == float("-inf")).all())


@pytest.mark.parametrize("mask", [None, torch.tensor([[True, False, True], [False, False, False]])])
def test_capped_scores_and_values_of_another_width(mask: Tensor | None) -> None:
    query, key = random_tensor(1, HEADS, 2, DIMENSION), random_tensor(1, KEY_HEADS, 3, DIMENSION, seed=1)
    value = random_tensor(1, KEY_HEADS, 3, 5, seed=2)
    out, lse = partial_attention(query, key, value, Softmax(SCALE, cap=1.5), mask=mask)
    seen = torch.ones(2, 3, dtype=torch.bool) if mask is None else mask
    expected, total = softmax_attention(query, key, value, seen, cap=1.5)
    torch.testing.assert_close(out.double(), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(lse.double(), total, atol=1e-5, rtol=0)


def test_the_kernel_serves_where_it_can() -> None:
    query, narrow = random_tensor(1, 2, 3, 8), random_tensor(1, 2, 3, 5)
    assert has_kernel(query, query, Softmax(SCALE))
    assert not has_kernel(query, narrow, Softmax(SCALE))
    assert not has_kernel(query, query, Softmax(SCALE, cap=3.0))


def test_parts_over_disjoint_keys_merge_to_the_whole() -> None:
    query = random_tensor(1, HEADS, 3, DIMENSION)
    key, value = (random_tensor(1, KEY_HEADS, 9, DIMENSION, seed=seed) for seed in (1, 2))
    out, lse = partial_attention(query, key[:, :, :4], value[:, :, :4], Softmax(SCALE))
    merge(out, lse, *partial_attention(query, key[:, :, 4:], value[:, :, 4:], Softmax(SCALE)))
    expected, total = softmax_attention(query, key, value, torch.ones(3, 9, dtype=torch.bool))
    torch.testing.assert_close(out.double(), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(lse.double(), total, atol=1e-5, rtol=0)


def test_a_sink_takes_its_share_of_the_weight() -> None:
    # One key with a score of 0 and a sink of log 3: the key keeps a quarter.
    out, lse = torch.full((1, 1, 1, 2), 8.0), torch.zeros(1, 1, 1)
    assert torch.allclose(with_sinks(out, lse, torch.tensor([3.0]).log()), torch.full((1, 1, 1, 2), 2.0))
    assert with_sinks(out, lse, None) is out


def test_layers_are_counted_and_told_how_to_weigh() -> None:
    one, sinks = random_tensor(1, 1, 1, 16), torch.tensor([1.0])
    computation = Noting()
    with attending(computation):
        attention(NO_MODULE, one, one, one, None, sliding_window=3, softcap=2.0, s_aux=sinks)
        attention(NO_MODULE, one, one, one, None, scaling=0.5)
    assert computation.asked == [(0, Softmax(0.25, 3, 2.0, sinks)), (1, Softmax(0.5))]
    assert computation.n_layers == 2


def test_a_cap_is_left_where_the_model_s_own_kernel_leaves_it() -> None:
    one = random_tensor(1, 1, 1, 16)
    computation = Noting(caps=False)
    with attending(computation):
        attention(NO_MODULE, one, one, one, None, softcap=2.0)
    assert computation.asked == [(0, Softmax(0.25))]


def test_attention_outside_a_computation_is_refused() -> None:
    one = random_tensor(1, 1, 1, DIMENSION)
    with pytest.raises(RuntimeError, match="outside a pack or a step"):
        attention(NO_MODULE, one, one, one, None)


def test_a_bias_of_positions_is_refused_and_the_computation_is_left_again() -> None:
    one = random_tensor(1, 1, 1, DIMENSION)
    with pytest.raises(NotImplementedError, match="bias"), attending(Noting()):
        attention(NO_MODULE, one, one, one, None, position_bias=one)
    assert seam._active is None


def test_the_attention_is_put_back_after_an_error() -> None:
    llama = build(TREE["Llama"])

    def fail() -> None:
        assert llama.config._attn_implementation == NAME
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), own_attention(llama):
        fail()
    assert llama.config._attn_implementation == "sdpa"


def test_attention_of_its_own_cannot_be_exchanged_and_is_left_as_it_was() -> None:
    model = build(SHARED_PREFIX["GPT-J"])
    with pytest.raises(NotImplementedError, match="cannot be exchanged"), own_attention(model):
        pass
    assert model.config._attn_implementation == "eager"


@pytest.mark.parametrize(("kernel", "heeds"), [("sdpa", False), ("eager", True)])
def test_caps_are_heeded_where_the_model_s_own_kernel_does(kernel: str, heeds: bool) -> None:
    model = build(TREE["Llama"])
    model.set_attn_implementation(kernel)
    assert heeds_caps(model) is heeds
