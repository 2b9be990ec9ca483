"""A judge that heeds only the order, and one that heeds only the length, are exposed by the figures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mplus_eval.conversation.judge_bias import judge_bias
from mplus_eval.conversation.measures import measure
from tests.conversation.tables import NAN, table

N_DIALOGUES = 80


def judged_by_order() -> pd.DataFrame:
    """The first answer is always preferred: the model's when it comes first, else the baseline's."""
    return table([1.0] * N_DIALOGUES, [0.0] * N_DIALOGUES)


def judged_by_length() -> pd.DataFrame:
    """The longer answer is always preferred, and of five answers of the model four are the longer ones."""
    difference = np.random.default_rng(0).integers(1, 120, size=N_DIALOGUES) * np.resize([1, 1, 1, 1, -1], N_DIALOGUES)
    return table(
        (difference > 0).astype(float).tolist(),
        words_model=(200 + difference).tolist(),
        words_baseline=[200] * N_DIALOGUES,
    )


def test_a_judge_that_prefers_the_first_answer_is_never_consistent_and_always_prefers_it() -> None:
    bias = judge_bias(judged_by_order())
    assert (bias.order_inconsistency.value, bias.order_inconsistency.n) == (1.0, 80)
    assert (bias.first_preferred.value, bias.first_preferred.n) == (1.0, 160)
    assert bias.order_decides


def test_by_a_judge_that_prefers_the_first_answer_nobody_wins() -> None:
    found = measure(judged_by_order())["plus"]
    assert (found.overall.value, found.overall.ties) == (0.5, 80)


def test_a_judge_that_prefers_the_longer_answer_gives_a_win_that_length_explains() -> None:
    found = measure(judged_by_length())["plus"]
    assert found.overall.value == pytest.approx(0.8)
    assert found.overall.ci is not None
    assert found.overall.ci[0] > 0.65
    assert found.length_controlled.value == pytest.approx(0.5)
    assert found.length_controlled.ci is not None
    assert found.length_controlled.ci[0] < 0.5 < found.length_controlled.ci[1]
    assert found.explained_by_length


def test_a_judge_that_prefers_the_longer_answer_has_that_share_at_1() -> None:
    bias = judge_bias(judged_by_length())
    assert (bias.longer_preferred.value, bias.longer_preferred.n) == (1.0, 80)
    assert (bias.order_inconsistency.value, bias.first_preferred.value) == (0.0, 0.5)
    assert not bias.order_decides


def test_a_judge_that_heeds_neither_shows_neither() -> None:
    rng = np.random.default_rng(1)
    verdicts = rng.integers(0, 2, size=200).astype(float).tolist()
    found = measure(table(verdicts, words_model=rng.integers(50, 150, size=200).tolist()))["plus"]
    for share in (found.bias.first_preferred, found.bias.longer_preferred):
        assert share.ci is not None
        assert share.ci[0] <= 0.5 <= share.ci[1]
    assert not found.explained_by_length


def test_a_judge_without_orders_has_no_figures_of_order() -> None:
    bias = judge_bias(table([1.0, 0.0]).assign(model_first=NAN, baseline_first=NAN))
    assert (bias.order_inconsistency.value, bias.first_preferred.n) == (None, 0)
    assert not bias.order_decides


def test_ties_and_equal_lengths_are_no_preference_for_length() -> None:
    rows = table([0.5, 1.0, 0.0, 1.0], words_model=[120, 100, 90, 80], words_baseline=[100] * 4)
    assert (judge_bias(rows).longer_preferred.value, judge_bias(rows).longer_preferred.n) == (0.5, 2)
