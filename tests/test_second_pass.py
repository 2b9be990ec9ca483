from __future__ import annotations

import re

import pytest

from mplus_eval.second_pass import composition, other_batch_size, second_pass
from mplus_eval.spec import NAME_PATTERN, ModelSpec


@pytest.mark.parametrize(
    ("batch_size", "device", "other"),
    [
        ("auto", "cpu", 6),
        ("auto", "mps", 6),
        ("auto", "cuda:1", 24),
        (1, "cpu", 2),
        (2, "cpu", 1),
        (3, "cpu", 1),
        (16, "cpu", 6),
        (64, "cuda", 24),
    ],
)
def test_the_other_batch_size_is_three_eighths(batch_size: int | str, device: str, other: int) -> None:
    assert other_batch_size(batch_size, device) == other  # type: ignore[arg-type]


def test_the_other_batch_size_differs_also_after_memory_has_halved_the_first() -> None:
    for batch_size in range(2, 513):
        halves = {batch_size >> times for times in range(10)} - {0, 1}
        assert other_batch_size(batch_size, "cpu") not in halves


def test_the_second_pass_is_the_baseline_under_a_name_that_no_model_can_have() -> None:
    model = ModelSpec(name="base", source="./base", dtype="bfloat16", batch_size=8)
    again = second_pass(model)

    assert again.model_copy(update={"name": "base", "batch_size": 8}) == model
    assert (again.name, again.batch_size) == ("base~noise", 3)
    assert re.fullmatch(NAME_PATTERN, again.name) is None


def test_the_words_for_the_batches_are_the_same_on_every_machine() -> None:
    auto = ModelSpec(name="base", source="./base", device="cuda")

    assert composition(auto) == composition(auto.model_copy(update={"device": "cpu"})) == "3/8 of auto"
    assert composition(auto.model_copy(update={"batch_size": 16})) == "6 instead of 16"
