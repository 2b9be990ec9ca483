"""What a stage puts through a model, counted by hand."""

from __future__ import annotations

from mplus_eval.training.workload import RowLength, Workload, n_judges, padded, workload_of
from tests.training.tiny_recipe import recipe, rlhf


def test_rows_are_as_long_as_they_may_be_and_a_pair_has_two_sides() -> None:
    asked = recipe(replay={"texts": "t", "batch_size": 3})
    # 2 pairs of 10 tokens a side; the reward model replays nothing.
    assert workload_of(asked, asked.settings_of("reward")) == Workload(10, 0, 40, 40, 0, 0, 0, 4)
    # 4 demonstrations of 10 tokens, and 3 texts of 10.
    assert workload_of(asked, asked.settings_of("sft")) == Workload(10, 30, 70, 70, 70, 0, 0, 4)
    # 4 answers of 5 tokens to prompts of at most 5, scored by one reward model.
    assert workload_of(asked, asked.settings_of("plus")) == Workload(10, 30, 70, 70, 4 * 5 + 30, 4 * 5, 1, 4)
    without = asked.settings_of("plus").model_copy(update={"replay": False})
    assert workload_of(asked, without).replayed_tokens == 0
    assert workload_of(recipe(dtype="bfloat16"), asked.settings_of("sft")).number_bytes == 2


def test_rows_are_as_long_as_they_are_where_that_is_known() -> None:
    asked = recipe()
    # Both halves of 8 rows hold rows of 6 and 8 tokens in some batch: 4 rows padded to 8, of which 3 and 5 are answers.
    found = workload_of(asked, asked.settings_of("sft"), [RowLength(3, 8)] * 7 + [RowLength(3, 6)])
    assert (found.tokens, found.expected_tokens, found.expected_places) == (40, 32, 4 * (7 * 5 + 3) / 8)
    # 8 answers at once to 4 prompts; the longest of each 4 is 4 tokens.
    found = workload_of(asked, asked.settings_of("plus"), [RowLength(4, 4)] * 8)
    assert (found.expected_tokens, found.expected_places, found.prompt_tokens) == (4 * 9, 4 * 5, 4 * 4)


def test_answers_are_judged_by_what_they_were_trained_by_and_by_the_referee() -> None:
    asked = recipe()
    assert (n_judges(asked, asked.settings_of("sft")), n_judges(asked, asked.settings_of("plus"))) == (2, 2)
    parts = {"length": {"kind": "function", "source": "m:f"}, "a": {"source": "/a"}, "b": {"source": "/b"}}
    two = recipe(**rlhf(rewards=parts), reward={"learning_rate": 1, "batch_size": 2})
    assert (n_judges(two, two.settings_of("sft")), n_judges(two, two.settings_of("plus"))) == (1, 2)
    none = recipe(**rlhf(rewards={"length": parts["length"]}), reward=None)
    assert (n_judges(none, none.settings_of("sft")), n_judges(none, none.settings_of("plus"))) == (0, 0)


def test_a_row_is_padded_to_the_longest_of_its_batch() -> None:
    assert padded([1, 2, 3, 4], 4) == 4
    assert padded([1, 2, 3, 4], 1) == 2.5
    assert padded([5], 3) == 5
