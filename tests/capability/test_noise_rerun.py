from __future__ import annotations

import re

import pytest

from mplus_eval.capability.noise_rerun import batch_composition, rerun_batch_size, rerun_model
from mplus_eval.spec.fields import NAME_PATTERN
from mplus_eval.spec.model import ModelSpec


@pytest.mark.parametrize(("batch_size", "other"), [(1, 2), (2, 1), (3, 1), (8, 3), (16, 6), (64, 24)])
def test_the_other_batch_size_is_three_eighths(batch_size: int, other: int) -> None:
    assert rerun_batch_size(batch_size) == other


def test_the_other_batch_size_differs_also_after_memory_has_halved_the_first() -> None:
    for batch_size in range(2, 513):
        halves = {batch_size >> times for times in range(10)} - {0, 1}
        assert rerun_batch_size(batch_size) not in halves


@pytest.mark.parametrize("batch_size", [2, 16, 64])
@pytest.mark.parametrize("limit", [2, 5, 16, 20, 100])
def test_every_subtask_of_two_items_or_more_is_cut_into_other_batches(batch_size: int, limit: int) -> None:
    first = [range(limit)[start : start + batch_size] for start in range(0, limit, batch_size)]
    other = rerun_batch_size(batch_size, limit)

    assert first != [range(limit)[start : start + other] for start in range(0, limit, other)]


def test_auto_is_what_the_backend_takes_for_it_on_the_models_device() -> None:
    model = ModelSpec(name="base", source="./base", device="cuda:1")

    def other(**changes: object) -> object:
        return rerun_model(model.model_copy(update=changes), None).batch_size

    assert (other(), other(device="cpu"), other(device="mps")) == (24, 6, 6)
    assert other(batch_size=5) == rerun_batch_size(5)


def test_the_noise_rerun_is_the_baseline_under_a_name_that_no_model_can_have() -> None:
    model = ModelSpec(name="base", source="./base", dtype="bfloat16", batch_size=8)
    rerun = rerun_model(model, None)

    assert rerun.model_copy(update={"name": "base", "batch_size": 8}) == model
    assert (rerun.name, rerun.batch_size) == ("base~noise", 3)
    assert re.fullmatch(NAME_PATTERN, rerun.name) is None


def test_the_words_for_the_batches_are_the_same_on_every_machine() -> None:
    auto = ModelSpec(name="base", source="./base", device="cuda")
    given = auto.model_copy(update={"batch_size": 16})

    assert (
        batch_composition(auto, 5) == batch_composition(auto.model_copy(update={"device": "cpu"}), 5) == "3/8 of auto"
    )
    assert (batch_composition(given, None), batch_composition(given, 8)) == ("6 instead of 16", "3 instead of 16")
