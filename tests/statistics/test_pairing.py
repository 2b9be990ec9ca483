import numpy as np

from mplus_eval.statistics.pairing import PairedItems, ScoredItems
from tests.capability.outcomes import cell


def scored(scores, **columns):
    return ScoredItems.of(cell(scores, **columns), "acc,none")


def test_items_are_sorted_and_failed_ones_left_out():
    found = scored([1, None, 0], item_id=["c", "b", "a"])
    assert [key[0] for key in found.keys] == ["a", "c"]
    assert list(found.scores) == [0, 1]
    assert found.n_failed == 1


def test_items_that_share_nothing_have_no_clusters():
    assert scored([1, 0]).clusters is None


def test_items_without_a_cluster_stand_alone_beside_those_with_one():
    found = scored([1, 0, 1, 1], cluster=["a", "a", None, None])
    assert len(set(found.clusters)) == 3


def test_a_cluster_is_never_mistaken_for_an_item_of_that_name():
    found = scored([1, 0], cluster=["i0001", None])
    assert len(set(found.clusters)) == 2


def test_only_items_that_both_scored_are_paired():
    pair = PairedItems.of(scored([1, None, 0, 1]), scored([1, 1, None, 0]))
    assert list(pair.before.scores) == [1, 1]
    assert list(pair.after.scores) == [1, 0]


def test_same_items_in_another_order_are_paired():
    rows = cell([1, 0, 1])
    pair = PairedItems.of(ScoredItems.of(rows, "acc,none"), ScoredItems.of(rows[::-1], "acc,none"))
    np.testing.assert_array_equal(pair.before.scores, pair.after.scores)


def test_a_stratum_keeps_its_failures():
    found = scored([1, None, 0], stratum=["a", "a", "b"])
    assert found.all_strata == {"a": 2, "b": 1}
    assert found.in_stratum("a").n_failed == 1
    assert list(found.in_stratum("b").scores) == [0]


def test_cut_prompts_are_known_item_by_item():
    found = scored([1, None, 0, 1], n_truncated=[3, 7, 0, None], stratum=["a", "a", "a", "b"])
    assert list(found.truncated) == [True, False, False]
    assert list(found.in_stratum("b").truncated) == [False]


def test_prompts_of_earlier_outcomes_are_not_known_to_be_cut():
    assert list(scored([1, 0]).truncated) == [False, False]


def test_answers_that_are_missing_are_none():
    assert list(scored([1, 0], answer=["x", np.nan]).answers) == ["x", None]
