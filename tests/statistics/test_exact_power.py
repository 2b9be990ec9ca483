"""The powers counted against every sample put through the tests and the interval themselves."""

import numpy as np
import pytest
from scipy.stats import multinomial

from mplus_eval.statistics import exact_power
from mplus_eval.statistics.design import Design
from mplus_eval.statistics.exact_power import (
    power_of_a_verdict,
    power_of_difference,
    power_of_non_inferiority,
    shares,
)
from mplus_eval.statistics.hypothesis_tests import mcnemar
from mplus_eval.statistics.non_inferiority import non_inferiority
from mplus_eval.statistics.paired import paired_difference

CASES = [
    (40, 0.1, 0.1, 0.05, 0.15),
    (70, 0.05, 0.1, 0.05 / 11, 0.12),
    (60, 0.0, 0.05, 0.05, 0.1),
    (50, 0.3, 0.02, 0.05, 0.2),
]


def every_sample(n, discordance, loss):
    """Counts lost and gained of every sample, how likely each is, and the project's own estimate of it."""
    lost_share, gained_share = shares(discordance, loss)
    lost, gained = (counts.ravel() for counts in np.meshgrid(np.arange(n + 1), np.arange(n + 1)))
    lost, gained = lost[lost + gained <= n], gained[lost + gained <= n]
    chance = multinomial.pmf(
        np.stack([lost, gained, n - lost - gained], axis=-1),
        n,
        [lost_share, gained_share, 1 - lost_share - gained_share],
    )
    lost, gained, chance = lost[chance > 1e-12], gained[chance > 1e-12], chance[chance > 1e-12]
    place = np.arange(n)
    values = -(place < lost[:, None]).astype(float) + ((place >= lost[:, None]) & (place < (lost + gained)[:, None]))
    return lost, gained, chance, paired_difference(values, Design.of(np.zeros(n)))


def test_what_is_lost_adds_to_what_differs():
    assert shares(0.08, 0.02) == pytest.approx((0.06, 0.04))
    assert shares(0.08, -0.02) == pytest.approx((0.04, 0.06))


def test_no_more_than_all_pairs_differ():
    assert shares(0.9, 0.4) == pytest.approx((0.7, 0.3))


def test_where_all_pairs_differ_a_loss_adds_nothing():
    assert shares(0.4, 0.1, added=0.0) == pytest.approx((0.25, 0.15))
    assert shares(0.05, 0.1, added=0.0) == pytest.approx((0.1, 0.0))


def test_power_of_the_fewest_pairs_by_hand():
    # Six lost pairs and none gained are the fewest that show anything (p = 2/64): all six must be lost, 0.5^6.
    assert power_of_difference(6, 0.0, 0.5, 0.05) == pytest.approx(0.5**6)
    assert power_of_difference(5, 0.0, 0.9, 0.05) == 0.0


def test_non_inferiority_without_any_difference_by_hand():
    # Nothing can be lost or gained: all samples are the same, and enough from 3.84 · 0.98/0.02 = 188 items on, a little
    # more by Student's quantile.
    assert power_of_non_inferiority(188, 0.0, 0.02, 0.05) == 0.0
    assert power_of_non_inferiority(192, 0.0, 0.02, 0.05) == 1.0


@pytest.mark.parametrize(("n", "discordance", "loss", "level", "margin"), CASES)
def test_power_of_the_difference_is_that_of_every_sample(n, discordance, loss, level, margin):
    lost, gained, chance, _ = every_sample(n, discordance, loss)
    found = chance[(mcnemar(lost, gained) < level) & (lost > gained)].sum()
    assert power_of_difference(n, discordance, loss, level) == pytest.approx(found, abs=1e-7)


@pytest.mark.parametrize(("n", "discordance", "loss", "level", "margin"), CASES)
def test_where_the_exact_test_finds_a_loss_the_interval_lies_below_zero(n, discordance, loss, level, margin):
    lost, gained, _, estimate = every_sample(n, discordance, loss)
    found = (mcnemar(lost, gained) < level) & (lost > gained)
    assert found.any()
    assert np.all(estimate.interval(level)[1][found] < 0)


@pytest.mark.parametrize(("n", "discordance", "loss", "level", "margin"), CASES)
def test_power_of_non_inferiority_is_that_of_every_sample(n, discordance, loss, level, margin):
    _, _, chance, estimate = every_sample(n, discordance, loss)
    shown = chance[non_inferiority(estimate, margin) < level / 2].sum()
    assert power_of_non_inferiority(n, discordance, margin, level, loss) == pytest.approx(shown, abs=1e-7)


@pytest.mark.parametrize(("n", "discordance", "loss", "level", "margin"), CASES)
@pytest.mark.parametrize("sign", [1, -1])
def test_power_of_a_verdict_is_that_of_every_sample(n, discordance, loss, level, margin, sign):
    lost, gained, chance, estimate = every_sample(n, discordance, sign * loss)
    shown = (mcnemar(lost, gained) < level) | (non_inferiority(estimate, margin) < level / 2)
    down, up = shares(discordance, sign * loss)
    assert power_of_a_verdict(n, up, down, margin, level, level) == pytest.approx(chance[shown].sum(), abs=1e-7)


def test_a_gain_makes_non_inferiority_easier():
    assert power_of_non_inferiority(500, 0.05, 0.02, 0.05, -0.01) > power_of_non_inferiority(500, 0.05, 0.02, 0.05)


def test_nothing_is_shown_by_no_pairs():
    assert power_of_difference(0, 0.1, 0.1, 0.05) == 0.0
    assert power_of_non_inferiority(1, 0.1, 0.1, 0.05) == 0.0


@pytest.mark.parametrize("level", [0.05, 0.05 / 11, 1e-6, 0.5])
@pytest.mark.parametrize(("first", "last", "pairs"), [(0, 3, 5), (0, 40, 60), (90, 130, 131), (200, 300, 5000)])
def test_tables_of_critical_numbers_say_what_a_search_finds(level: float, first: int, last: int, pairs: int) -> None:
    lost = np.arange(first, last)
    searched = exact_power._search_most_gained(lost, level)
    assert exact_power._most_gained_worse(lost, level).tolist() == searched.tolist()
    searched = exact_power._search_least_gained(lost, pairs, level)
    assert exact_power._least_gained_better(lost, pairs, level).tolist() == searched.tolist()


def test_beyond_the_largest_table_numbers_are_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    by_table = exact_power.power_of_a_verdict(300, 0.1, 0.2, 0.02, 0.05, 0.05)
    monkeypatch.setattr(exact_power, "_LARGEST_TABLE", 0)
    assert exact_power.power_of_a_verdict(300, 0.1, 0.2, 0.02, 0.05, 0.05) == by_table
