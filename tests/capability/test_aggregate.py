from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from mplus_eval.capability.aggregate import compare_outcomes
from mplus_eval.capability.noise_floor import NoiseRerun
from mplus_eval.capability.versus import (
    ITEMS_DIFFER,
    PROMPTS_DIFFER,
    TEMPLATES_DIFFER,
    CapabilityRun,
    TaskFacts,
)
from mplus_eval.records.comparison import Comparison, ModelEntry
from mplus_eval.records.verdict import Verdict
from mplus_eval.spec.suite import Suite

SUITE = Suite(name="test", tasks=())


def cell(scores: Sequence[float | None], *, prefix: str = "i", **columns: Any) -> pd.DataFrame:
    """Outcomes of one cell: None is an item that failed."""
    n = len(scores)
    rows: dict[str, Any] = {
        "item_id": [f"{prefix}{number:04d}" for number in range(n)],
        "stratum": ["s"] * n,
        "cluster": [None] * n,
        "sample": [0] * n,
        "prompt_hash": ["p"] * n,
        "answer": [None if score is None else f"answer {score}" for score in scores],
        "score": pd.array(scores, dtype="Float64").to_numpy(dtype=float, na_value=np.nan),
        "metrics": [None if score is None else {"acc,none": score, "brier,none": score / 2} for score in scores],
    }
    return pd.DataFrame({**rows, **columns})


def facts(name: str = "t", **changes: Any) -> TaskFacts:
    given: dict[str, Any] = {
        "name": name,
        "metric": "acc",
        "higher_is_better": True,
        "n_shots": 5,
        "chance": 0.25,
        "kind": "choice",
        "lm_eval": name,
        "version": "1",
        "filter": "none",
        "margin": 0.02,
        "n_items": 10,
    }
    return TaskFacts(**{**given, **changes})


def entry(chat_template: str = "plain") -> ModelEntry:
    return ModelEntry(role="r", source="s", fingerprint="f", backend="hf", chat_template=chat_template)


def compare(
    outcomes: dict[tuple[str, str], pd.DataFrame],
    tasks: Sequence[TaskFacts] | None = None,
    models: dict[str, ModelEntry] | None = None,
    noise_rerun: NoiseRerun | None = None,
    **options: Any,
) -> Comparison:
    models = models or {name: entry() for name in dict.fromkeys(model for model, _ in outcomes)}
    tasks = tasks or [facts(name) for name in dict.fromkeys(task for _, task in outcomes)]
    run = CapabilityRun(models, tasks, SUITE, "base", **options)
    fields = compare_outcomes(outcomes, run, noise_rerun)
    return Comparison.model_validate({"baseline": "base", "suite": SUITE.name, "models": models, **fields})


def random_cells(models: Sequence[str], tasks: Sequence[str], n: int = 60) -> dict[tuple[str, str], pd.DataFrame]:
    rng = np.random.default_rng(0)
    found = {}
    for task in tasks:
        hardness = rng.normal(size=n)
        for model in models:
            right = (hardness + 0.7 * rng.normal(size=n) > 0).astype(float)
            strata, clusters = [f"s{k % 3}" for k in range(n)], [f"c{k // 6 * 3 + k % 3}" for k in range(n)]
            found[model, task] = cell(list(right), stratum=strata, cluster=clusters)
    return found


def test_a_contrast_by_hand():
    base = cell([1] * 6 + [0] * 4)
    plus = cell([1] * 3 + [0] * 5 + [1] * 2, answer=["x"] * 10)
    found = compare({("base", "t"): base, ("plus", "t"): plus}).tasks["t"]
    contrast = found.contrasts["plus"]
    assert found.scores["base"].value == pytest.approx(0.6)
    assert contrast.difference == pytest.approx(-0.1)
    assert (contrast.lost, contrast.gained, contrast.wrong_to_other_wrong) == (3, 2, 2)
    assert contrast.test == "exact McNemar"
    assert contrast.p_value == pytest.approx(1.0)
    assert contrast.verdict is Verdict.UNDECIDED
    assert contrast.n_pairs == 10
    low, high = contrast.ci
    assert low < -0.1 < high


def test_the_baseline_has_no_contrast_and_no_tax():
    found = compare(random_cells(["base", "plus"], ["t"]))
    assert list(found.tasks["t"].contrasts) == ["plus"]
    assert found.summary["base"].alignment_tax is None
    assert found.summary["base"].macro_average == found.tasks["t"].scores["base"].value


def test_value_is_the_plain_mean_and_failed_items_are_not_in_it():
    outcomes = {("base", "t"): cell([1, None, 0, 1]), ("plus", "t"): cell([0, 1, None, 1])}
    found = compare(outcomes).tasks["t"]
    assert found.scores["base"].value == pytest.approx(2 / 3)
    assert (found.scores["base"].n_scored, found.scores["base"].n_failed) == (3, 1)
    assert found.contrasts["plus"].n_pairs == 2
    assert found.contrasts["plus"].difference == pytest.approx(-0.5)
    assert found.contrasts["plus"].flags == (ITEMS_DIFFER,)


def test_scored_items_with_a_cut_prompt_are_counted():
    found = compare({("base", "t"): cell([1, None, 0, 1], n_truncated=[12, 9, 1, 0])})
    assert found.tasks["t"].scores["base"].n_truncated == 2


def test_further_metrics_are_means_over_scored_items():
    found = compare({("base", "t"): cell([1, None, 0, 1])})
    assert found.tasks["t"].scores["base"].other_metrics == pytest.approx({"brier,none": 1 / 3})


def test_further_metrics_are_found_in_pairs_as_parquet_gives_them():
    outcomes = cell([1, 0], metrics=[[("acc,none", 1.0), ("f1,none", 0.5)], [("acc,none", 0.0)]])
    assert compare({("base", "t"): outcomes}).tasks["t"].scores["base"].other_metrics == {"f1,none": 0.5}


def test_a_cell_whose_items_all_failed_has_no_value_and_no_contrast():
    found = compare({("base", "t"): cell([1, 0]), ("plus", "t"): cell([None, None])})
    score = found.tasks["t"].scores["plus"]
    assert (score.value, score.ci, score.n_scored, score.n_failed) == (None, None, 0, 2)
    assert found.tasks["t"].contrasts == {}
    assert found.summary["plus"].withheld == "no result on t"


def test_an_absent_cell_has_no_score_and_withholds_the_suite():
    outcomes = random_cells(["base", "plus"], ["t", "u"])
    del outcomes["plus", "u"]
    found = compare(outcomes)
    assert "plus" not in found.tasks["u"].scores
    assert found.summary["plus"].macro_average is None
    assert found.summary["plus"].verdict is None
    assert found.summary["plus"].withheld == "no result on u"
    assert found.summary["base"].macro_average is not None


def test_a_baseline_without_all_tasks_withholds_the_verdict_but_not_the_average():
    outcomes = random_cells(["base", "plus"], ["t", "u"])
    del outcomes["base", "u"]
    summary = compare(outcomes).summary["plus"]
    assert summary.macro_average is not None
    assert summary.verdict is None
    assert summary.alignment_tax is None
    assert summary.withheld == "base: no result on u"


def test_no_common_item_is_no_contrast():
    found = compare({("base", "t"): cell([1, None]), ("plus", "t"): cell([None, 1])})
    assert found.tasks["t"].contrasts == {}
    assert found.summary["plus"].withheld == "no items in common with base on t"


def test_one_item_is_undecided():
    contrast = compare({("base", "t"): cell([1]), ("plus", "t"): cell([0])}).tasks["t"].contrasts["plus"]
    assert contrast.ci == (-1, 1)
    assert contrast.p_value == 1
    assert contrast.verdict is Verdict.UNDECIDED
    assert contrast.smallest_detectable_difference is None


def test_five_equal_items_are_undecided_and_two_thousand_preserved():
    for n, expected in ((5, Verdict.UNDECIDED), (2000, Verdict.PRESERVED)):
        found = compare({("base", "t"): cell([1] * n), ("plus", "t"): cell([1] * n)})
        assert found.tasks["t"].contrasts["plus"].verdict is expected
        assert found.tasks["t"].contrasts["plus"].ci[0] < 0


def test_a_significant_loss_inside_the_margin_is_preserved():
    base, plus = [1] * 20000, [0] * 60 + [1] * 19940
    contrast = compare({("base", "t"): cell(base), ("plus", "t"): cell(plus)}).tasks["t"].contrasts["plus"]
    assert contrast.p_adjusted < 1e-6
    assert contrast.verdict is Verdict.PRESERVED


def test_large_gain_and_large_loss():
    outcomes = {
        ("base", "t"): cell([1, 0] * 100),
        ("good", "t"): cell([1, 1] * 100),
        ("bad", "t"): cell([0, 0] * 100),
    }
    found = compare(outcomes).tasks["t"].contrasts
    assert found["good"].verdict is Verdict.IMPROVED
    assert found["bad"].verdict is Verdict.DEGRADED


def test_where_lower_is_better_a_rise_is_a_loss():
    outcomes = {("base", "t"): cell([0, 0, 0, 1] * 50), ("plus", "t"): cell([1, 1, 0, 1] * 50)}
    found = compare(outcomes, [facts(higher_is_better=False)])
    contrast = found.tasks["t"].contrasts["plus"]
    assert contrast.difference == pytest.approx(0.5)
    assert 0 < contrast.ci[0] < 0.5 < contrast.ci[1]
    assert (contrast.lost, contrast.gained) == (100, 0)
    assert contrast.verdict is Verdict.DEGRADED
    assert found.summary["plus"].withheld == "lower is better on t"


def test_scores_beyond_0_and_1_are_compared_in_their_own_unit():
    rng = np.random.default_rng(1)
    before = rng.normal(40, 5, 300)
    after = before + rng.normal(1, 2, 300)
    outcomes = {("base", "t"): cell(list(before)), ("plus", "t"): cell(list(after))}
    found = compare(outcomes, [facts(margin=1.0)])
    contrast, expected = found.tasks["t"].contrasts["plus"], stats.ttest_rel(after, before)
    interval = expected.confidence_interval()
    assert contrast.difference == pytest.approx(np.mean(after - before))
    assert contrast.ci == pytest.approx((interval.low, interval.high), abs=0.02)
    assert found.tasks["t"].scores["plus"].value == pytest.approx(after.mean())
    assert found.tasks["t"].scores["plus"].ci[0] > 38
    assert contrast.verdict is Verdict.IMPROVED
    assert "not between 0 and 1" in found.summary["plus"].withheld


def test_graded_scores_are_tested_by_sign_flip_as_scipy_does_it():
    before, after = [0.2, 0.5, 0.9, 0.0, 0.4, 1.0, 0.3, 0.3], [0.3, 0.9, 0.8, 0.5, 0.41, 1.0, 0.7, 0.1]
    contrast = compare({("base", "t"): cell(before), ("plus", "t"): cell(after)}).tasks["t"].contrasts["plus"]
    expected = stats.permutation_test(
        (np.array(after), np.array(before)),
        lambda a, b: np.sum(a - b),
        permutation_type="samples",
        n_resamples=np.inf,
    )
    assert contrast.test == "sign-flip permutation"
    assert contrast.p_value == pytest.approx(expected.pvalue)


def test_items_of_one_passage_flip_together():
    clusters = ["a"] * 5 + ["b"] * 5
    outcomes = {
        ("base", "t"): cell([1] * 10, cluster=clusters),
        ("plus", "t"): cell([0] * 10, cluster=clusters),
    }
    contrast = compare(outcomes).tasks["t"].contrasts["plus"]
    assert contrast.test == "sign-flip permutation by cluster"
    assert contrast.p_value == pytest.approx(0.5)


def test_samples_of_one_item_are_paired_by_number_and_stand_together():
    ids = {"item_id": ["a", "a", "b", "b"], "sample": [0, 1, 0, 1]}
    outcomes = {("base", "t"): cell([1, 1, 0, 1], **ids), ("plus", "t"): cell([0, 0, 0, 1], **ids)}
    contrast = compare(outcomes).tasks["t"].contrasts["plus"]
    assert contrast.n_pairs == 4
    assert contrast.p_value == 1.0
    assert contrast.test == "sign-flip permutation by cluster"


def test_an_item_that_stands_twice_is_refused():
    with pytest.raises(ValueError, match="stand twice"):
        compare({("base", "t"): cell([1, 0], item_id=["a", "a"])})


def test_p_values_are_holm_adjusted_over_the_tasks_of_a_contrast():
    tasks = ["t", "u", "v", "w"]
    found = compare(random_cells(["base", "plus"], tasks))
    contrasts = [found.tasks[task].contrasts["plus"] for task in tasks]
    for raw, adjusted in (("p_value", "p_adjusted"), ("p_non_inferiority", "p_non_inferiority_adjusted")):
        expected = multipletests([getattr(c, raw) for c in contrasts], method="holm")[1]
        assert [getattr(c, adjusted) for c in contrasts] == pytest.approx(list(expected))


def test_subjects_are_given_and_adjusted_where_there_is_more_than_one():
    outcomes = random_cells(["base", "plus"], ["t"])
    found = compare(outcomes).tasks["t"]
    assert list(found.subjects) == ["s0", "s1", "s2"]
    assert [subject.n_items for subject in found.subjects.values()] == [20, 20, 20]
    first = outcomes["plus", "t"]
    expected = first[first["stratum"] == "s1"]["score"].mean()
    assert found.subjects["s1"].scores["plus"].value == pytest.approx(expected)
    contrasts = [subject.contrasts["plus"] for subject in found.subjects.values()]
    holm = multipletests([c.p_value for c in contrasts], method="holm")[1]
    assert [c.p_adjusted for c in contrasts] == pytest.approx(list(holm))
    weighted = sum(c.difference * c.n_pairs for c in contrasts) / 60
    assert weighted == pytest.approx(found.contrasts["plus"].difference)


def test_a_task_of_one_stratum_has_no_subjects():
    assert compare({("base", "t"): cell([1, 0])}).tasks["t"].subjects == {}


def test_failures_are_counted_in_their_subject():
    strata = ["a", "a", "b", "b"]
    found = compare({("base", "t"): cell([1, None, None, None], stratum=strata)}).tasks["t"].subjects
    assert (found["a"].n_items, found["a"].scores["base"].n_failed) == (2, 1)
    assert (found["b"].scores["base"].value, found["b"].scores["base"].n_failed) == (None, 2)


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


def test_the_suite_of_one_task_agrees_with_that_task():
    found = compare(random_cells(["base", "plus"], ["t"], n=600))
    summary, contrast = found.summary["plus"], found.tasks["t"].contrasts["plus"]
    assert summary.p_value == pytest.approx(contrast.p_value)
    assert summary.alignment_tax == pytest.approx(-contrast.difference)
    assert summary.alignment_tax_ci == pytest.approx((-contrast.ci[1], -contrast.ci[0]), abs=2e-3)


def test_chat_templates_and_prompts_that_differ_are_flagged():
    outcomes = {("base", "t"): cell([1, 0]), ("plus", "t"): cell([1, 0], prompt_hash=["p", "q"])}
    plain = compare(outcomes).tasks["t"].contrasts["plus"]
    own = compare(outcomes, models={"base": entry(), "plus": entry("own abc")}).tasks["t"].contrasts["plus"]
    assert plain.flags == (PROMPTS_DIFFER,)
    assert own.flags == (TEMPLATES_DIFFER,)


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


def test_facts_of_the_task_are_passed_on():
    found = compare({("base", "t"): cell([1])}, [facts(n_items=7, kind="mixed")])
    assert (found.tasks["t"].n_items, found.tasks["t"].kind) == (7, "mixed")
