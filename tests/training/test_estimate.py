"""What training takes, reckoned, on a model of two layers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from mplus_eval.training.estimate import CHECK_PROMPTS, TEST_PAIRS
from mplus_eval.training.speed import GIB, DeviceSpeed
from mplus_eval.training.workload import RowLength
from tests.training.tiny_recipe import BODY, HEAD, PARAMETERS, REWARD_PARAMETERS, SPEED, estimates, recipe, rlhf, tiny


def test_every_stage_is_estimated_in_order_with_the_referee() -> None:
    assert list(estimates()) == ["reward", "referee", "sft", "plus"]


def test_parameters_are_those_counted_by_hand_and_those_of_a_real_model() -> None:
    found = estimates()
    assert found["plus"].parameters == found["plus"].trainable == PARAMETERS
    assert found["reward"].parameters == REWARD_PARAMETERS
    assert AutoModelForCausalLM.from_config(tiny()).num_parameters() == PARAMETERS
    config = tiny()
    config.num_labels = 1
    assert AutoModelForSequenceClassification.from_config(config).num_parameters() == REWARD_PARAMETERS


def test_adapters_are_rank_times_the_sides_of_every_linear_layer() -> None:
    # Sides: q 16, k 12, v 12, o 16, gate, up and down 24 each, 128 a layer; the reward's head of 8 is trained whole.
    found = estimates(lora={"rank": 2})
    assert found["plus"].trainable == 2 * 2 * 128
    assert found["reward"].trainable == 2 * 2 * 128 + 8
    assert found["plus"].parameters == PARAMETERS


def test_steps_follow_from_rows_and_are_unknown_without() -> None:
    # 25 pairs in batches of 2 are 13 batches, 5 steps of 3, twice over.
    found = estimates({"reward": 25, "referee": None, "sft": 9})
    assert [found[name].steps for name in found] == [10, None, 3, 7]
    assert found["referee"].tokens is None
    assert found["referee"].seconds is None


def test_steps_are_fewer_with_more_processes() -> None:
    assert estimates({"sft": 100}, launch={"processes": 2, "machines": 2})["sft"].steps == 7


def test_tokens_are_all_rows_at_their_longest() -> None:
    found = estimates({"reward": 25, "sft": 9})
    assert found["reward"].tokens_per_step == 2 * 2 * 3 * 10
    assert found["sft"].tokens == 3 * 4 * 10
    assert found["plus"].tokens == 7 * 8 * 10


def test_a_supervised_step_takes_six_operations_a_parameter_and_token_and_makes_logits_twice() -> None:
    assert estimates()["sft"].seconds_per_step == pytest.approx((6 * BODY + 8 * HEAD) * 40 / 1e6)
    # The reward model makes one number a row in place of logits; 2 pairs a batch, 3 batches a step.
    body = REWARD_PARAMETERS - 256
    assert estimates()["reward"].seconds_per_step == pytest.approx(6 * body * 2 * 2 * 10 * 3 / 1e6)


def test_a_step_of_rlhf_adds_generation_the_reference_and_the_reward_model() -> None:
    # 8 answers of 5 tokens to prompts of 5: 80 tokens, 40 places of logits.
    learned, forward = 6 * BODY * 80 + 8 * HEAD * 40, 2 * BODY * 80 + 2 * HEAD * 40
    rewarded = 2 * BODY * 80
    assert estimates()["plus"].seconds_per_step == pytest.approx((learned + 2 * forward + rewarded) / 1e6)
    without = estimates(**rlhf(kl={"coefficient": 0}))["plus"]
    assert without.seconds_per_step == pytest.approx((learned + forward + rewarded) / 1e6)


def test_a_prompt_that_its_answers_share_is_read_once() -> None:
    # 4 prompts of 5 tokens are read in place of 8.
    saved = estimates()["plus"].seconds_per_step - estimates(**rlhf(sampler="tree"))["plus"].seconds_per_step
    assert saved == pytest.approx(2 * BODY * 4 * 5 / 1e6)


def test_answers_that_are_used_twice_are_made_once() -> None:
    learned, made = 6 * BODY * 80 + 8 * HEAD * 40, 6 * BODY * 80 + 4 * HEAD * 40
    assert estimates(**rlhf(iterations=2))["plus"].seconds_per_step == pytest.approx((learned + made / 2) / 1e6)


def test_generation_takes_at_least_a_reading_of_the_weights_for_each_token() -> None:
    slow = DeviceSpeed("test", 1e6, 1e6, bytes_per_second=1.0, memory_gib=None, source="given")
    learned, forward = 6 * BODY * 80 + 8 * HEAD * 40, 2 * BODY * 80 + 2 * HEAD * 40
    expected = (learned + forward + 2 * BODY * 80) / 1e6 + 5 * PARAMETERS * 4
    assert estimates(speed=slow)["plus"].seconds_per_step == pytest.approx(expected)


def test_what_needs_no_gradients_takes_the_time_that_it_takes_without() -> None:
    fast = replace(SPEED, forward_per_second=1e7)
    learned, made = 6 * BODY * 80 + 8 * HEAD * 40, 6 * BODY * 80 + 4 * HEAD * 40
    assert estimates(speed=fast)["plus"].seconds_per_step == pytest.approx(learned / 1e6 + made / 1e7)
    found = estimates(speed=fast, lengths={TEST_PAIRS: [RowLength(2, 6)]})
    assert found["reward"].measuring_seconds == pytest.approx(2 * (REWARD_PARAMETERS - 256) * 12 / 1e7)
    assert found["sft"].seconds_per_step == estimates()["sft"].seconds_per_step


def test_checkpointing_costs_another_forward_pass_and_adapters_save_one() -> None:
    sft = {"sft": {"sft": recipe().sft["sft"].model_dump() | {"gradient_checkpointing": True}}}
    assert estimates(**sft)["sft"].seconds_per_step == pytest.approx((8 * BODY + 8 * HEAD) * 40 / 1e6)
    assert estimates(lora={})["sft"].seconds_per_step == pytest.approx((4 * BODY + 6 * HEAD) * 40 / 1e6)


def test_rows_whose_lengths_are_known_are_as_long_as_they_are_and_padded_to_their_batch() -> None:
    lengths = {"sft": [RowLength(2, 6)] * 8, "plus": [RowLength(3, 3)] * 8, "reward": [RowLength(2, 8)] * 8}
    found = estimates({"sft": 8, "reward": 8}, lengths=lengths)
    # 4 rows of 6 tokens with 4 to learn; 8 answers of 5 to prompts of 3; 2 pairs of 8 a side, 3 batches a step.
    assert found["sft"].tokens == 2 * 4 * 6
    assert found["sft"].seconds_per_step == pytest.approx((6 * BODY * 24 + 8 * HEAD * 16) / 1e6)
    assert found["plus"].tokens_per_step == 8 * 8
    assert found["reward"].tokens_per_step == 2 * 2 * 8 * 3
    # Memory is that of the longest rows allowed.
    assert found["sft"].memory == estimates()["sft"].memory


def test_replay_adds_its_texts_and_a_whole_base_to_what_trains_a_language_model() -> None:
    plain, replay = estimates(), estimates(replay={"texts": "t", "batch_size": 3})
    assert replay["reward"] == plain["reward"]
    assert replay["sft"].tokens_per_step == plain["sft"].tokens_per_step + 3 * 10
    # The model learns from them (6) and the base reads them (2).
    expected = (6 * 40 + 8 * 30) * BODY + (8 * 40 + 10 * 30) * HEAD
    assert replay["sft"].seconds_per_step == pytest.approx(expected / 1e6)
    more = replay["plus"].seconds_per_step - plain["plus"].seconds_per_step
    assert more == pytest.approx((8 * BODY + 10 * HEAD) * 2 * 30 / 1e6)
    assert replay["sft"].memory.reference - plain["sft"].memory.reference == pytest.approx(PARAMETERS * 4 / GIB)
    assert estimates(replay={"texts": "t"}, lora={"rank": 2})["sft"].memory.reference == 0


def test_measuring_a_reward_model_reads_both_sides_of_the_test_pairs() -> None:
    found = estimates(lengths={TEST_PAIRS: [RowLength(2, 6), RowLength(2, 8)]})
    assert found["reward"].measuring_seconds == pytest.approx(2 * (REWARD_PARAMETERS - 256) * 28 / 1e6)
    assert estimates()["reward"].measuring_seconds is None


def test_measuring_a_model_samples_and_reads_its_answers_for_every_saved_step_and_once_for_the_base() -> None:
    # 3 answers of 5 tokens to prompts of 4; sampled, and read by the model, the base, and two reward models.
    lengths = {CHECK_PROMPTS: [RowLength(4, 4)] * 3}
    once = (3 * (2 * BODY * 27 + 2 * HEAD * 15) + 2 * 2 * BODY * 27) / 1e6
    found = estimates(lengths=lengths, **rlhf(steps=8, save_every=2))
    assert found["sft"].measuring_seconds == pytest.approx(2 * once)
    assert found["plus"].measuring_seconds == pytest.approx(4 * once)
