from __future__ import annotations

import pytest

from mplus_eval.conversation.judgements import check_judgements, design_of
from tests.conversation.tables import NAN, table


def test_a_table_of_judgements_is_accepted() -> None:
    check_judgements(table([1.0, 0.5, NAN]))


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ValueError, match="no column baseline_first, words_model"):
        check_judgements(table([1.0]).drop(columns=["baseline_first", "words_model"]))


def test_a_grade_is_no_preference() -> None:
    with pytest.raises(ValueError, match="column preference holds values other than"):
        check_judgements(table([1.0]).assign(preference=7.0))


def test_a_pair_that_stands_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="stands there twice"):
        check_judgements(table([1.0, 0.0], dialogues=["one", "one"]))


def test_turns_of_a_dialogue_are_one_cluster_in_the_stratum_of_its_category() -> None:
    rows = table([1.0] * 8, dialogues=list("aabbccdd"), turns=[1, 2] * 4, categories=["maths"] * 4 + ["writing"] * 4)
    design = design_of(rows)
    assert (design.n_items, design.n_clusters, design.n_strata) == (8, 4, 2)
