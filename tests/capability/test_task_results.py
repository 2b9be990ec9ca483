import pytest
from statsmodels.stats.multitest import multipletests

from tests.capability.outcomes import cell, compare, facts, random_cells


def test_value_is_the_plain_mean_and_failed_items_are_not_in_it():
    outcomes = {("base", "t"): cell([1, None, 0, 1]), ("plus", "t"): cell([0, 1, None, 1])}
    found = compare(outcomes).tasks["t"]
    assert found.scores["base"].value == pytest.approx(2 / 3)
    assert (found.scores["base"].n_scored, found.scores["base"].n_failed) == (3, 1)
    assert found.contrasts["plus"].n_pairs == 2
    assert found.contrasts["plus"].difference == pytest.approx(-0.5)
    assert [each.name for each in found.contrasts["plus"].differences] == ["lost"]
    assert found.contrasts["plus"].differences[0].share == pytest.approx(0.5)


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


def test_facts_of_the_task_are_passed_on():
    found = compare({("base", "t"): cell([1])}, [facts(n_items=7, kind="mixed")])
    assert (found.tasks["t"].n_items, found.tasks["t"].kind) == (7, "mixed")
