"""What a stage puts through a model, counted by hand."""

from __future__ import annotations

from mplus_eval.training.workload import Workload, workload_of
from tests.training.tiny_recipe import recipe


def test_rows_are_as_long_as_they_may_be_and_a_pair_has_two_sides() -> None:
    asked = recipe(replay={"texts": "t", "batch_size": 3})
    # 2 pairs of 10 tokens a side; the reward model replays nothing.
    assert workload_of(asked, asked.settings_of("reward")) == Workload(10, 0, 2 * 2 * 10, 0, 4)
    # 4 demonstrations of 10 tokens, and 3 texts of 10.
    assert workload_of(asked, asked.settings_of("sft")) == Workload(10, 30, 4 * 10 + 30, 0, 4)
    # 4 answers of 5 tokens to prompts of at most 5, scored by one reward model.
    assert workload_of(asked, asked.settings_of("plus")) == Workload(10, 30, 4 * 10 + 30, 1, 4)
    without = asked.settings_of("plus").model_copy(update={"replay": False})
    assert workload_of(asked, without).replayed_tokens == 0
    assert workload_of(recipe(dtype="bfloat16"), asked.settings_of("sft")).number_bytes == 2
