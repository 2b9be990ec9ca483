import pytest

from mplus_eval.records.comparison import Comparison
from tests.capability.outcomes import SUITE, cell, compare, random_cells


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
