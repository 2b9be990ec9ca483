from __future__ import annotations

import pytest

from mplus_eval.pipeline.progress import TimeLeft, duration


def test_nothing_is_estimated_before_anything_was_measured() -> None:
    assert TimeLeft({("base", "mmlu", "choice"): 10}).seconds() is None


def test_time_left_uses_the_rate_of_the_same_task_with_another_model() -> None:
    left = TimeLeft(
        {("base", "mmlu", "choice"): 10, ("base", "gsm8k", "generation"): 10, ("plus", "gsm8k", "generation"): 10}
    )
    left.record(("base", "mmlu", "choice"), 10, 1.0)
    left.record(("base", "gsm8k", "generation"), 10, 50.0)

    assert left.seconds() == pytest.approx(50.0)


def test_a_task_not_yet_seen_takes_the_rate_of_its_kind() -> None:
    left = TimeLeft({("base", "mmlu", "choice"): 10, ("base", "bbh", "generation"): 4, ("base", "race", "choice"): 5})
    left.record(("base", "mmlu", "choice"), 10, 2.0)
    left.record(("base", "bbh", "generation"), 4, 100.0)

    assert left.seconds() == pytest.approx(5 * 0.2)


def test_a_kind_not_yet_seen_takes_the_rate_of_all() -> None:
    left = TimeLeft({("base", "mmlu", "choice"): 10, ("base", "bbh", "generation"): 4})
    left.record(("base", "mmlu", "choice"), 5, 1.0)

    assert left.seconds() == pytest.approx((5 + 4) * 0.2)


def test_items_of_a_failed_cell_are_not_waited_for() -> None:
    left = TimeLeft({("base", "mmlu", "choice"): 10, ("base", "race", "choice"): 10})
    left.record(("base", "mmlu", "choice"), 10, 2.0)
    left.drop(("base", "race", "choice"))

    assert left.seconds() == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (42, "42 s"), (99.4, "99 s"), (380, "6 min"), (5999, "1 h 40 min"), (9000, "2 h 30 min")],
)
def test_a_duration_is_put_into_the_unit_that_suits_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text
