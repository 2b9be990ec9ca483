from __future__ import annotations

import pandas as pd
import pytest

from mplus_eval.records.comparison import Comparison, ModelEntry
from tests.capability.outcomes import cell, compare, entry

FACTS = ("base", "plus", "plus-step-1")


def models(*others: str) -> dict[str, ModelEntry]:
    step = entry().model_copy(update={"trajectory": "plus"})
    return {**{name: entry() for name in ("base", "plus", *others)}, "plus-step-1": step}


def found(outcomes: dict[tuple[str, str], pd.DataFrame], *others: str) -> Comparison:
    return compare(outcomes, models=models(*others))


def averages(comparison: Comparison) -> dict[str, float | None]:
    return {name: point.macro_average for name, point in comparison.trajectories["plus"].averages.items()}


def test_every_point_is_over_the_items_that_all_points_scored() -> None:
    # The step has the first four items of t; the final model failed on the first of u, and the step on the last.
    outcomes = {
        ("base", "t"): cell([1, 1, 0, 0, 1, 1, 1, 1]),
        ("plus", "t"): cell([1, 1, 1, 0, 0, 0, 0, 0]),
        ("plus-step-1", "t"): cell([0, 1, 0, 0]),
        ("base", "u"): cell([0, 1, 1, 0]),
        ("plus", "u"): cell([None, 1, 0, 0]),
        ("plus-step-1", "u"): cell([1, 1, 1, None]),
    }
    comparison = found(outcomes)

    # Four items of t and two of u: base (2/4 + 2/2) / 2, plus (3/4 + 1/2) / 2, the step (1/4 + 2/2) / 2.
    assert averages(comparison) == pytest.approx({"base": 0.75, "plus": 0.625, "plus-step-1": 0.625})
    assert comparison.trajectories["plus"].n_items == 6
    assert comparison.summary["base"].macro_average == pytest.approx((6 / 8 + 2 / 4) / 2)


def test_points_over_the_same_items_are_those_of_the_summary() -> None:
    outcomes = {(name, task): cell([1, 0, 1, len(name) % 2]) for name in FACTS for task in ("t", "u")}
    comparison = found(outcomes)

    for name in FACTS:
        point, summary = comparison.trajectories["plus"].averages[name], comparison.summary[name]
        assert (point.macro_average, point.ci) == (summary.macro_average, summary.ci)


def test_a_model_without_an_average_is_no_point_and_takes_no_item_from_the_others() -> None:
    outcomes = {(name, "t"): cell([1, 0]) for name in ("base", "plus")} | {("plus-step-1", "t"): cell([None, None])}

    assert averages(found(outcomes)) == {"base": 0.5, "plus": 0.5}


def test_a_model_beside_the_trajectory_is_no_point_of_it() -> None:
    outcomes = {(name, "t"): cell([1, 0]) for name in FACTS} | {("sft", "t"): cell([1, None])}

    assert set(averages(found(outcomes, "sft"))) == set(FACTS)


def test_no_item_in_common_is_said() -> None:
    outcomes = {(name, "t"): cell([1, 0]) for name in ("base", "plus")} | {
        ("plus-step-1", "t"): cell([1, 0], prefix="j")
    }
    points = found(outcomes).trajectories["plus"]

    assert (points.averages, points.n_items) == ({}, 0)
    assert points.withheld == "no item that all points scored on t"


def test_without_saved_steps_there_is_no_trajectory() -> None:
    assert compare({("base", "t"): cell([1, 0])}).trajectories == {}


def test_of_several_steps_the_best_is_said_to_look_better_than_it_is() -> None:
    outcomes = {(model, "t"): cell([1, 1, 0, 0]) for model in FACTS}
    # The better of two that are alike: 1/√π standard normal deviations, of which half the variance is the baseline's.
    assert found(outcomes).trajectories["plus"].selection_bias == pytest.approx((1 / 3.14159265 / 2) ** 0.5, abs=1e-6)
