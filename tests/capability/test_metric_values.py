from __future__ import annotations

import math

import numpy as np
import pytest
from lm_eval.api import metrics as lm_eval

from mplus_eval.capability.metric_values import as_given, kind_of, leaves_out, score_of
from mplus_eval.store.outcomes import as_stored


def of_4096(values: list[float]) -> float:
    """RULER's own: −1 stands for a text of another length."""
    own = [value for value in values if value != -1]
    return sum(own) / len(own) if own else -1


def of_texts(values: list[str]) -> float:
    return float(len(" ".join(values)))


def test_means_and_ratios_are_what_items_can_be_paired_by() -> None:
    kinds = {
        lm_eval.mean: "mean",
        lm_eval.nanmean: "mean",
        of_4096: "mean",
        np.mean: "mean",
        lm_eval.bits_per_byte: "rate",
        lm_eval.weighted_perplexity: "perplexity",
        lm_eval.perplexity: "perplexity",
    }
    assert {each: kind_of(each) for each in kinds} == kinds


@pytest.mark.parametrize(
    "aggregation",
    [lm_eval.median, lm_eval.f1_score, lm_eval.bleu, lm_eval.matthews_corrcoef, lm_eval.bypass_agg, of_texts],
)
def test_other_aggregations_are_no_measure(aggregation: object) -> None:
    assert kind_of(aggregation) is None  # type: ignore[arg-type]


def test_a_number_is_stored_under_the_metric_and_several_under_their_places() -> None:
    assert as_stored("acc,none", 1) == {"acc,none": 1.0}
    assert as_stored("acc,none", True) == {"acc,none": 1.0}
    assert as_stored("bits_per_byte,none", (-120.5, 80)) == {"bits_per_byte,none:0": -120.5, "bits_per_byte,none:1": 80}


@pytest.mark.parametrize("value", ["right", None, ("a", 1), [], [0.5] * 17, (1, np.array([0.2, 0.8])), {"a": 1}])
def test_what_is_no_number_is_not_stored(value: object) -> None:
    assert as_stored("brier_score,none", value) == {}


@pytest.mark.parametrize("value", [0.25, (1.0, 0.0), (-120.5, 80.0), (1.0,)])
def test_what_is_stored_is_given_back(value: object) -> None:
    stored = as_stored("m,f", value) | as_stored("other:1b,f", 0.5)
    assert as_given(stored) == {"m,f": value, "other:1b,f": 0.5}
    assert as_given(list(stored.items())) == as_given(stored)


@pytest.mark.parametrize("metrics", [None, math.nan, {}])
def test_an_item_without_metrics_has_no_values(metrics: object) -> None:
    assert as_given(metrics) == {}


def test_the_score_of_a_ratio_is_a_loss() -> None:
    stored = as_stored("m,f", (-8 * math.log(2), 4))
    assert score_of("rate", "m,f", stored, lm_eval.bits_per_byte) == pytest.approx(8.0)
    assert score_of("perplexity", "m,f", stored, lm_eval.weighted_perplexity) == pytest.approx(8 * math.log(2))
    assert score_of("perplexity", "m,f", {"m,f": -1.5}, lm_eval.perplexity) == 1.5


@pytest.mark.parametrize("metrics", [{}, {"m,f": math.nan}, {"m,f": -math.inf}, {"m,f:0": 1.0}, {"m,f": -1.0}])
def test_an_item_that_enters_no_mean_has_no_score(metrics: dict[str, float]) -> None:
    assert score_of("mean", "m,f", metrics, of_4096) is None


def test_only_what_the_tasks_own_mean_passes_over_is_left_out() -> None:
    assert [leaves_out(of_4096, value) for value in (-1.0, 0.0, 0.25, 1.0)] == [True, False, False, False]
    assert not any(leaves_out(lm_eval.mean, value) for value in (-1.0, 0.0, 0.25))
