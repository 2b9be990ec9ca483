"""Log-probabilities summed over targets, against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from mplus_eval.inference.logits import Totals, accepted, logits_at
from tests.inference.families import PLAIN, SHARED_PREFIX, TREE, build


def test_sums_by_hand() -> None:
    # Probabilities 1/2, 1/4, 1/4 and 1/8, 7/8, 0.
    logits = torch.tensor([[2.0, 1.0, 1.0], [1.0, 7.0, 0.0]]).log()
    totals = Totals(3)
    totals.add(logits, [(0, 0, 0), (1, 0, 1), (1, 2, 0)])
    totals.add(logits, [(0, 2, 0)])
    totals.add(logits, [])
    found = totals.result()
    assert [value for value, _ in found] == pytest.approx([math.log(7 / 16), 0.0, math.log(1 / 16)], abs=1e-6)
    assert [greedy for _, greedy in found] == [True, True, False]


def test_many_small_terms_keep_their_digits() -> None:
    """A million terms of -0.1: float32 would be off in the second digit after the point."""
    totals = Totals(1)
    logits = torch.tensor([[0.9, 0.1]], dtype=torch.float64).log().float()
    totals.add(logits, [(0, 0, 0)] * 1_000_000)
    each = (logits[0, 0] - torch.logsumexp(logits[0], -1)).item()
    assert totals.result()[0][0] == pytest.approx(1_000_000 * each, abs=1e-3)


@pytest.mark.parametrize("family", [TREE["Gemma 2"], TREE["Cohere"], TREE["Granite"], SHARED_PREFIX["Bloom"]])
def test_logits_of_some_positions_are_those_of_all(family: tuple[str, dict[str, object]]) -> None:
    """Gemma 2 caps its logits, Cohere and Granite scale them, and Bloom takes no positions of tokens."""
    model = build(family)
    tokens = torch.tensor([[5, 6, 7, 8], [9, 10, 11, 12]])
    inputs = {"input_ids": tokens, "position_ids": torch.arange(4).expand(2, -1), "use_cache": False}
    with torch.inference_mode():
        found = logits_at(model, [1, 3], inputs)
        expected = model(tokens).logits[:, [1, 3]]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_what_a_model_takes() -> None:
    assert {"input_ids", "position_ids", "logits_to_keep"} <= accepted(build(TREE["Llama"]))
    assert "position_ids" not in accepted(build(PLAIN["Mamba"]))
