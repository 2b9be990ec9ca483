import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from mplus_eval.records.verdict import Verdict
from tests.capability.outcomes import cell, compare, entry, facts, random_cells


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
    assert plain.flags == ("prompts differ",)
    assert own.flags == ("chat templates differ",)


def put(names: tuple[str, ...], **changes: list[str]) -> dict[tuple[str, str], object]:
    """Two models that score alike, put with the same token ids unless said otherwise of the second one."""
    alike = {"prompt_hash": ["p", "q"], "token_hash": ["1", "2"]}
    return {
        (model, task): cell([1, 0], **(alike if model == "base" else alike | changes))
        for model in ("base", "plus")
        for task in names
    }


def test_other_token_ids_for_the_same_prompt_withhold_the_verdicts_of_task_and_suite():
    found = compare(put(("t", "u"), token_hash=["1", "3"]))
    contrast, summary = found.tasks["t"].contrasts["plus"], found.summary["plus"]
    why = "the same prompt has other token ids than for base in 50.0 % of items (--allow token-ids accepts that)"
    assert (contrast.verdict, contrast.reasons) == (Verdict.NOT_COMPARABLE, (why,))
    assert (contrast.difference, contrast.differences[0].share) == (0.0, 0.5)
    assert (summary.verdict, summary.reasons, summary.alignment_tax) == (Verdict.NOT_COMPARABLE, (why,), 0.0)


def test_a_task_that_withholds_the_suites_verdict_is_named():
    outcomes = put(("t",), token_hash=["1", "3"]) | {
        cell: rows for cell, rows in put(("t", "u")).items() if cell[1] == "u"
    }
    summary = compare(outcomes).summary["plus"]
    assert summary.reasons[0].endswith("accepts that), on t")


def test_a_difference_that_was_allowed_by_name_is_flagged_and_withholds_nothing():
    found = compare(put(("t",), token_hash=["1", "3"]), allowed=("token-ids",))
    contrast = found.tasks["t"].contrasts["plus"]
    assert contrast.verdict is not Verdict.NOT_COMPARABLE
    assert (contrast.differences[0].allowed, contrast.differences[0].withholds) == (True, False)
    assert contrast.flags == ("the same prompt has other token ids than for base in 50.0 % of items",)
    assert found.summary["plus"].reasons == ()
