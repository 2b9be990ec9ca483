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
    assert found.summary["plus"].withheld == "no task can be averaged (t: lower is better)"


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


def test_p_values_are_adjusted_over_the_tasks_of_a_contrast():
    tasks = ["t", "u", "v", "w"]
    found = compare(random_cells(["base", "plus"], tasks))
    contrasts = [found.tasks[task].contrasts["plus"] for task in tasks]
    expected = multipletests([c.p_non_inferiority for c in contrasts], method="holm")[1]
    assert [c.p_non_inferiority_adjusted for c in contrasts] == pytest.approx(list(expected))
    # Exact tests can give few p-values, and are adjusted by no more than Holm asks.
    most = multipletests([c.p_value for c in contrasts], method="holm")[1]
    assert all(c.p_value <= c.p_adjusted <= high + 1e-12 for c, high in zip(contrasts, most, strict=True))


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


def lossy(n: int, lost: int, failed: int) -> tuple[list[float | None], list[float | None]]:
    """Scores of a baseline that is right everywhere, and of a model that lost items and failed on others."""
    return [1.0] * n, [0.0] * lost + [None] * failed + [1.0] * (n - lost - failed)


def test_where_more_items_failed_than_are_accepted_there_is_no_verdict():
    base, plus = lossy(1319, 3, 36)
    found = compare({("base", "t"): cell(base), ("plus", "t"): cell(plus)})
    contrast, summary = found.tasks["t"].contrasts["plus"], found.summary["plus"]
    assert contrast.verdict is Verdict.NOT_COMPARABLE
    assert contrast.reasons == ("2.7 % of plus's items failed, and 1 % is accepted",)
    assert summary.verdict is Verdict.NOT_COMPARABLE
    assert summary.reasons == contrast.reasons


def test_failures_that_are_accepted_count_against_preserved():
    # Nine of 1,319 lost is within two points; with thirteen more that failed, and counted as lost, it is not.
    base, kept = lossy(1319, 9, 0)
    _, failing = lossy(1319, 9, 13)
    outcomes = {("base", "t"): cell(base), ("kept", "t"): cell(kept), ("failing", "t"): cell(failing)}
    found = compare(outcomes).tasks["t"].contrasts
    assert found["kept"].verdict is Verdict.PRESERVED
    assert found["failing"].verdict is not Verdict.PRESERVED
    # What is told of the pairs is told of the pairs.
    assert found["failing"].lost == 9
    assert found["failing"].p_non_inferiority < 0.025 < found["failing"].p_non_inferiority_adjusted


def test_failures_that_are_accepted_count_against_improved():
    base = [0.0] * 12 + [1.0] * 1188
    plus: list[float | None] = [1.0] * 12 + [1.0] * 1176 + [None] * 12
    found = compare({("base", "t"): cell(base), ("plus", "t"): cell(plus)}).tasks["t"].contrasts["plus"]
    assert found.p_value < 0.001
    assert found.p_adjusted == 1.0
    assert found.verdict is not Verdict.IMPROVED


def test_failures_of_the_baseline_are_not_counted_against_the_model():
    base, plus = lossy(1319, 0, 13)
    found = compare({("base", "t"): cell(plus), ("plus", "t"): cell(base)}).tasks["t"].contrasts["plus"]
    assert found.verdict is Verdict.PRESERVED


def test_a_baseline_that_guesses_has_nothing_to_preserve():
    rng = np.random.default_rng(1)
    base, plus = (list((rng.random(10_042) < 0.25).astype(float)) for _ in range(2))
    found = compare({("base", "t"): cell(base), ("plus", "t"): cell(plus)}, [facts(margin=0.05)])
    contrast = found.tasks["t"].contrasts["plus"]
    assert contrast.p_non_inferiority < 1e-6
    assert contrast.verdict is Verdict.NOT_INFORMATIVE
    assert "not more than two margins of 5.0 points above guessing (25.0 %)" in contrast.reasons[0]
    assert found.summary["plus"].verdict is Verdict.NOT_INFORMATIVE


def test_a_margin_may_be_a_share_of_what_stands_above_chance():
    base = [1.0] * 600 + [0.0] * 400
    found = compare({("base", "t"): cell(base), ("plus", "t"): cell(base)}, [facts(retain=0.95)])
    score, contrast = found.tasks["t"].scores["base"], found.tasks["t"].contrasts["plus"]
    assert contrast.margin == pytest.approx(0.05 * (score.ci[0] - 0.25))
    assert contrast.verdict is Verdict.PRESERVED
    assert compare({("base", "t"): cell(base), ("plus", "t"): cell(base)}, [facts(retain=0.999)]).tasks["t"].contrasts[
        "plus"
    ].verdict is (Verdict.UNDECIDED)


def test_nine_items_lost_in_nine_of_thirty_passages_are_not_called_degraded_beside_an_interval_that_holds_0():
    clusters = [f"c{k // 16}" for k in range(480)]
    plus = [0.0 if k % 16 == 0 and k < 9 * 16 else 1.0 for k in range(480)]
    cells = {("base", "t"): cell([1.0] * 480, cluster=clusters), ("plus", "t"): cell(plus, cluster=clusters)}
    contrast = compare(cells, [facts(icc=1.0)]).tasks["t"].contrasts["plus"]
    assert contrast.p_value == pytest.approx(2 / 2**9)
    assert contrast.ci[0] < 0 < contrast.ci[1]
    assert contrast.verdict is Verdict.UNDECIDED
    assert (contrast.n_clusters, contrast.icc) == (30, 1.0)
    assert contrast.flags == ("too few passages or dialogues to exclude that whole ones are lost",)


def test_from_183_passages_on_whole_ones_are_said_to_be_excluded():
    for n, flagged in ((182, True), (183, False)):
        clusters = [f"c{k // 2}" for k in range(2 * n)]
        cells = {(model, "t"): cell([1.0] * 2 * n, cluster=clusters) for model in ("base", "plus")}
        assert bool(compare(cells).tasks["t"].contrasts["plus"].flags) is flagged


def test_models_may_be_adjusted_together():
    outcomes = random_cells(["base", "one", "two", "three"], ["t", "u"], n=300)
    alone, together = compare(outcomes), compare(outcomes, adjust="models")
    for model in ("one", "two", "three"):
        for task in ("t", "u"):
            each, all_of_them = (found.tasks[task].contrasts[model] for found in (alone, together))
            assert all_of_them.p_value == each.p_value
            assert all_of_them.p_adjusted >= each.p_adjusted
            assert all_of_them.p_non_inferiority_adjusted >= each.p_non_inferiority_adjusted
        each, all_of_them = alone.summary[model], together.summary[model]
        assert each.p_adjusted == each.p_value
        assert all_of_them.p_value == each.p_value <= all_of_them.p_adjusted


def test_the_pooled_difference_counts_every_item_alike():
    base, plus = [1.0] * 900, [0.0] * 30 + [1.0] * 870
    outcomes = {
        ("base", "large"): cell(base),
        ("plus", "large"): cell(plus),
        ("base", "small"): cell([1.0] * 100),
        ("plus", "small"): cell([1.0] * 100),
    }
    summary = compare(outcomes).summary["plus"]
    assert summary.alignment_tax == pytest.approx(30 / 900 / 2)
    assert summary.pooled.difference == pytest.approx(-30 / 1000)
    assert summary.pooled.n_pairs == 1000
    assert summary.pooled.p_value == pytest.approx(2 / 2**30)
    assert summary.pooled.ci[0] < -0.03 < summary.pooled.ci[1] < 0
