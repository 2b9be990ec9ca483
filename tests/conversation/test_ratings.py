from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit
from statsmodels.api import GLM, families

from mplus_eval.conversation.ratings import POINTS, PreferencePairs, Rating, ratings
from mplus_eval.conversation.win_rate import win_rate
from mplus_eval.statistics.estimate import student_quantile
from tests.conversation.tables import NAN, table


def rated(pairs: PreferencePairs, **options: float) -> dict[str, Rating]:
    return {rating.model: rating for rating in ratings(pairs, "base", **options).models}


def against_base(preferences: list[float], model: str = "plus") -> PreferencePairs:
    return PreferencePairs(
        [model] * len(preferences), ["base"] * len(preferences), preferences, list(range(len(preferences)))
    )


def together(*parts: PreferencePairs) -> PreferencePairs:
    return PreferencePairs(
        [name for part in parts for name in part.first],
        [name for part in parts for name in part.second],
        np.concatenate([np.asarray(part.preference) for part in parts]),
        [cluster for part in parts for cluster in part.clusters],
    )


def round_robin(n: int, seed: int) -> PreferencePairs:
    """Every two of three models meet in every dialogue; the better by 0.5 of log-odds a step, a tie in five."""
    rng = np.random.default_rng(seed)
    strength = {"base": 0.0, "sft": 0.5, "plus": 1.0}
    rows = []
    for dialogue in range(n):
        for first, second in (("plus", "base"), ("sft", "base"), ("plus", "sft")):
            chance = 1.0 / (1.0 + np.exp(strength[second] - strength[first]))
            verdict = 0.5 if rng.random() < 0.2 else float(rng.random() < chance)
            rows.append((first, second, verdict, dialogue))
    first, second, preference, clusters = zip(*rows, strict=True)
    return PreferencePairs(first, second, preference, clusters)


def test_two_models_are_worked_out_by_hand() -> None:
    # Three of four wins: log-odds of log 3, 400 · log10(3) points.
    assert rated(against_base([1.0, 1.0, 1.0, 0.0] * 10), prior_ties=0.0)["plus"].value == pytest.approx(
        190.85, abs=0.01
    )


def test_ties_are_half_wins() -> None:
    split, tied = against_base([1.0] * 30 + [0.0] * 10), against_base([1.0] * 20 + [0.5] * 20)
    assert rated(split)["plus"].value == pytest.approx(rated(tied)["plus"].value)


def test_the_prior_is_one_tie_for_each_two_models() -> None:
    assert rated(against_base([1.0] * 30 + [0.0] * 10))["plus"].value == pytest.approx(POINTS * float(logit(30.5 / 41)))


@pytest.mark.parametrize("prior_ties", [0.0, 1.0])
def test_ratings_are_those_of_logistic_regression(prior_ties: float) -> None:
    pairs = round_robin(60, seed=1)
    extra = [("plus", "base"), ("sft", "base"), ("plus", "sft")]
    first = [*pairs.first, *[one for one, _ in extra]]
    second = [*pairs.second, *[other for _, other in extra]]
    x = np.array([[(name == a) - (name == b) for name in ("plus", "sft")] for a, b in zip(first, second, strict=True)])
    y = np.r_[np.asarray(pairs.preference), [0.5] * 3]
    weights = np.r_[np.ones(180), np.full(3, prior_ties)]
    expected = GLM(y, x.astype(float), family=families.Binomial(), freq_weights=weights).fit().params * POINTS
    found = rated(pairs, prior_ties=prior_ties)
    assert [found["plus"].value, found["sft"].value] == pytest.approx(expected.tolist(), abs=1e-6)


def test_the_baseline_is_0_without_doubt_and_the_best_come_first() -> None:
    found = ratings(round_robin(60, seed=1), "base").models
    assert [rating.model for rating in found] == ["plus", "sft", "base"]
    assert (found[2].value, found[2].ci) == (0.0, (0.0, 0.0))


def judged(seed: int, model: str, n_dialogues: int = 40) -> pd.DataFrame:
    """Two turns a dialogue of four categories, whose verdicts go together."""
    rng = np.random.default_rng(seed)
    verdicts = np.repeat(rng.choice([0.0, 0.5, 1.0], size=n_dialogues, p=[0.2, 0.2, 0.6]), 2)
    alone = rng.random(verdicts.size) < 0.3
    verdicts[alone] = rng.choice([0.0, 0.5, 1.0], size=int(alone.sum()))
    dialogues = np.repeat(np.arange(n_dialogues), 2)
    categories = [f"category {number % 4}" for number in dialogues]
    turns = [1, 2] * n_dialogues
    return table(verdicts.tolist(), dialogues=dialogues.tolist(), categories=categories, turns=turns, model=model)


def test_against_the_baseline_alone_the_interval_is_the_win_rates() -> None:
    plus, sft = judged(1, "plus"), judged(2, "sft")
    found = rated(PreferencePairs.of(pd.concat([plus, sft]), "base"))
    for model, rows in (("plus", plus), ("sft", sft)):
        wins = win_rate(rows)
        assert wins.ci is not None
        assert found[model].ci == pytest.approx(tuple(POINTS * logit(wins.ci)))
        assert found[model].value == pytest.approx(POINTS * logit((80 * wins.value + 0.5) / 81))


def test_who_stands_first_in_a_pair_does_not_matter() -> None:
    pairs = together(against_base([1.0, 1.0, 0.0, 0.5] * 10), against_base([1.0, 0.0] * 20, "sft"))
    turned = PreferencePairs(pairs.second, pairs.first, 1.0 - np.asarray(pairs.preference), pairs.clusters)
    assert rated(turned) == rated(pairs)


def test_two_models_of_the_same_verdicts_are_not_apart() -> None:
    plus = judged(1, "plus")
    found = ratings(PreferencePairs.of(pd.concat([plus, plus.assign(model="sft")]), "base"), "base")
    (apart,) = found.differences
    assert {apart.model, apart.against} == {"plus", "sft"}
    assert apart.value == pytest.approx(0.0)
    low, high = found.models[0].ci or (0.0, 0.0)
    # The two go together entirely: what is left is how far the one interval leans to a side.
    assert apart.ci == pytest.approx(
        (-abs(low + high - 2 * found.models[0].value), abs(low + high - 2 * found.models[0].value))
    )


def test_differences_are_of_each_two_models_but_the_baseline_the_better_first() -> None:
    rows = pd.concat([judged(seed, model) for seed, model in enumerate(("plus", "sft", "chosen"))])
    found = ratings(PreferencePairs.of(rows, "base"), "base")
    order = [rating.model for rating in found.models if rating.model != "base"]
    assert [(each.model, each.against) for each in found.differences] == list(combinations(order, 2))
    values = {rating.model: rating.value for rating in found.models}
    for each in found.differences:
        assert each.value == pytest.approx(values[each.model] - values[each.against])
        assert each.ci[0] < each.value < each.ci[1]


def test_a_model_that_wins_every_pair_has_no_upper_end_and_about_wilsons_lower_one() -> None:
    found = rated(against_base([1.0] * 40))["plus"]
    square = float(student_quantile(0.975, 39)) ** 2
    assert found.ci is not None
    assert found.ci[0] == pytest.approx(POINTS * float(np.log(40 / square)), rel=0.05)
    assert found.ci[1] == np.inf


def test_a_model_that_loses_every_pair_has_no_lower_end() -> None:
    won, lost = (rated(against_base([side] * 40))["plus"] for side in (1.0, 0.0))
    assert won.value is not None
    assert won.ci is not None
    assert lost.value == pytest.approx(-won.value)
    assert lost.ci == pytest.approx((-np.inf, -won.ci[0]))


def test_a_model_that_wins_all_leaves_the_others_bounded_and_is_above_them_without_end() -> None:
    found = ratings(together(against_base([1.0] * 40), against_base([1.0, 0.0] * 20, "sft")), "base")
    assert [rating.model for rating in found.models if np.isinf(rating.ci or ()).any()] == ["plus"]
    (apart,) = found.differences
    assert apart.ci[0] > 0
    assert apart.ci[1] == np.inf


def test_where_all_met_the_model_that_always_wins_has_no_upper_end() -> None:
    met = PreferencePairs(["plus"] * 40, ["sft"] * 40, [1.0] * 40, list(range(40)))
    found = rated(together(against_base([1.0] * 40), against_base([1.0, 0.0] * 20, "sft"), met))
    assert found["plus"].ci is not None
    assert found["plus"].ci[1] == np.inf
    assert 0 < found["plus"].ci[0] < (found["plus"].value or 0)
    assert np.isfinite(found["sft"].ci or (np.inf,)).all()


def test_a_chain_of_a_win_and_a_loss_bounds_nothing() -> None:
    # plus beats sft always and sft loses to base always: plus may be anywhere.
    lost = PreferencePairs(["plus"] * 20, ["sft"] * 20, [1.0] * 20, list(range(20)))
    found = rated(together(lost, against_base([0.0] * 20, "sft")))
    assert found["plus"].ci == (-np.inf, np.inf)


def test_a_model_that_no_pair_links_to_the_baseline_is_not_rated() -> None:
    apart = PreferencePairs(["sft"] * 4, ["chosen"] * 4, [1.0, 0.0, 1.0, NAN], list(range(4)))
    found = rated(together(against_base([1.0, 0.0] * 5), apart))
    assert (found["sft"].value, found["sft"].ci, found["sft"].n_pairs) == (None, None, 3)
    assert found["plus"].value == pytest.approx(0.0)


def test_unjudged_pairs_count_for_nothing() -> None:
    with_some = rated(against_base([1.0, 1.0, 0.0, 0.5, NAN, NAN]))["plus"]
    assert with_some.n_pairs == 4
    assert with_some.value == rated(against_base([1.0, 1.0, 0.0, 0.5]))["plus"].value


def test_nothing_judged_rates_nobody() -> None:
    found = rated(against_base([NAN, NAN]))
    assert found["plus"].value is None
    assert found["base"].value == 0.0


def test_one_dialogue_bounds_nothing() -> None:
    found = rated(PreferencePairs(["plus"] * 2, ["base"] * 2, [1.0, 0.0], [7, 7]))["plus"]
    assert (found.value, found.ci) == (pytest.approx(0.0), (-np.inf, np.inf))


def test_a_baseline_that_met_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="'chosen' is in none of the pairs"):
        ratings(against_base([1.0]), "chosen")


def test_a_table_of_judgements_gives_pairs_with_the_baseline() -> None:
    pairs = PreferencePairs.of(table([1.0, 0.5], dialogues=["a", "b"]), "base")
    assert (list(pairs.first), list(pairs.second), list(pairs.clusters)) == (["plus"] * 2, ["base"] * 2, ["a", "b"])
    assert list(pairs.strata) == ["all", "all"]
