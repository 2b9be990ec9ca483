import numpy as np
import pytest

from mplus_eval.statistics.design import Design
from mplus_eval.statistics.paired import paired_difference
from mplus_eval.statistics.planned_effect import PlannedEffect

PASSAGES = Design.of(np.zeros(480), np.repeat(np.arange(30), 16))


def planned(values, design=PASSAGES):
    estimate = paired_difference(values, design)
    return float(estimate.effect), PlannedEffect.of(estimate, design)


def lost(*items):
    values = np.zeros(480)
    values[list(items)] = -1.0
    return values


def test_without_more_items_or_a_loss_it_is_that_of_the_sample():
    # Three lost items in one passage are more alike than supposed; six in six passages are less.
    for items in ((0, 1, 2), range(0, 96, 16)):
        effect, found = planned(lost(*items))
        assert found.at(480) == pytest.approx(effect, rel=0.15)


def test_where_nothing_differs_it_is_the_anchor_and_a_loss_shows_more():
    # Passages of 16 with a correlation of 0.3: 1 + 0.3 · 15 = 5.5. A loss of 5 % shows 24 items: 1 + 4.5 e^(−48/21.5).
    effect, found = planned(lost())
    assert effect == found.at(480) == pytest.approx(5.5)
    assert found.at(480, 0.05) == pytest.approx(1 + 4.5 * np.exp(-2 * 24 / (16 + 5.5)))


def test_a_loss_shown_as_items_gives_about_what_was_planned():
    generator = np.random.default_rng(0)
    _, found = planned(lost())
    effects = [planned(lost(*generator.choice(480, 24, replace=False)))[0] for _ in range(200)]
    assert found.at(480, 0.05) == pytest.approx(np.mean(effects), rel=0.1)


def test_more_items_draw_it_less():
    effect, found = planned(lost(*range(0, 96, 16)))
    assert found.at(4800) < found.at(960) < effect
    assert found.at(48_000) == pytest.approx(found.own)


def test_the_items_that_pairs_are_worth_are_found():
    _, found = planned(lost(*range(0, 96, 16)))
    items = found.items_for(900)
    assert items / max(found.at(items), found.anchor) == pytest.approx(900)


def test_items_that_stand_alone_are_worth_themselves():
    values = np.zeros(1000)
    values[:40] = np.resize([1.0, -1.0], 40)
    effect, found = planned(values, Design.of(np.zeros(1000)))
    assert effect == pytest.approx(1.0)
    assert found.items_for(5000) == pytest.approx(5000)


def test_without_a_design_it_stays():
    estimate = paired_difference(lost(), PASSAGES)
    assert PlannedEffect.of(estimate).at(4800, 0.1) == pytest.approx(5.5)
