from __future__ import annotations

from typing import Any

import pytest
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, MistralConfig

from mplus_eval.training.estimate import (
    GIB,
    Shape,
    Speed,
    StageEstimate,
    activation_bytes,
    cache_bytes,
    estimate,
    shape_of,
    speed_of,
)
from mplus_eval.training.recipe import Recipe

# Of a layer: q and o 8x8, k and v 8x4, three of 8x16, two norms of 8: 64 + 64 + 32 + 32 + 384 + 16 = 592.
# Embeddings and head 32x8 each, a last norm of 8.
PARAMETERS = 2 * 592 + 2 * 256 + 8
REWARD_PARAMETERS = 2 * 592 + 256 + 8 + 8
SHAPE = Shape(hidden=8, intermediate=16, layers=2, queries=8, keys=4, vocabulary=32)
SPEED = Speed("test", operations_per_second=1e6, bytes_per_second=None, memory_gib=10.0, source="given")


def tiny() -> MistralConfig:
    return MistralConfig(
        vocab_size=32,
        hidden_size=8,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=4,
        tie_word_embeddings=False,
    )


def recipe(**changes: Any) -> Recipe:
    document: dict[str, Any] = {
        "base": "x",
        "output": "y",
        "max_length": 10,
        "pairs": [{"source": "p"}],
        "reward": {"learning_rate": 1, "batch_size": 2, "accumulate": 3, "epochs": 2, "referee": True},
        "sft": {"sft": {"data": "chosen", "learning_rate": 1, "batch_size": 4}},
        "rlhf": {
            "plus": {
                "learning_rate": 1,
                "steps": 7,
                "batch_size": 4,
                "accumulate": 2,
                "answers": 2,
                "max_new_tokens": 5,
            }
        },
    }
    return Recipe.model_validate(document | changes)


def estimates(
    rows: dict[str, int | None] | None = None, speed: Speed = SPEED, **changes: Any
) -> dict[str, StageEstimate]:
    return {stage.name: stage for stage in estimate(recipe(**changes), tiny(), rows or {}, speed)}


def rlhf(**changes: Any) -> dict[str, Any]:
    return {"rlhf": {"plus": recipe().rlhf["plus"].model_dump() | changes}}


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


def test_the_shape_is_read_from_the_configuration() -> None:
    assert shape_of(tiny()) == SHAPE


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
    slow = Speed("test", 1e6, bytes_per_second=1.0, memory_gib=None, source="given")
    found = estimates(speed=slow)["plus"]
    assert found.seconds_per_step == pytest.approx((6 + 2 + 2) * PARAMETERS * 80 / 1e6 + 5 * PARAMETERS * 4)


def test_checkpointing_costs_another_forward_pass_and_adapters_save_one() -> None:
    sft = {"sft": {"sft": recipe().sft["sft"].model_dump() | {"gradient_checkpointing": True}}}
    assert estimates(**sft)["sft"].seconds_per_step == pytest.approx(8 * PARAMETERS * 40 / 1e6)
    assert estimates(lora={})["sft"].seconds_per_step == pytest.approx(4 * PARAMETERS * 40 / 1e6)


def test_memory_of_full_training_in_float32_is_sixteen_bytes_a_parameter() -> None:
    memory = estimates()["plus"].memory
    states = memory.weights + memory.gradients + memory.moments
    assert states * GIB == pytest.approx(16 * PARAMETERS)
    assert memory.reference * GIB == pytest.approx(4 * PARAMETERS)
    assert memory.reward_models * GIB == pytest.approx(4 * PARAMETERS)


def test_adapters_need_no_reference_and_train_only_themselves() -> None:
    memory = estimates(lora={"rank": 2}, dtype="bfloat16")["plus"].memory
    assert memory.reference == 0
    assert memory.weights * GIB == pytest.approx(2 * PARAMETERS + 4 * 512)
    assert (memory.gradients + memory.moments) * GIB == pytest.approx(12 * 512)


def test_what_is_trained_is_shared_out_under_accelerate_and_the_reward_model_is_not() -> None:
    launch = {"processes": 4, "machines": 2, "accelerate": "fsdp2"}
    memory = estimates(launch=launch)["plus"].memory
    assert (memory.weights + memory.gradients + memory.moments) * GIB == pytest.approx(2 * PARAMETERS)
    assert memory.reference * GIB == pytest.approx(PARAMETERS / 2)
    assert memory.reward_models * GIB == pytest.approx(4 * PARAMETERS)
    assert estimates(launch={"processes": 4})["plus"].memory.weights * GIB == pytest.approx(4 * PARAMETERS)


def test_activations_are_those_counted_by_hand() -> None:
    # A token of a layer keeps 4x8 + 2x8 + 2x4 + 4x16 = 120 numbers.
    assert activation_bytes(SHAPE, 3, 2, logits=False, checkpointing=False) == 3 * 2 * 240
    assert activation_bytes(SHAPE, 3, 2, logits=False, checkpointing=True) == 3 * 2 * (2 * 8 + 120)
    assert activation_bytes(SHAPE, 3, 2, logits=True, checkpointing=False) == 3 * (2 * 240 + 4 * 32)


def test_keys_and_values_of_all_answers_made_at_once_are_kept() -> None:
    assert cache_bytes(SHAPE, 3, 2) == 3 * 2 * 2 * 4 * 2
    assert estimates()["plus"].memory.generation * GIB == pytest.approx(cache_bytes(SHAPE, 8 * 10, 4))


def test_vllm_takes_its_share_of_the_device() -> None:
    trl = {"use_vllm": True, "vllm_mode": "colocate", "vllm_gpu_memory_utilization": 0.25}
    assert estimates(**rlhf(trl=trl))["plus"].memory.generation == pytest.approx(2.5)
    assert estimates(**rlhf(trl=trl | {"vllm_mode": "server"}))["plus"].memory.generation == 0


def test_the_total_takes_the_activations_of_the_setting() -> None:
    sft = {"sft": {"sft": recipe().sft["sft"].model_dump() | {"gradient_checkpointing": True}}}
    plain, again = estimates()["sft"].memory, estimates(**sft)["sft"].memory
    assert plain.total - again.total == pytest.approx(plain.activations - plain.activations_checkpointed)
    assert plain.total * GIB == pytest.approx(16 * PARAMETERS + 40 * (4 * 240 + 4 * 32))


def test_the_speed_of_the_processor_is_measured() -> None:
    speed = speed_of(recipe(device="cpu", threads=1))
    assert speed.device == "CPU"
    assert 1e8 < speed.operations_per_second < 1e14
