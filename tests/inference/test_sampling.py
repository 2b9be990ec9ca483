"""Draws against hand-worked distributions, and against a nucleus that is found by sorting."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chisquare, kstest
from torch import Tensor

from mplus_eval.errors import UsageError
from mplus_eval.inference.sampling import BLOCK, Sampling, draw, uniforms

FOUR = torch.tensor([0.25, 0.1, 0.5, 0.15])


def drawn(probabilities: Tensor, sampling: Sampling, n: int, place: int = 0) -> list[int]:
    """Draws from one distribution, by the seeds 0 to n - 1."""
    return draw(probabilities.log().expand(n, -1), sampling, range(n), [place] * n)


def numbers(n: int, which: int) -> list[float]:
    """The first uniform numbers (0 for the block, 1 inside it) of the seeds 0 to n - 1."""
    return list(uniforms(np.arange(n, dtype=np.uint64), np.full(n, which, np.uint64)))


def nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """By sorting: the probabilities of the likeliest tokens that add to top-p, others 0; they add to 1."""
    values, order = probabilities.double().sort(descending=True, stable=True)
    kept = torch.zeros_like(values)
    inside = values.cumsum(0) - values < top_p
    kept[order[inside]] = values[inside]
    return kept / kept.sum()


@pytest.mark.parametrize(
    ("sampling", "inside"),
    [
        # Probabilities 0.5, 0.25, 0.15, 0.1 of the tokens 2, 0, 3, 1.
        (Sampling(), {0, 1, 2, 3}),
        (Sampling(top_k=2), {2, 0}),
        (Sampling(top_k=1), {2}),
        (Sampling(top_p=0.4), {2}),
        (Sampling(top_p=0.6), {2, 0}),
        (Sampling(top_p=0.8), {2, 0, 3}),
        # Of the three likeliest, 0.5/0.9 + 0.25/0.9 = 0.83 is enough for 0.8 but not for 0.85.
        (Sampling(top_p=0.8, top_k=3), {2, 0}),
        (Sampling(top_p=0.85, top_k=3), {2, 0, 3}),
        # Squared and scaled: 0.725, 0.181, 0.065, 0.029.
        (Sampling(temperature=0.5, top_p=0.7), {2}),
        (Sampling(temperature=0.5, top_p=0.75), {2, 0}),
    ],
)
def test_draws_stay_in_the_nucleus(sampling: Sampling, inside: set[int]) -> None:
    assert set(drawn(FOUR, sampling, 600)) == inside


def test_equally_likely_tokens_enter_the_nucleus_in_the_order_of_the_vocabulary() -> None:
    # Two eighths are less than 0.3, and the third crosses it; eighths are exact, so that nothing hangs on rounding.
    assert set(drawn(torch.full((8,), 0.125), Sampling(top_p=0.3), 600)) == {0, 1, 2}
    assert set(drawn(torch.tensor([0.125, 0.5, 0.125, 0.25]), Sampling(top_p=0.8), 600)) == {1, 3, 0}


def test_a_draw_inverts_the_distribution_function() -> None:
    # One block only, so that the second number decides.
    expected = [next(t for t, end in enumerate((0.25, 0.35, 0.85, 1.0)) if u < end) for u in numbers(50, 1)]
    assert drawn(FOUR, Sampling(), 50) == expected


def test_a_draw_from_a_large_vocabulary_inverts_over_blocks_and_inside_one() -> None:
    n = 3 * BLOCK
    probabilities = torch.arange(1, n + 1) / (n * (n + 1) / 2)
    expected = []
    for of_block, of_inside in zip(numbers(200, 0), numbers(200, 1), strict=True):
        # The first b blocks hold bB(bB + 1) / n(n + 1).
        block = next(b for b in range(3) if (b + 1) * BLOCK * ((b + 1) * BLOCK + 1) > of_block * n * (n + 1))
        weights = np.arange(block * BLOCK + 1, (block + 1) * BLOCK + 1)
        within = int(np.searchsorted(weights.cumsum(), of_inside * weights.sum(), side="right"))
        expected.append(block * BLOCK + within)
    assert drawn(probabilities, Sampling(), 200) == expected


@pytest.mark.parametrize("top_p", [0.02, 0.3, 0.9, 0.99])
def test_frequencies_are_those_of_the_sorted_nucleus(top_p: float) -> None:
    torch.manual_seed(0)
    probabilities = torch.softmax(torch.randn(301), -1)  # no multiple of a block
    n = 20_000
    expected = nucleus(probabilities, top_p)
    counts = torch.bincount(torch.tensor(drawn(probabilities, Sampling(top_p=top_p), n)), minlength=301)
    inside = expected > 0
    assert not counts[~inside].any()
    if int(inside.sum()) > 1:
        assert chisquare(counts[inside].numpy(), (expected[inside] * n).numpy()).pvalue > 0.01


def test_a_wide_nucleus_is_whole() -> None:
    n = 2048
    found = set(drawn(torch.full((n,), 1 / n), Sampling(top_p=0.75), 20_000))
    assert found == set(range(n * 3 // 4))


def test_a_row_does_not_depend_on_the_rows_beside_it() -> None:
    torch.manual_seed(1)
    logits = torch.randn(40, 700) * 2
    seeds, places = [7 * n for n in range(40)], [n % 5 for n in range(40)]
    sampling = Sampling(1.2, top_p=0.8)
    together = draw(logits, sampling, seeds, places)
    alone = [draw(logits[n : n + 1], sampling, [seeds[n]], [places[n]])[0] for n in range(40)]
    assert together == alone


def test_rows_are_worked_on_in_parts_that_fit_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = drawn(FOUR, Sampling(top_p=0.9), 50)
    monkeypatch.setattr("mplus_eval.inference.sampling._VALUES_IN_CACHE", 12)
    assert drawn(FOUR, Sampling(top_p=0.9), 50) == whole


def test_places_of_a_sequence_have_numbers_of_their_own() -> None:
    assert drawn(FOUR, Sampling(), 50, place=0) != drawn(FOUR, Sampling(), 50, place=1)


def test_seeds_may_be_any_integer() -> None:
    first, second, _ = draw(FOUR.log().expand(3, -1), Sampling(), [-1, 2**64 - 1, 2**64 + 5], [3] * 3)
    assert first == second


def test_uniform_numbers_are_uniform_over_seeds_and_over_places() -> None:
    many, one = np.arange(5000, dtype=np.uint64), np.zeros(5000, np.uint64)
    for found in (uniforms(many, one), uniforms(one, many)):
        assert kstest(found, "uniform").pvalue > 0.01
        assert abs(np.corrcoef(found[1:], found[:-1])[0, 1]) < 0.05


@pytest.mark.parametrize("fault", [{"temperature": 0.0}, {"top_p": 0.0}, {"top_p": 1.1}, {"top_k": 0}])
def test_impossible_sampling_is_refused(fault: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(fault))):
        Sampling(**fault)
