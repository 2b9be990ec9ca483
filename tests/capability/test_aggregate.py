import numpy as np
import pandas as pd
import pytest

from mplus_eval.capability.noise_floor import NoiseRerun
from mplus_eval.capability.versus import TaskFacts
from mplus_eval.records.comparison import Comparison
from mplus_eval.records.verdict import Verdict
from mplus_eval.statistics.measure import Measure
from mplus_eval.statistics.pairing import PairedItems, ScoredItems
from tests.capability.outcomes import SUITE, cell, compare, facts, random_cells


def test_the_baseline_has_no_contrast_and_no_tax():
    found = compare(random_cells(["base", "plus"], ["t"]))
    assert list(found.tasks["t"].contrasts) == ["plus"]
    assert found.summary["base"].alignment_tax is None
    assert found.summary["base"].macro_average == found.tasks["t"].scores["base"].value


def test_an_absent_cell_has_no_score_and_withholds_the_suite():
    outcomes = random_cells(["base", "plus"], ["t", "u"])
    del outcomes["plus", "u"]
    found = compare(outcomes)
    assert "plus" not in found.tasks["u"].scores
    assert found.summary["plus"].macro_average is None
    assert found.summary["plus"].verdict is None
    assert found.summary["plus"].withheld == "no result on u"
    assert found.summary["base"].macro_average is not None


def test_macro_average_and_tax_by_hand():
    outcomes = {
        ("base", "t"): cell([1, 1, 1, 0]),
        ("base", "u"): cell([1, 0], prefix="j"),
        ("plus", "t"): cell([1, 0, 1, 0]),
        ("plus", "u"): cell([1, 1], prefix="j"),
    }
    summary = compare(outcomes).summary
    assert summary["base"].macro_average == pytest.approx((0.75 + 0.5) / 2)
    assert summary["plus"].macro_average == pytest.approx((0.5 + 1.0) / 2)
    assert summary["plus"].alignment_tax == pytest.approx(-0.125)
    assert summary["plus"].margin == SUITE.margin
    low, high = summary["plus"].alignment_tax_ci
    assert low < -0.125 < high


def test_all_pairs_are_those_without_the_baseline():
    outcomes = random_cells(["base", "sft", "plus"], ["t", "u"])
    found = compare(outcomes, pairs="all")
    assert [(pair.model, pair.against) for pair in found.pairs] == [("plus", "sft")]
    expected = found.tasks["t"].scores["plus"].value - found.tasks["t"].scores["sft"].value
    assert found.pairs[0].tasks["t"].difference == pytest.approx(expected)
    assert found.pairs[0].summary.macro_average == found.summary["plus"].macro_average
    assert compare(outcomes).pairs == ()


def test_neither_the_order_of_rows_nor_other_models_change_anything():
    outcomes = random_cells(["base", "plus", "sft"], ["t", "u"])
    whole = compare(outcomes)
    shuffled = {key: rows.sample(frac=1, random_state=3) for key, rows in outcomes.items() if key[0] != "sft"}
    alone = compare(shuffled)
    assert alone.tasks["t"].contrasts["plus"] == whole.tasks["t"].contrasts["plus"]
    assert alone.summary["plus"] == whole.summary["plus"]
    assert alone.tasks["t"].subjects["s0"].contrasts["plus"] == whole.tasks["t"].subjects["s0"].contrasts["plus"]


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        compare(random_cells(["base", "plus"], ["t", "u"]), seed=4).write(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert Comparison.read(tmp_path / "a").summary["plus"].p_value is not None


def test_swapping_the_models_flips_every_sign():
    outcomes = random_cells(["base", "plus"], ["t", "u"])
    swap = {"base": "plus", "plus": "base"}
    forth = compare(outcomes)
    back = compare({(swap[model], task): rows for (model, task), rows in outcomes.items()})
    one, other = forth.tasks["t"].contrasts["plus"], back.tasks["t"].contrasts["plus"]
    assert other.difference == pytest.approx(-one.difference)
    assert other.ci == pytest.approx((-one.ci[1], -one.ci[0]))
    assert other.p_value == pytest.approx(one.p_value)
    assert (other.lost, other.gained) == (one.gained, one.lost)
    assert back.summary["plus"].alignment_tax == pytest.approx(-forth.summary["plus"].alignment_tax)
    assert back.summary["plus"].p_value == pytest.approx(forth.summary["plus"].p_value)


# Ratios, and what else is no part of the macro-average


def losses(values: list[float], weights: list[float]) -> pd.DataFrame:
    """Texts with their losses, and the bytes that these are spread over."""
    pairs = zip(values, weights, strict=True)
    return cell(values, metrics=[{"bits,none:0": -loss, "bits,none:1": weight} for loss, weight in pairs])


BITS = {"metric": "bits", "higher_is_better": False, "measure": Measure("rate"), "kind": "text", "chance": 0.0}


def with_texts(*others: TaskFacts, **cells: pd.DataFrame) -> Comparison:
    rng = np.random.default_rng(0)
    weights = [float(value) for value in rng.integers(500, 5000, 40)]
    before = [float(weight * rate) for weight, rate in zip(weights, rng.normal(0.9, 0.05, 40), strict=True)]
    after = [loss * float(factor) for loss, factor in zip(before, rng.normal(1.05, 0.01, 40), strict=True)]
    right = [1.0, 0.0, 1.0, 1.0] * 150
    outcomes = {
        ("base", "sums"): cell(right),
        ("plus", "sums"): cell(right),
        ("base", "wiki"): losses(before, weights),
        ("plus", "wiki"): losses(after, weights),
    }
    outcomes |= {(model, task.name): cells[task.name] for task in others for model in ("base", "plus")}
    return compare(outcomes, [facts("sums"), facts("wiki", **BITS), *others])


def test_a_ratio_has_its_value_and_a_relative_difference() -> None:
    task = with_texts().tasks["wiki"]
    base, plus = (task.scores[model].value for model in ("base", "plus"))
    assert base == pytest.approx(0.9, abs=0.03)
    assert task.relative
    contrast = task.contrasts["plus"]
    assert contrast.difference == pytest.approx(plus / base - 1)
    assert contrast.ci[0] < 0.05 < contrast.ci[1]
    assert (contrast.verdict, contrast.margin) == (Verdict.DEGRADED, 0.02)
    assert contrast.lost + contrast.gained == 40


def test_the_macro_average_is_of_the_other_tasks() -> None:
    found = with_texts()
    assert {name: task.outside for name, task in found.tasks.items()} == {
        "sums": "",
        "wiki": "its value is a ratio and not a score",
    }
    assert found.summary["plus"].macro_average == 0.75
    assert found.summary["plus"].verdict is Verdict.PRESERVED
    assert found.summary["plus"].pooled is not None
    assert found.summary["plus"].pooled.n_pairs == 600


def test_the_baselines_scores_say_which_tasks_are_averaged() -> None:
    grades = facts("grades"), facts("errors", higher_is_better=False)
    found = with_texts(*grades, grades=cell([1, 2, 3, 4] * 10), errors=cell([0, 1] * 20))
    assert {name: task.outside for name, task in found.tasks.items() if task.outside} == {
        "wiki": "its value is a ratio and not a score",
        "grades": "its scores are not between 0 and 1",
        "errors": "lower is better",
    }
    assert found.summary["base"].macro_average == 0.75


def test_a_model_alone_whose_scores_leave_the_range_has_no_average() -> None:
    outcomes = {("base", "t"): cell([0, 1] * 20), ("plus", "t"): cell([0, 2] * 20)}
    found = compare(outcomes)
    assert found.summary["base"].macro_average == 0.5
    assert found.summary["plus"].withheld == "scores on t are not between 0 and 1"


def test_where_nothing_is_averaged_the_reasons_are_said() -> None:
    outcomes = {(model, "t"): cell([0, 1] * 20) for model in ("base", "plus")}
    found = compare(outcomes, [facts(higher_is_better=False)])
    assert found.summary["base"].withheld == "no task can be averaged (t: lower is better)"


def test_losses_have_no_noise_floor_and_take_none_from_the_others() -> None:
    rows = losses([900.0] * 20, [1000.0] * 20), losses([900.1] * 20, [1000.0] * 20)
    outcomes = {(model, "wiki"): rows[0] for model in ("base", "plus")}
    outcomes |= {(model, "sums"): cell([0, 1] * 20) for model in ("base", "plus")}
    rerun = NoiseRerun("8 and 4", {"wiki": rows[1], "sums": cell([0, 1] * 20)})
    found = compare(outcomes, [facts("sums"), facts("wiki", **BITS)], rerun=rerun)
    assert found.noise_floor is not None
    assert list(found.noise_floor.tasks) == ["sums"]
    assert found.noise_floor.suite is not None
    assert found.summary["plus"].above_noise is False
    assert found.tasks["wiki"].contrasts["plus"].above_noise is None


# Groups whose subtasks count alike


def test_subtasks_that_count_alike_are_averaged_with_their_own_variances() -> None:
    """By hand: 40 items of which one in ten was lost, 10 of which none was."""
    strata = ["a"] * 40 + ["b"] * 10
    before, after = [1.0] * 50, [0.0] * 4 + [1.0] * 46
    outcomes = {("base", "t"): cell(before, stratum=strata), ("plus", "t"): cell(after, stratum=strata)}
    alike = compare(outcomes, [facts(measure=Measure(by_size=False))]).tasks["t"]
    assert (alike.by_size, alike.scores["plus"].value) == (False, pytest.approx((0.9 + 1.0) / 2))
    assert alike.contrasts["plus"].difference == pytest.approx(-0.05)
    by_size = compare(outcomes, [facts()]).tasks["t"]
    assert by_size.contrasts["plus"].difference == pytest.approx(-0.08)
    # V = (1/K²) Σ V_s: of the first subtask 0.1 · 0.9 / 39, of the second none.
    measure = Measure(by_size=False)
    pair = PairedItems.of(*(ScoredItems.of(outcomes[model, "t"], "acc,none", measure) for model in ("base", "plus")))
    variance = pair.before.design.variance(pair.after.scores - pair.before.scores)
    assert variance.value == pytest.approx(0.1 * 0.9 / 39 / 4)


def test_subtasks_of_one_size_count_alike_either_way() -> None:
    rng = np.random.default_rng(1)
    strata = ["a"] * 50 + ["b"] * 50
    scores = {model: [float(value) for value in rng.integers(0, 2, 100)] for model in ("base", "plus")}
    outcomes = {(model, "t"): cell(values, stratum=strata) for model, values in scores.items()}
    alike, by_size = (compare(outcomes, [facts(measure=Measure(by_size=each))]).tasks["t"] for each in (False, True))
    assert alike.contrasts["plus"].difference == pytest.approx(by_size.contrasts["plus"].difference)
    assert alike.contrasts["plus"].ci == pytest.approx(by_size.contrasts["plus"].ci)
    assert alike.scores["plus"].ci == pytest.approx(by_size.scores["plus"].ci)
