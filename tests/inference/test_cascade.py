"""Partial attention and its merging, against a softmax over all keys in float64."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from mplus_eval.inference import cascade
from mplus_eval.inference.cascade import Carried, PackState, attending, partial_attention, tree_attention

SCALE = 0.4
HEADS, KEY_HEADS, DIMENSION = 4, 2, 8
NO_MODULE: Any = SimpleNamespace()


def random_tensor(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 2


def reference(
    query: Tensor, key: Tensor, value: Tensor, seen: Tensor, softcap: float | None = None, sinks: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Softmax over the keys that `seen` (queries, keys) allows, and the log-sum-exp, in float64."""
    query, key, value = query.double(), key.double(), value.double()
    repeats = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1)
    scores = query @ key.transpose(-1, -2) * SCALE
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    weights = torch.where(seen, scores.exp(), 0.0)
    total = weights.sum(-1, keepdim=True)
    share = total if sinks is None else total + sinks.double().exp().view(1, -1, 1, 1)
    return torch.where(total > 0, weights / share, 0.0) @ value, total.log()[..., 0]


def run(kernel: str, query: Tensor, key: Tensor, value: Tensor, causal: bool, mask: Tensor | None) -> Any:
    if kernel == "flash":
        return cascade._flash_on_cpu(query, key, value, causal, SCALE, mask)
    return cascade._by_hand(query, key, value, causal, SCALE, None, mask)


@pytest.mark.parametrize("kernel", ["flash", "by hand"])
@pytest.mark.parametrize("n_queries", [1, 7, 80])
@pytest.mark.parametrize("key_heads", [1, 2, 4])
def test_all_keys_seen(kernel: str, n_queries: int, key_heads: int) -> None:
    query = random_tensor(1, HEADS, n_queries, DIMENSION)
    key, value = (random_tensor(1, key_heads, 13, DIMENSION, seed=seed) for seed in (1, 2))
    out, lse = run(kernel, query, key, value, False, None)
    expected, total = reference(query, key, value, torch.ones(n_queries, 13, dtype=torch.bool))
    torch.testing.assert_close(out.double(), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(lse.double(), total, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kernel", ["flash", "by hand"])
def test_causal(kernel: str) -> None:
    query = random_tensor(1, HEADS, 9, DIMENSION)
    key, value = (random_tensor(1, KEY_HEADS, 9, DIMENSION, seed=seed) for seed in (1, 2))
    out, lse = run(kernel, query, key, value, True, None)
    expected, total = reference(query, key, value, torch.ones(9, 9, dtype=torch.bool).tril())
    torch.testing.assert_close(out.double(), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(lse.double(), total, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kernel", ["flash", "by hand"])
def test_a_query_that_sees_no_key_adds_nothing(kernel: str) -> None:
    query = random_tensor(1, HEADS, 5, DIMENSION)
    key, value = (random_tensor(1, KEY_HEADS, 6, DIMENSION, seed=seed) for seed in (1, 2))
    mask = torch.rand(5, 6, generator=torch.Generator().manual_seed(3)) < 0.5
    mask[2] = False
    mask[3] = True
    out, lse = run(kernel, query, key, value, False, mask)
    expected, total = reference(query, key, value, mask)
    torch.testing.assert_close(out.double(), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(lse.double(), total, atol=1e-5, rtol=0)
    assert out[:, :, 2].abs().max() == 0
    assert bool((lse[:, :, 2] == float("-inf")).all())


@pytest.mark.parametrize("mask", [None, torch.tensor([[True, False, True], [False, False, False]])])
def test_capped_scores_and_values_of_another_width(mask: Tensor | None) -> None:
    query, key = random_tensor(1, HEADS, 2, DIMENSION), random_tensor(1, KEY_HEADS, 3, DIMENSION, seed=1)
    value = random_tensor(1, KEY_HEADS, 3, 5, seed=2)
    out, lse = partial_attention(query, key, value, False, SCALE, 1.5, mask)
    seen = torch.ones(2, 3, dtype=torch.bool) if mask is None else mask
    expected, total = reference(query, key, value, seen, softcap=1.5)
    torch.testing.assert_close(out.double(), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(lse.double(), total, atol=1e-5, rtol=0)


# A pack: segment A (tokens 0 to 3), its children B (4, 5) and C (6 to 8), C's child D (9, 10), and a root E (11 to 13).
BLOCKS = [(0, 4, 11), (4, 6, 6), (6, 9, 11), (9, 11, 11), (11, 14, 14)]
POSITIONS = [0, 1, 2, 3, 4, 5, 4, 5, 6, 7, 8, 0, 1, 2]
PARENT_OF = {0: None, 1: 0, 2: 0, 3: 2, 4: None}


def seen_in_pack(window: int | None) -> Tensor:
    """Who sees whom, from the definition: ancestors and the own past, within the window."""
    segment_of = [number for number, (start, stop, _) in enumerate(BLOCKS) for _ in range(start, stop)]
    seen = torch.zeros(14, 14, dtype=torch.bool)
    for one in range(14):
        line: list[int] = []
        segment: int | None = segment_of[one]
        while segment is not None:
            line.append(segment)
            segment = PARENT_OF[segment]
        for other in range(14):
            distance = POSITIONS[one] - POSITIONS[other]
            seen[one, other] = segment_of[other] in line and distance >= 0 and (window is None or distance < window)
    return seen


def attend(state: PackState, *tensors: Tensor, **options: Any) -> Tensor:
    with attending(state):
        return tree_attention(NO_MODULE, *tensors, None, scaling=SCALE, **options)[0]


@pytest.mark.parametrize("window", [None, 1, 2, 3, 5, 9])
@pytest.mark.parametrize("softcap", [None, 2.0])
@pytest.mark.parametrize("sinks", [None, torch.tensor([0.5, -1.0, 2.0, 0.0])])
def test_a_pack_is_one_softmax_over_ancestors(window: int | None, softcap: float | None, sinks: Tensor | None) -> None:
    query = random_tensor(1, HEADS, 14, DIMENSION)
    key, value = (random_tensor(1, KEY_HEADS, 14, DIMENSION, seed=seed) for seed in (1, 2))
    state = PackState(BLOCKS, torch.tensor(POSITIONS), [], {})
    out = attend(state, query, key, value, sliding_window=window, softcap=softcap, s_aux=sinks)
    expected, _ = reference(query, key, value, seen_in_pack(window), softcap, sinks)
    torch.testing.assert_close(out.double(), expected.transpose(1, 2), atol=1e-5, rtol=0)
    assert state.n_layers == 1
    assert state.windows == {window}


@pytest.mark.parametrize("window", [None, 3, 5])
def test_what_an_earlier_pack_kept_is_carried_into_the_next(window: int | None) -> None:
    """Two layers, the pack cut after B: A is kept, and C, D and E follow."""
    layers = [[random_tensor(1, heads, 14, DIMENSION, seed=10 * n + heads) for heads in (4, 2, 2)] for n in (1, 2)]
    positions = torch.tensor(POSITIONS)
    first = PackState([(0, 4, 6), (4, 6, 6)], positions[:6], [], {0: (0, 4)})
    for tensors in layers:
        attend(first, *(one[:, :, :6] for one in tensors), sliding_window=window)
    carried = Carried(first.new[0], positions[:4], stop=5)
    rest = [(start - 6, stop - 6, end - 6) for start, stop, end in BLOCKS[2:]]
    second = PackState(rest, positions[6:], [carried], {})
    for query, key, value in layers:
        out = attend(second, query[:, :, 6:], key[:, :, 6:], value[:, :, 6:], sliding_window=window)
        expected, _ = reference(query, key, value, seen_in_pack(window))
        torch.testing.assert_close(out.double(), expected.transpose(1, 2)[:, 6:], atol=1e-5, rtol=0)


def test_a_cap_is_left_where_the_model_s_own_kernel_leaves_it() -> None:
    tensors = [random_tensor(1, 2, 3, DIMENSION, seed=seed) for seed in range(3)]
    state = PackState([(0, 3, 3)], torch.arange(3), [], {}, caps=False)
    expected, _ = reference(*tensors, torch.ones(3, 3, dtype=torch.bool).tril())
    torch.testing.assert_close(
        attend(state, *tensors, softcap=0.5).double(), expected.transpose(1, 2), atol=1e-5, rtol=0
    )


def test_attention_outside_a_pack_is_refused() -> None:
    one = random_tensor(1, 1, 1, DIMENSION)
    with pytest.raises(RuntimeError, match="outside a pack"):
        tree_attention(NO_MODULE, one, one, one, None)


def test_a_bias_of_positions_is_refused_and_the_pack_is_left_again() -> None:
    one = random_tensor(1, 1, 1, DIMENSION)
    state = PackState([(0, 1, 1)], torch.tensor([0]), [], {})
    with pytest.raises(NotImplementedError, match="bias"):
        attend(state, one, one, one, position_bias=one)
    assert cascade._active is None
