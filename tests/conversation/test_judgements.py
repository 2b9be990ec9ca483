from __future__ import annotations

import numpy as np
import pytest

from mplus_eval.conversation.judgements import check_judgements, combine, design_of
from tests.conversation.tables import NAN, table


@pytest.mark.parametrize(
    ("in_order", "swapped", "preference"),
    [(1, 1, 1), (0, 0, 0), (0.5, 0.5, 0.5), (1, 0, 0.5), (0, 1, 0.5), (1, 0.5, 0.5), (0.5, 0, 0.5)],
)
def test_a_verdict_that_the_order_changes_is_a_tie(in_order: float, swapped: float, preference: float) -> None:
    assert combine([in_order], [swapped]).tolist() == [preference]


def test_a_pair_without_both_verdicts_is_unjudged() -> None:
    assert np.isnan(combine([1.0, NAN, NAN], [NAN, 0.0, NAN])).all()


def test_a_table_of_judgements_is_accepted() -> None:
    check_judgements(table([1.0, 0.5, NAN]))


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ValueError, match="no column swapped, words_model"):
        check_judgements(table([1.0]).drop(columns=["swapped", "words_model"]))


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
