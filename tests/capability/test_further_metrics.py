from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest
from lm_eval.api import metrics as lm_eval

from mplus_eval.capability.further_metrics import FurtherMetrics
from mplus_eval.capability.task_config import GroupAverage
from mplus_eval.store.outcomes import as_stored

OWN = {"acc": lm_eval.mean, "perplexity": lm_eval.perplexity, "f1": lm_eval.f1_score, "bits": lm_eval.bits_per_byte}


def rows(*items: tuple[str, dict[str, Any]]) -> pd.DataFrame:
    """Scored items: their subtask, and what every metric gave."""
    stored = [
        {key: number for name, value in given.items() for key, number in as_stored(f"{name},none", value).items()}
        for _, given in items
    ]
    return pd.DataFrame({"stratum": [name for name, _ in items], "score": 1.0, "metrics": stored})


def found(frame: pd.DataFrame, *averages: GroupAverage, own: dict[str, Any] = OWN) -> dict[str, float]:
    subtasks = dict.fromkeys(frame["stratum"], own)
    return FurtherMetrics(subtasks, averages).of(frame, "acc,none")


def test_each_metric_is_aggregated_by_lm_evals_function() -> None:
    pairs = [(1, 1), (0, 1), (1, 0), (1, 1)]
    items = [("s", {"acc": 1.0, "perplexity": -value, "f1": pairs[value], "bits": (-value, 2)}) for value in range(4)]
    assert found(rows(*items)) == pytest.approx(
        {
            "perplexity,none": math.exp(1.5),
            "f1,none": lm_eval.f1_score(pairs),
            "bits,none": 6 / 8 / math.log(2),
        }
    )


def test_a_metric_without_a_function_is_a_mean_as_in_lm_eval() -> None:
    frame = rows(("s", {"acc": 1.0, "length": 3}), ("s", {"acc": 0.0}), ("s", {"acc": 0.0, "length": 4}))
    assert found(frame) == {"length,none": 3.5}


def test_failed_items_enter_nothing() -> None:
    frame = rows(("s", {"perplexity": -1.0}), ("s", {"perplexity": -9.0}))
    frame.loc[1, "score"] = math.nan
    assert found(frame) == {"perplexity,none": pytest.approx(math.e)}


@pytest.mark.parametrize(
    "aggregation", [lm_eval.bypass_agg, lm_eval.bleu, lambda values: "all", lambda values: math.nan]
)
def test_what_makes_no_number_of_what_is_stored_is_left_out(aggregation: Any) -> None:
    assert found(rows(("s", {"m": 0.5}), ("s", {"m": 0.25})), own={"m": aggregation}) == {}


SIZES = [
    ("a", {"m": 1.0, "perplexity": -1.0}),
    ("b", {"m": 0.0, "perplexity": -2.0}),
    ("b", {"m": 0.5, "perplexity": -2.0}),
]


@pytest.mark.parametrize(("by_size", "value"), [(True, 1.5 / 3), (False, (1.0 + 0.25) / 2)])
def test_a_group_weighs_its_subtasks_as_it_says(by_size: bool, value: float) -> None:
    averages = [GroupAverage(name, None, by_size) for name in ("m", "perplexity")]
    first, second = (1 / 3, 2 / 3) if by_size else (0.5, 0.5)
    assert found(rows(*SIZES), *averages) == pytest.approx(
        {"m,none": value, "perplexity,none": first * math.e + second * math.exp(2)}
    )


def test_of_subtasks_that_no_group_averages_only_means_are_told() -> None:
    assert found(rows(*SIZES)) == {"m,none": 0.5}
    assert found(rows(*SIZES), GroupAverage("m", ("strict",), False)) == {"m,none": 0.5}


def test_a_metric_of_some_subtasks_is_averaged_over_those() -> None:
    frame = rows(("a", {"acc": 1.0}), ("b", {"acc": 1.0, "m": 0.5}), ("b", {"acc": 1.0, "m": 1.0}))
    assert found(frame, GroupAverage("m", None, False)) == {"m,none": 0.75}
