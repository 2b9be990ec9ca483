import numpy as np
import pytest

from mplus_eval.capability.macro_average import SuiteDifference, contributions, macro_average, suite_verdicts
from mplus_eval.records.verdict import Verdict
from mplus_eval.spec.suite import Suite
from mplus_eval.statistics.difference import find_difference, rng_for
from mplus_eval.statistics.hypothesis_tests import mcnemar
from mplus_eval.statistics.pairing import PairedItems, ScoredItems
from tests.capability.outcomes import cell


def scored(scores) -> ScoredItems:
    return ScoredItems.of(cell(list(scores)), "acc,none")


def summary(*pairs, chance=0.0, **rules):
    """The suite's summary of a model against another, by the scores of both on every task."""
    average, against = (
        macro_average([scored(pair[side]) for pair in pairs], [0.3] * len(pairs), 0.05) for side in (1, 0)
    )
    suite = Suite(name="s", tasks=(), **rules)
    found = SuiteDifference.of(average, against, differences(*pairs), suite, chance=chance, generator=rng_for(0, "s"))
    return suite_verdicts([found], 0.05)[0]


def differences(*pairs):
    found = [PairedItems.of(scored(before), scored(after)) for before, after in pairs]
    return [find_difference(p, higher_is_better=True, margin=0.02, generator=rng_for(0, "d")) for p in found]


def test_every_task_weighs_the_same_in_the_contributions():
    found = contributions(differences(([1, 0], [0, 0]), ([0] * 10, [1] + [0] * 9)))
    np.testing.assert_allclose(np.sort(found[found != 0]), [-1 / 4, 1 / 20])


def test_tax_interval_and_p_value_of_two_tasks():
    before, after = [1] * 80 + [0] * 120, [1] * 60 + [0] * 130 + [1] * 10
    found = summary((before, after), (before, after))
    assert found.alignment_tax == pytest.approx(0.05)
    assert found.p_value == pytest.approx(float(mcnemar(40, 20)))
    low, high = found.alignment_tax_ci
    assert low < 0.05 < high
    # Sixty of 400 pairs differ: a standard error of √(0.15 − 0.05²)/20 = 0.0192.
    assert high - low == pytest.approx(2 * 1.966 * 0.0192, rel=0.03)
    assert found.verdict is Verdict.DEGRADED


def test_equal_models_over_many_items_are_preserved():
    same = [1, 0] * 1000
    found = summary((same, same))
    assert found.alignment_tax == 0
    assert found.alignment_tax_ci[0] < 0 < found.alignment_tax_ci[1]
    assert found.verdict is Verdict.PRESERVED


def test_what_would_settle_the_suite_counts_items_of_all_tasks():
    # 50 and 350 items know the mean as 4/(1/50 + 1/350) = 175 do; alike, about 384 of these exclude a loss of a point.
    found = summary(([1, 0] * 25, [1, 0] * 25), ([1, 0] * 175, [1, 0] * 175))
    assert found.items_to_settle == pytest.approx(384 * 400 / 175, rel=0.01)


def test_equal_models_over_few_items_are_undecided():
    same = [1, 0] * 10
    assert summary((same, same)).verdict is Verdict.UNDECIDED
