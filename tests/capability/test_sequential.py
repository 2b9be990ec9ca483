"""The replay of rounds over outcomes written by hand: what is asked on, and what is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mplus_eval.capability.aggregate import compare_outcomes
from mplus_eval.capability.rounds import Rounds
from mplus_eval.capability.sequential import Asking
from mplus_eval.capability.versus import CapabilityRun
from mplus_eval.records.comparison import Comparison
from mplus_eval.records.verdict import Verdict
from mplus_eval.statistics.betting import betting_interval
from mplus_eval.statistics.rounds import round_sizes
from tests.capability.outcomes import SUITE, cell, entry, facts

N = 2000


def scores(lost: float = 0.0, n: int = N, gained: float = 0.0, seed: int = 1) -> tuple[list[float], list[float]]:
    """A baseline that is right in 80 %, and a model that loses and gains shares of all items."""
    rng = np.random.default_rng(seed)
    base, uniform = (rng.random(n) < 0.8).astype(float), rng.random(n)
    model = np.where((base == 1) & (uniform < lost / 0.8), 0.0, base)
    return list(base), list(np.where((base == 0) & (uniform < gained / 0.2), 1.0, model))


def rounds_for(tasks: list[str], n: int = N) -> Rounds:
    """Items in the order in which they stand."""
    return Rounds(
        {task: {f"i{i:04d}": int(np.searchsorted(round_sizes(n), i, side="right")) for i in range(n)} for task in tasks}
    )


def outcomes_of(tasks: dict[str, float], models: tuple[str, ...] = ("plus",)) -> dict[tuple[str, str], pd.DataFrame]:
    found = {}
    for number, (task, lost) in enumerate(tasks.items()):
        base, model = scores(lost, seed=number)
        found["base", task] = cell(base)
        for name in models:
            found[name, task] = cell(model)
    return found


def run_of(tasks: list[str], models: tuple[str, ...] = ("plus",), **options: Any) -> CapabilityRun:
    entries = {name: entry() for name in ("base", *models)}
    return CapabilityRun(entries, [facts(task) for task in tasks], SUITE, "base", **options)


def compared(outcomes: dict[tuple[str, str], pd.DataFrame], run: CapabilityRun, rounds: Rounds | None) -> Comparison:
    fields = compare_outcomes(outcomes, run, rounds=rounds)
    return Comparison.model_validate({"baseline": "base", "suite": SUITE.name, "models": run.models, **fields})


def test_a_task_alone_stops_with_its_verdict():
    outcomes, rounds, run = outcomes_of({"t": 0.08}), rounds_for(["t"]), run_of(["t"])
    assert Asking(run, rounds).wanted(outcomes, ["base", "plus"], 1) == set()
    contrast = compared(outcomes, run, rounds).tasks["t"].contrasts["plus"]
    assert contrast.verdict is Verdict.DEGRADED
    assert contrast.n_pairs == 200
    assert contrast.sequential.model_dump() == {"n_asked": 200, "n_items": N, "n_looks": 1, "settled": True}
    assert contrast.test == "betting, at every look"
    # The interval is the confidence sequence at half of the level.
    np.testing.assert_allclose(contrast.ci, betting_interval(0, contrast.lost, 200, 0.025))


def test_what_is_not_settled_goes_on_with_the_baseline_beside_it():
    outcomes, rounds, run = outcomes_of({"t": 0.01}), rounds_for(["t"]), run_of(["t"])
    assert Asking(run, rounds).wanted(outcomes, ["base", "plus"], 1) == {("plus", "t"), ("base", "t")}


def test_where_all_tasks_are_settled_and_the_suite_is_not_all_are_asked_on():
    outcomes, run, rounds = outcomes_of({"t": 0.07, "u": 0.0}), run_of(["t", "u"]), rounds_for(["t", "u"])
    base, model = scores(lost=0.05, gained=0.1, seed=1)
    outcomes |= {("base", "u"): cell(base), ("plus", "u"): cell(model)}
    asking = Asking(run, rounds)
    early = asking.follow(outcomes, ["plus"], 0)
    # One task is settled at the first look and left; the other goes on.
    assert (early.is_open(("plus", "t")), early.wanted) == (False, {("plus", "u")})
    course = asking.follow(outcomes, ["plus"], 2)
    assert not course.is_open(("plus", "u"))
    assert course.asked == {("plus", "t"): 0, ("plus", "u"): 2}
    # The suite, at a loss of its margin, is not settled.
    assert course.suite_is_open("plus")
    assert course.wanted == {("plus", "t"), ("plus", "u")}
    # A task that was left is asked up to the round of the others.
    assert asking.follow(outcomes, ["plus"], 3).asked == {("plus", "t"): 3, ("plus", "u"): 3}
    # A suite that cannot be had keeps nothing open.
    del outcomes["plus", "u"]
    assert Asking(run, rounds).follow(outcomes, ["plus"], 2).wanted == set()


def test_what_was_left_is_asked_on_when_all_else_has_been():
    # A small task with a wide margin is left at once; a large one is asked whole without a verdict, as is the suite.
    (base, same), (before, after) = scores(n=230), scores(0.03, gained=0.02)
    outcomes = {("base", "t"): cell(base), ("plus", "t"): cell(same)}
    outcomes |= {("base", "u"): cell(before), ("plus", "u"): cell(after)}
    rounds = Rounds({**rounds_for(["u"]).of_items, "t": {f"i{i:04d}": int(i >= 200) for i in range(230)}})
    run = CapabilityRun(run_of([]).models, [facts("t", margin=0.2), facts("u")], SUITE, "base")
    asking, last = Asking(run, rounds), rounds.last("u")
    course = asking.follow(outcomes, ["plus"], last)
    assert course.asked == {("plus", "t"): 0, ("plus", "u"): last}
    assert course.suite_is_open("plus")
    assert course.wanted == {("plus", "t")}
    assert asking.follow(outcomes, ["plus"]).asked == {("plus", "t"): 1, ("plus", "u"): last}


def test_a_settled_contrast_is_of_the_items_that_were_there_then():
    outcomes, run = outcomes_of({"t": 0.08, "u": 0.0}), run_of(["t", "u"])
    found = compared(outcomes, run, rounds_for(["t", "u"]))
    lost, kept = (found.tasks[task].contrasts["plus"] for task in ("t", "u"))
    assert found.summary["plus"].sequential.n_items == 2 * N
    assert (lost.verdict, lost.n_pairs) == (Verdict.DEGRADED, 200)
    assert kept.verdict is Verdict.PRESERVED
    assert kept.n_pairs == kept.sequential.n_asked > 200
    # Scores are of all that was asked.
    assert found.tasks["t"].scores["plus"].n_scored == N


def test_replaying_fewer_rounds_finds_what_was_found_then():
    outcomes, run = outcomes_of({"t": 0.02, "u": 0.0}), run_of(["t", "u"])
    rounds = rounds_for(["t", "u"])
    asking = Asking(run, rounds)
    for last in (0, 3):
        early = {key: rounds.until(key[1], rows, last) for key, rows in outcomes.items()}
        assert (
            asking.follow(outcomes, ["plus"], last).decisions.keys()
            == Asking(run, rounds).follow(early, ["plus"]).decisions.keys()
        )
        for key, decision in asking.follow(outcomes, ["plus"], last).decisions.items():
            again = Asking(run, rounds).follow(early, ["plus"]).decisions[key]
            assert (again.verdict, again.p_adjusted) == (decision.verdict, decision.p_adjusted)


def test_asked_to_the_end_the_ordinary_test_counts_too():
    base, model = scores(0.03, n=250)
    outcomes = {("base", "t"): cell(base), ("plus", "t"): cell(model)}
    contrast = compared(outcomes, run_of(["t"]), rounds_for(["t"], 250)).tasks["t"].contrasts["plus"]
    assert contrast.sequential.n_asked == 250
    assert contrast.test == "betting, at every look; exact McNemar at the end"
    alone = betting_interval(contrast.gained, contrast.lost, 250, 0.025)
    assert alone[0] < contrast.ci[0] < contrast.difference < contrast.ci[1] <= alone[1]


def test_a_small_task_is_judged_as_if_nobody_had_looked():
    base, model = scores(0.03, n=200)
    outcomes = {("base", "t"): cell(base), ("plus", "t"): cell(model)}
    run = run_of(["t"])
    found, ordinary = compared(outcomes, run, rounds_for(["t"], 200)), compared(outcomes, run, None)
    once, ever = (each.tasks["t"].contrasts["plus"] for each in (found, ordinary))
    assert once.test == ever.test == "exact McNemar"
    assert once.ci == pytest.approx(ever.ci)
    assert once.verdict is ever.verdict
    assert once.sequential.n_looks == 1
    assert found.summary["plus"].alignment_tax_ci == pytest.approx(ordinary.summary["plus"].alignment_tax_ci)


def test_lower_is_better_turns_the_interval():
    base, model = scores(0.08)
    outcomes = {("base", "t"): cell([1 - x for x in base]), ("plus", "t"): cell([1 - x for x in model])}
    run = run_of([])
    run = CapabilityRun(run.models, [facts("t", higher_is_better=False)], SUITE, "base")
    contrast = compared(outcomes, run, rounds_for(["t"])).tasks["t"].contrasts["plus"]
    assert contrast.verdict is Verdict.DEGRADED
    assert 0 < contrast.ci[0] < contrast.difference < contrast.ci[1]


def test_failures_buy_no_preserved():
    base, model = scores(0.0)
    failing = [None if i % 12 == 0 else score for i, score in enumerate(model)]
    outcomes = {("base", "t"): cell(base), ("plus", "t"): cell(failing)}
    run = CapabilityRun(run_of([]).models, [facts("t")], SUITE.model_copy(update={"failures": 0.5}), "base")
    contrast = compared(outcomes, run, rounds_for(["t"])).tasks["t"].contrasts["plus"]
    assert contrast.verdict is not Verdict.PRESERVED
    assert contrast.p_non_inferiority_adjusted > 0.5


def test_a_baseline_at_chance_is_asked_to_the_end_and_told():
    rng = np.random.default_rng(5)
    base = list((rng.random(N) < 0.25).astype(float))
    outcomes = {("base", "t"): cell(base), ("plus", "t"): cell(base)}
    contrast = compared(outcomes, run_of(["t"]), rounds_for(["t"])).tasks["t"].contrasts["plus"]
    assert contrast.verdict is Verdict.NOT_INFORMATIVE
    assert contrast.sequential.n_asked == N
    assert "above guessing" in contrast.reasons[0]


def test_models_that_are_adjusted_together_are_looked_at_together():
    models = ("plus", "sft")
    outcomes, rounds = outcomes_of({"t": 0.06}, models), rounds_for(["t"])
    apart = compared(outcomes, run_of(["t"], models), rounds).tasks["t"].contrasts["plus"]
    together = compared(outcomes, run_of(["t"], models, adjust="models"), rounds).tasks["t"].contrasts["plus"]
    assert together.p_adjusted == pytest.approx(2 * apart.p_adjusted)


def test_subjects_have_scores_and_no_tests():
    base, model = scores(0.0)
    strata = [f"s{i % 2}" for i in range(N)]
    outcomes = {("base", "t"): cell(base, stratum=strata), ("plus", "t"): cell(model, stratum=strata)}
    task = compared(outcomes, run_of(["t"]), rounds_for(["t"])).tasks["t"]
    assert sorted(task.subjects) == ["s0", "s1"]
    assert task.subjects["s0"].contrasts == {}
    assert set(task.subjects["s0"].scores) == {"base", "plus"}
