import numpy as np
import pytest

from mplus_eval.reports.explorer.states import Result, kept, states
from mplus_eval.statistics.flips import count_flips


def result(value: float | None, answer: str | None = None, *, failed: bool = False) -> Result:
    return Result(value, value, answer, failed)


@pytest.mark.parametrize(
    ("base", "own", "letter"),
    [
        (result(1.0), result(0.0), "l"),
        (result(0.0), result(1.0), "g"),
        (result(0.4), result(0.3), "l"),
        (result(1.0), result(1.0), "="),
        (result(0.4), result(0.4 + 1e-12), "="),
        (result(0.0, "a"), result(0.0, "a"), "w"),
        (result(0.0, "a"), result(0.0, "b"), "o"),
        (result(0.0, "a"), result(0.0), "w"),
        (result(1.0), result(None, failed=True), "f"),
        (result(None, failed=True), result(1.0), "-"),
        (result(None), result(1.0), "-"),
        (None, result(1.0), "-"),
        (result(1.0), None, "-"),
    ],
)
def test_what_became_of_an_item(base: Result | None, own: Result | None, letter: str) -> None:
    assert states([base], [own]) == letter


def test_where_no_value_means_wrong_equal_ones_are_the_same() -> None:
    assert states([result(0.0, "a")], [result(0.0, "b")], wrong=None) == "="


def test_the_counts_are_those_of_the_statistics() -> None:
    random = np.random.default_rng(1)
    scores, answers = random.integers(0, 2, (2, 500)).astype(float), random.choice(["a", "b", None], (2, 500))
    base, own = ([result(*each) for each in zip(*side, strict=True)] for side in zip(scores, answers, strict=True))
    counted = count_flips(*scores, *answers.astype(object))
    letters = states(base, own)
    assert [letters.count(each) for each in "lgo"] == [counted.lost, counted.gained, counted.wrong_to_other_wrong]


def test_items_that_changed_with_any_model_are_kept() -> None:
    assert kept(["===f", "=l==", "====", "w==w"]) == [1, 3]
