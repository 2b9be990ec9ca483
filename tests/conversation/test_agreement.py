from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.inter_rater import cohens_kappa as independent

from mplus_eval.conversation.agreement import cohens_kappa
from mplus_eval.statistics.estimate import student_quantile
from tests.conversation.tables import NAN

KINDS = (0.0, 0.5, 1.0)


def spread(counts: list[list[int]]) -> tuple[list[float], list[float]]:
    """Pairs of verdicts that a table of counts holds, the first judge's in rows."""
    cells = [(KINDS[row], KINDS[column]) for row in range(3) for column in range(3) for _ in range(counts[row][column])]
    return [one for one, _ in cells], [other for _, other in cells]


def test_two_kinds_are_worked_out_by_hand() -> None:
    # 35 of 50 agree; by chance 0.5 · 0.6 + 0.5 · 0.4 = 0.5 would: (0.7 − 0.5)/(1 − 0.5).
    one, other = spread([[20, 0, 5], [0, 0, 0], [10, 0, 15]])
    found = cohens_kappa(one, other, range(50))
    assert found.agreement == pytest.approx(0.7)
    assert found.kappa == pytest.approx(0.4)


def test_kappa_and_its_variance_are_those_of_an_independent_formula() -> None:
    counts = [[30, 4, 6], [5, 12, 8], [3, 2, 40]]
    found, expected = cohens_kappa(*spread(counts), range(110)), independent(np.array(counts))
    assert found.kappa == pytest.approx(expected.kappa)
    error = np.sqrt(expected.var_kappa * 110 / 109)
    reach = float(student_quantile(0.975, 109)) * error
    assert found.ci == pytest.approx((expected.kappa - reach, expected.kappa + reach))


def test_turns_that_stand_together_widen_the_interval() -> None:
    one, other = (np.repeat(side, 2) for side in spread([[30, 4, 6], [5, 12, 8], [3, 2, 40]]))
    together, alone = cohens_kappa(one, other, np.repeat(range(110), 2)).ci, cohens_kappa(one, other, range(220)).ci
    assert together is not None
    assert alone is not None
    assert together[1] - together[0] == pytest.approx(2**0.5 * (alone[1] - alone[0]), rel=0.02)


def test_pairs_that_one_judge_left_out_do_not_count() -> None:
    found = cohens_kappa([1.0, 0.0, NAN, 1.0], [1.0, 0.0, 0.0, NAN], range(4))
    assert (found.n_pairs, found.kappa) == (2, 1.0)


def test_full_agreement_is_not_certainty() -> None:
    found = cohens_kappa([1.0, 0.0] * 10, [1.0, 0.0] * 10, range(20))
    assert found.kappa == pytest.approx(1.0)
    assert found.ci is not None
    # Wilson's end for 20 of 20 is 0.82 with Student's quantile, of which 0.5 is chance.
    assert found.ci[0] == pytest.approx((0.82 - 0.5) / 0.5, abs=0.03)


def test_one_verdict_throughout_has_no_kappa_and_says_so() -> None:
    found = cohens_kappa([0.5] * 4, [0.5] * 4, range(4))
    assert (found.kappa, found.agreement) == (None, 1.0)
    assert found.withheld is not None
    assert "one and the same verdict" in found.withheld


def test_no_pair_in_common_is_said() -> None:
    assert cohens_kappa([NAN], [1.0], [0]).withheld == "no pair was judged by both"


def test_one_dialogue_excludes_nothing() -> None:
    assert cohens_kappa([1.0, 0.0, 1.0], [1.0, 0.0, 0.0], [1, 1, 1]).ci == (-1.0, 1.0)
