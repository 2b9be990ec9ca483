from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mplus_eval.statistics.difference import Difference, find_difference
from mplus_eval.statistics.looks import (
    counted_against,
    difference_look,
    margin_of_look,
    name_of_test,
    told_interval,
    told_margin,
)
from mplus_eval.statistics.measure import Measure
from mplus_eval.statistics.pairing import PairedItems, ScoredItems
from mplus_eval.statistics.ratio import ratio_difference
from mplus_eval.statistics.sequential import plain_look

LEVEL = 0.05


def scored(scores, measure=None, **columns) -> ScoredItems:
    n = len(scores)
    rows = {
        "item_id": [f"i{number:04d}" for number in range(n)],
        "stratum": ["s"] * n,
        "cluster": [None] * n,
        "sample": [0] * n,
        "answer": [None] * n,
        "score": np.asarray(scores, dtype=float),
        "metrics": [None] * n,
    }
    given = () if measure is None else (measure,)
    return ScoredItems.of(pd.DataFrame({**rows, **columns}), "acc,none", *given)


def difference(before, after, higher_is_better=True, **columns) -> Difference:
    return find_difference(
        PairedItems.of(scored(before, **columns), scored(after, **columns)),
        higher_is_better=higher_is_better,
        margin=0.02,
        generator=np.random.default_rng(0),
    )


def changed(n=400, lost=12, gained=3):
    before, after = np.ones(n), np.ones(n)
    after[:lost] = 0
    before[lost : lost + gained] = 0
    return before, after


def test_right_and_wrong_items_are_bet_on():
    look = difference_look(difference(*changed()), 0.3, LEVEL, 11)
    expected = plain_look(3, 12, 400, 0.02, LEVEL)
    assert (float(look.p_difference), float(look.low)) == (float(expected.p_difference), float(expected.low))


def test_with_all_items_the_ordinary_test_counts_at_half_of_the_level():
    found = difference(*changed())
    early, whole = (difference_look(found, share, LEVEL, 11) for share in (0.99, 1.0))
    assert 2 * found.p_value <= float(whole.p_difference) < float(early.p_difference)
    assert float(whole.low) == pytest.approx(float(found.estimate.interval(LEVEL / 2)[0]))
    assert name_of_test(found, is_whole=False) == "betting, at every look"
    assert name_of_test(found, is_whole=True) == "betting, at every look; exact McNemar at the end"


def test_passages_are_looked_at_through_the_boundary():
    before, after = changed(800, 60, 0)
    order = np.random.default_rng(1).permutation(800)
    clusters = [f"c{number // 4}" for number in range(800)]
    found = difference(before[order], after[order], cluster=clusters)
    look = difference_look(found, 0.5, LEVEL, 1)
    assert name_of_test(found, is_whole=False) == "mixture boundary, at every look"
    assert float(look.p_difference) < LEVEL
    ordinary = found.estimate.interval(LEVEL)
    assert float(look.low) < float(ordinary[0]) < float(ordinary[1]) < float(look.high) < 0


def test_intervals_are_told_in_the_direction_of_the_task():
    before, after = changed(lost=60)
    better, worse = difference(before, after), difference(1 - before, 1 - after, higher_is_better=False)
    looks = [difference_look(each, 0.5, LEVEL, 1) for each in (better, worse)]
    low, high = told_interval(better, looks[0])
    assert told_interval(worse, looks[1]) == pytest.approx((-high, -low))
    assert told_margin(better, looks[0]) == pytest.approx(-low)


def test_scores_of_another_range_are_told_in_their_own_unit():
    before, after = changed(lost=60)
    found = difference(10 * before, 10 * after)
    assert margin_of_look(found) == pytest.approx(0.002)
    look = difference_look(found, 0.5, LEVEL, 1)
    assert told_interval(found, look)[0] == pytest.approx(10 * float(look.low))


def test_failures_count_against_a_gain_and_the_margin_alone():
    gain, loss = plain_look(40, 2, 600, 0.02, LEVEL), plain_look(2, 40, 600, 0.02, LEVEL)
    none = plain_look(0, 0, 600, 0.02, LEVEL)
    assert float(counted_against(gain, none).p_difference) == 1.0
    assert float(counted_against(gain, none).p_non_inferiority) == float(none.p_non_inferiority)
    assert float(counted_against(loss, none).p_difference) == float(loss.p_difference)


def ratio(factor, n=600, failed=0):
    rng = np.random.default_rng(2)
    before = rng.gamma(50.0, 2.0, n)
    after = before * factor * np.exp(0.05 * rng.normal(size=n))
    after[:failed] = np.nan
    measure = Measure("perplexity")
    pair = PairedItems.of(scored(before, measure), scored(after, measure))
    return ratio_difference(pair, higher_is_better=False, margin=0.02, generator=np.random.default_rng(0))


def test_ratios_are_looked_at_on_the_logarithm():
    found = ratio(1.0)
    look = difference_look(found, 0.5, LEVEL, 1)
    assert margin_of_look(found) == pytest.approx(np.log(1.02))
    low, high = told_interval(found, look)
    assert low < found.value < high
    ordinary = found.interval(LEVEL)
    assert low < ordinary[0] < ordinary[1] < high
    assert (float(look.p_non_inferiority) < LEVEL / 2) == (told_margin(found, look) < 0.02)


def test_a_failed_text_leaves_no_gain_and_excludes_no_margin():
    whole, lacking = (difference_look(ratio(0.9, failed=failed), 0.5, LEVEL, 1) for failed in (0, 1))
    assert float(whole.p_difference) < LEVEL
    assert (float(lacking.p_difference), float(lacking.p_non_inferiority)) == (1.0, 1.0)
    worse = difference_look(ratio(1.1, failed=1), 0.5, LEVEL, 1)
    assert float(worse.p_difference) < LEVEL


def test_looks_are_arrays_of_no_shape():
    look = difference_look(replace(difference(*changed()), test="other"), 0.5, LEVEL, 1)
    assert {np.shape(getattr(look, name)) for name in ("value", "p_difference", "low", "high")} == {()}
