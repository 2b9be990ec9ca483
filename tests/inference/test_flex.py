"""Attention in one kernel says what it says segment by segment; here without compilation, on a processor."""

from __future__ import annotations

import pytest
import torch

from mplus_eval.inference.attention import Softmax
from mplus_eval.inference.cascade import Carried, PackState, attention_by_segment
from mplus_eval.inference.flex import flex_attention_of_pack, seen_by

BLOCKS = [(0, 3, 9), (3, 5, 5), (5, 7, 9), (7, 9, 9), (9, 12, 12)]
POSITIONS = [5, 6, 7, 8, 9, 8, 9, 10, 11, 0, 1, 2]


def pack() -> PackState:
    """Five carried tokens above the first nine, and a root of its own after them."""
    generator = torch.Generator().manual_seed(0)
    layer = (torch.randn(1, 2, 5, 16, generator=generator), torch.randn(1, 2, 5, 16, generator=generator))
    return PackState(BLOCKS, torch.tensor(POSITIONS), [Carried([layer], torch.arange(5), 9)], {})


def test_every_key_is_seen_by_one_run_of_queries() -> None:
    first, stop, positions = seen_by(pack())
    assert first.tolist() == [0] * 5 + list(range(12))
    assert stop.tolist() == [9] * 5 + [9] * 3 + [5] * 2 + [9] * 4 + [12] * 3
    assert positions.tolist() == [*range(5), *POSITIONS]


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("softcap", [None, 5.0])
@pytest.mark.parametrize("window", [None, 4])
def test_it_is_what_the_segments_one_by_one_say(window: int | None, softcap: float | None) -> None:
    generator = torch.Generator().manual_seed(1)
    query = torch.randn(1, 4, 12, 16, generator=generator)
    key, value = (torch.randn(1, 2, 12, 16, generator=generator) for _ in range(2))
    state = pack()
    softmax = Softmax(0.25, window, softcap)
    expected, total = attention_by_segment(state, 0, query, key, value, softmax)
    out, lse = flex_attention_of_pack(state, 0, query, key, value, softmax)
    assert torch.allclose(out, expected, atol=1e-5)
    assert torch.allclose(lse, total, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.parametrize("softcap", [None, 5.0])
@pytest.mark.parametrize("window", [None, 4])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 3e-2)])
def test_compiled_on_a_gpu_it_says_the_same(
    window: int | None, softcap: float | None, dtype: torch.dtype, tolerance: float
) -> None:
    generator = torch.Generator().manual_seed(1)
    query = torch.randn(1, 4, 12, 16, generator=generator)
    key, value = (torch.randn(1, 2, 12, 16, generator=generator) for _ in range(2))
    softmax = Softmax(0.25, window, softcap)
    expected, total = attention_by_segment(pack(), 0, query, key, value, softmax)
    state = pack()
    (carried,) = state.carried
    carried.layers = [(keys.to("cuda", dtype), values.to("cuda", dtype)) for keys, values in carried.layers]
    tensors = (each.to("cuda", dtype) for each in (query, key, value))
    out, lse = flex_attention_of_pack(state, 0, *tensors, softmax)
    assert torch.allclose(out.float().cpu(), expected, atol=tolerance)
    assert torch.allclose(lse.cpu(), total, atol=tolerance)
