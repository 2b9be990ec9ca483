import numpy as np
import pytest

from mplus_eval.statistics.selection import selection_bias


def test_one_is_not_chosen():
    assert selection_bias(1) == pytest.approx(0.0, abs=1e-9)


def test_the_better_of_two_by_hand():
    # The mean of the larger of two standard normal values is 1/√π.
    assert selection_bias(2, correlation=0.0) == pytest.approx(1 / np.sqrt(np.pi))


@pytest.mark.parametrize("n", [5, 20])
def test_it_is_what_a_simulation_finds(n):
    rng = np.random.default_rng(0)
    shared, own = rng.normal(size=(100_000, 1)), rng.normal(size=(100_000, n))
    differences = (own - shared) / np.sqrt(2)
    assert selection_bias(n) == pytest.approx(differences.max(axis=1).mean(), abs=0.01)
