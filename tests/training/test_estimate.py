"""What training takes, reckoned, on a model of two layers."""

from __future__ import annotations

import pytest
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from mplus_eval.training.speed import GIB, DeviceSpeed
from tests.training.tiny_recipe import PARAMETERS, REWARD_PARAMETERS, estimates, recipe, rlhf, tiny


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


def test_a_supervised_step_takes_six_operations_for_each_parameter_and_token() -> None:
    assert estimates()["sft"].seconds_per_step == pytest.approx(6 * PARAMETERS * 40 / 1e6)


def test_a_step_of_rlhf_adds_generation_the_reference_and_the_reward_model() -> None:
    assert estimates()["plus"].seconds_per_step == pytest.approx((6 + 2 + 2 + 2) * PARAMETERS * 80 / 1e6)
    without = estimates(**rlhf(kl={"coefficient": 0}))["plus"]
    assert without.seconds_per_step == pytest.approx((6 + 2 + 2) * PARAMETERS * 80 / 1e6)


def test_answers_that_are_used_twice_are_made_once() -> None:
    found = estimates(**rlhf(iterations=2))["plus"]
    assert found.seconds_per_step == pytest.approx((6 + (2 + 2 + 2) / 2) * PARAMETERS * 80 / 1e6)


def test_generation_takes_at_least_a_reading_of_the_weights_for_each_token() -> None:
    slow = DeviceSpeed("test", 1e6, bytes_per_second=1.0, memory_gib=None, source="given")
    found = estimates(speed=slow)["plus"]
    assert found.seconds_per_step == pytest.approx((6 + 2 + 2) * PARAMETERS * 80 / 1e6 + 5 * PARAMETERS * 4)


def test_checkpointing_costs_another_forward_pass_and_adapters_save_one() -> None:
    sft = {"sft": {"sft": recipe().sft["sft"].model_dump() | {"gradient_checkpointing": True}}}
    assert estimates(**sft)["sft"].seconds_per_step == pytest.approx(8 * PARAMETERS * 40 / 1e6)
    assert estimates(lora={})["sft"].seconds_per_step == pytest.approx(4 * PARAMETERS * 40 / 1e6)


def test_replay_adds_its_texts_and_a_whole_base_to_what_trains_a_language_model() -> None:
    plain, replay = estimates(), estimates(replay={"texts": "t", "batch_size": 3})
    assert replay["reward"] == plain["reward"]
    assert replay["sft"].tokens_per_step == plain["sft"].tokens_per_step + 3 * 10
    # The model learns from them (6) and the base reads them (2).
    assert replay["sft"].seconds_per_step == pytest.approx((6 * 40 + 8 * 30) * PARAMETERS / 1e6)
    more = replay["plus"].seconds_per_step - plain["plus"].seconds_per_step
    assert more == pytest.approx(8 * PARAMETERS * 2 * 30 / 1e6)
    assert replay["sft"].memory.reference - plain["sft"].memory.reference == pytest.approx(PARAMETERS * 4 / GIB)
    assert estimates(replay={"texts": "t"}, lora={"rank": 2})["sft"].memory.reference == 0
