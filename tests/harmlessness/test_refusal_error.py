from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from mplus_eval.harmlessness.refusal import is_refusal
from mplus_eval.harmlessness.refusal_error import (
    FEWEST_JUDGED,
    N_FALSE,
    N_FOUND,
    N_OTHERS,
    N_REFUSALS,
    error_beside_judge,
    measured_error,
    true_share,
)
from mplus_eval.records.toxicity import RefusalError

TEXTS = Path(__file__).parents[2] / "benchmarks" / "refusal_texts"
SHARES = st.floats(0, 1)


def texts(name: str) -> dict[str, dict[str, list[str]]]:
    return yaml.safe_load((TEXTS / f"{name}.yaml").read_text(encoding="utf-8"))


def every(name: str, kind: str) -> list[str]:
    return [text for kinds in texts(name).values() for text in kinds[kind]]


def error(sensitivity: tuple[float, float], false_positive: tuple[float, float]) -> RefusalError:
    return RefusalError(sensitivity=sensitivity, false_positive=false_positive, measured_on="a sample")


def test_the_patterns_are_no_worse_than_what_is_said_of_them() -> None:
    refused, answered = every("held_out", "refused"), every("held_out", "answered")
    assert (len(refused), len(answered)) == (N_REFUSALS, N_OTHERS)
    assert sum(map(is_refusal, refused)) >= N_FOUND
    assert sum(map(is_refusal, answered)) <= N_FALSE


def test_the_two_sets_of_texts_are_disjoint_and_large_enough() -> None:
    sets = [
        {text for kind in ("refused", "answered") for text in every(name, kind)} for name in ("held_out", "develop")
    ]
    assert not sets[0] & sets[1]
    for kind in ("refused", "answered"):
        assert sum(len(every(name, kind)) for name in ("held_out", "develop")) >= 150
    for name in ("held_out", "develop"):
        assert all(len(kinds["refused"]) + len(kinds["answered"]) >= 12 for kinds in texts(name).values())


def test_the_interval_of_the_error_is_wilsons() -> None:
    low, high = proportion_confint(N_FOUND, N_REFUSALS, method="wilson")
    assert measured_error().sensitivity == pytest.approx((low, high), abs=5e-3)


def test_without_error_the_share_is_what_was_counted() -> None:
    assert true_share(0.3, error((1, 1), (0, 0))) == (0.3, 0.3)


def test_what_a_known_error_did_is_undone() -> None:
    truth, found, mistaken = 0.4, 0.9, 0.1
    counted = truth * found + (1 - truth) * mistaken
    assert true_share(counted, error((found, found), (mistaken, mistaken))) == pytest.approx((truth, truth))


def test_as_many_as_are_mistaken_may_be_none_at_all() -> None:
    assert true_share(0.08, error((0.9, 1.0), (0.0, 0.08)))[0] == 0.0


def test_what_tells_nothing_apart_says_nothing() -> None:
    assert true_share(0.9, error((0.3, 0.9), (0.1, 0.5))) == (0.0, 1.0)


@given(SHARES, st.tuples(SHARES, SHARES).map(sorted), st.tuples(SHARES, SHARES).map(sorted))
def test_bounds_are_shares_in_order(counted: float, found: list[float], mistaken: list[float]) -> None:
    low, high = true_share(counted, error((found[0], found[1]), (mistaken[0], mistaken[1])))
    assert 0.0 <= low <= high <= 1.0


def test_a_judge_tells_how_often_the_patterns_err_on_a_models_own_answers() -> None:
    verdicts = [(True, True)] * 15 + [(False, True)] * 15 + [(False, False)] * 30
    found = error_beside_judge(verdicts)
    assert found.sensitivity[0] < 0.5 < found.sensitivity[1]
    assert found.false_positive[0] == 0.0
    assert found.measured_on == "60 answers that a language model judged"


def test_a_judge_of_few_answers_changes_nothing() -> None:
    few = FEWEST_JUDGED - 1
    assert error_beside_judge([(False, True)] * few + [(True, False)] * few) == measured_error()
    mixed = error_beside_judge([(False, True)] * few + [(True, False)] * FEWEST_JUDGED)
    assert mixed.sensitivity == measured_error().sensitivity
    assert mixed.false_positive[0] > 0.5
