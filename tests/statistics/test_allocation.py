from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from mplus_eval.statistics.allocation import DISCORDANCE, allocate, spread, whole_numbers


def variance(items: list[int] | np.ndarray, discordance: list[float]) -> float:
    return sum(q / n for q, n in zip(discordance, items, strict=True))


def test_items_are_in_proportion_to_the_root_of_the_discordance() -> None:
    # Roots 1 : 2 : 3 of 600 items.
    assert allocate([1000] * 3, [0.01, 0.04, 0.09], 1.0, 1.0, 600) == [100, 200, 300]


def test_an_effect_asks_for_more_and_a_cost_for_fewer() -> None:
    assert allocate([1000] * 2, [0.05, 0.05], [1.0, 4.0], 1.0, 300) == [100, 200]
    assert allocate([1000] * 2, [0.05, 0.05], 1.0, [1.0, 4.0], 300) == [200, 100]


def test_what_a_task_cannot_take_goes_to_the_others_by_their_weights() -> None:
    assert allocate([50, 1000, 1000], [0.04, 0.01, 0.04], 1.0, 1.0, 350) == [50, 100, 200]


def test_no_task_falls_below_its_least() -> None:
    assert allocate([1000] * 3, [0.0001, 0.01, 0.04], 1.0, 1.0, 310, least=[10, 0, 0]) == [10, 100, 200]
    with pytest.raises(ValueError, match="9 items, where 12 are the least"):
        allocate([10, 2], [0.1, 0.1], budget=9, least=[10, 5])


def test_more_than_there_is_is_all_of_it() -> None:
    assert allocate([5, 7], [0.1, 0.2], budget=100) == [5, 7]


def test_where_models_never_differ_the_others_are_filled_first() -> None:
    assert allocate([10, 10], [0.0, 0.1], budget=15) == [5, 10]


@pytest.mark.parametrize("budget", [6, 9, 14])
def test_no_other_way_to_spread_few_items_is_better(budget: int) -> None:
    sizes, discordance = [4, 6, 9], [0.15, 0.08, 0.08]
    best = min(
        variance(items, discordance)
        for items in itertools.product(*(range(1, size + 1) for size in sizes))
        if sum(items) == budget
    )
    found = allocate(sizes, discordance, budget=budget)
    # Rounding by the largest remainder costs less than one item would save.
    assert sum(found) == budget
    assert variance(found, discordance) <= best * 1.05


def test_a_general_optimiser_finds_the_same_shares() -> None:
    sizes = np.array([14042, 3852, 362, 120, 1319])
    discordance = np.array([0.08, 0.10, 0.08, 0.08, 0.15])
    found = allocate(sizes.tolist(), discordance.tolist(), budget=2000)
    expected = minimize(
        lambda items: float((discordance / items).sum()) * 1e4,
        np.full(5, 100.0),
        bounds=[(1, size) for size in sizes],
        constraints={"type": "eq", "fun": lambda items: items.sum() - 2000},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 500},
    )
    assert np.allclose(found, expected.x, atol=2)
    assert found[3] == 120


@given(
    st.lists(st.tuples(st.integers(1, 500), st.floats(0.01, 0.5), st.integers(0, 3)), min_size=1, max_size=8),
    st.integers(0, 2000),
)
def test_the_budget_is_spent_within_the_bounds(tasks: list[tuple[int, float, int]], budget: int) -> None:
    sizes, discordance, least = zip(*tasks, strict=True)
    lowest = [min(size, few) for size, few in zip(sizes, least, strict=True)]
    budget = max(budget, sum(lowest))
    items = allocate(sizes, discordance, budget=budget, least=least)
    assert sum(items) == min(budget, sum(sizes))
    assert all(low <= n <= size for low, n, size in zip(lowest, items, sizes, strict=True))


def test_within_a_task_subtasks_keep_their_proportions() -> None:
    assert spread([100, 200, 700], 100) == [10, 20, 70]
    # Quotas 3.33, 3.33 and 3.33: the first takes what is left.
    assert spread([50, 50, 50], 10) == [4, 3, 3]


def test_every_subtask_has_two_items_where_it_has_them() -> None:
    assert spread([1, 3, 996], 50) == [1, 2, 47]
    with pytest.raises(ValueError, match="3 items, where 4 are the least"):
        spread([10, 10], 3)


def test_rounding_keeps_the_sum() -> None:
    assert whole_numbers(np.array([1.4, 1.3, 1.3]), np.zeros(3), np.full(3, 9.0)) == [2, 1, 1]


def test_every_kind_of_task_has_its_discordance() -> None:
    assert set(DISCORDANCE) == {"choice", "mixed", "generation"}
    assert math.isclose(DISCORDANCE["generation"], 0.15)
