"""What a stage takes of a device, counted by hand on a model of two layers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mplus_eval.training.memory import activation_bytes, logits_bytes, shape_of
from mplus_eval.training.next_tokens import VALUES_AT_ONCE
from mplus_eval.training.speed import GIB
from mplus_eval.training.workload import workload_of
from tests.training.tiny_recipe import PARAMETERS, REWARD_PARAMETERS, SHAPE, SPEED, estimates, recipe, rlhf, tiny


def test_the_shape_is_read_from_the_configuration() -> None:
    assert shape_of(tiny()) == SHAPE


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
    plain = {"adapters": False, "checkpointing": False}
    assert activation_bytes(SHAPE, 3, 4, **plain) == 3 * 4 * 240
    assert activation_bytes(SHAPE, 3, 4, **plain | {"checkpointing": True}) == 3 * 4 * (2 * 8 + 120)
    # In half precision two norms keep 8 numbers twice in float32, and adapters 5x8 + 8 + 16 numbers.
    assert activation_bytes(SHAPE, 3, 2, **plain) == 3 * (2 * 240 + 2 * 2 * 2 * 8 * 4)
    assert activation_bytes(SHAPE, 3, 2, **plain | {"adapters": True}) == 3 * (2 * 240 + 2 * (2 * 2 * 8 + 64) * 4)
    assert activation_bytes(SHAPE, 3, 4, **plain | {"adapters": True}) == 3 * 4 * 240


def test_keys_and_values_of_all_answers_made_at_once_are_kept() -> None:
    # 8 answers of 10 tokens, each with a key and a value of 4 numbers in each of 2 layers; 32 logits of each, 3 times.
    assert estimates()["plus"].memory.generation * GIB == pytest.approx(8 * 10 * 2 * 2 * 4 * 4 + 8 * 32 * 3 * 4)


def test_vllm_takes_its_share_of_the_device() -> None:
    trl = {"use_vllm": True, "vllm_mode": "colocate", "vllm_gpu_memory_utilization": 0.25}
    assert estimates(**rlhf(trl=trl))["plus"].memory.generation == pytest.approx(2.5)
    assert estimates(**rlhf(trl=trl | {"vllm_mode": "server"}))["plus"].memory.generation == 0


def test_the_total_takes_the_activations_of_the_setting() -> None:
    sft = {"sft": {"sft": recipe().sft["sft"].model_dump() | {"gradient_checkpointing": True}}}
    plain, again = estimates()["sft"].memory, estimates(**sft)["sft"].memory
    assert plain.total - again.total == pytest.approx(plain.activations - plain.activations_checkpointed)
    # 40 tokens; their logits are one tile of 32 words, in float32.
    assert plain.total * GIB == pytest.approx(16 * PARAMETERS + 40 * (4 * 240 + 4 * 32))


def test_logits_are_made_in_tiles_of_a_large_vocabulary() -> None:
    large = replace(SHAPE, vocabulary=262_144)
    batch = workload_of(recipe(), recipe().settings_of("sft"))
    # 40 tokens by TRL's 32,768 words on a GPU; on a processor by our 8,192, with six copies in float32.
    assert logits_bytes(large, batch, on_processor=False) == 40 * 32_768 * 4
    assert logits_bytes(large, batch, on_processor=True) == 40 * 8_192 * 4 * 7
    texts = workload_of(asked := recipe(replay={"texts": "t", "batch_size": 16}), asked.settings_of("sft"))
    # 160 tokens of texts: as many logits at once as are allowed, four times.
    assert logits_bytes(large, texts, on_processor=True) == VALUES_AT_ONCE * 16


def test_the_program_counts_where_memory_is_the_machines() -> None:
    on_processor = replace(SPEED, device="CPU")
    assert estimates(speed=on_processor)["sft"].memory.process == 1.5
    assert estimates()["sft"].memory.process == 0.0


def test_measuring_holds_the_checkpoint_its_base_and_the_judges_and_of_training_nothing() -> None:
    # Of 32 answers of 10 tokens a slice of logits is all: 10,240 of either model, three times.
    logits = 2 * 3 * 4 * 32 * 10 * 32
    for name in ("sft", "plus"):
        assert estimates()[name].memory.measuring * GIB == pytest.approx(4 * 4 * PARAMETERS + logits)
    without = estimates(reward={"learning_rate": 1, "batch_size": 2})["sft"].memory
    assert without.measuring * GIB == pytest.approx(3 * 4 * PARAMETERS + logits)
    halved = estimates(dtype="bfloat16")["sft"].memory
    assert halved.measuring * GIB == pytest.approx(4 * 2 * PARAMETERS + logits)
    # 40 tokens of an answer, behind 5 of a prompt.
    longer = estimates(check={"max_new_tokens": 40})["sft"].memory
    assert longer.measuring * GIB == pytest.approx(4 * 4 * PARAMETERS + logits * 4.5)


def test_a_reward_model_is_measured_alone() -> None:
    on_gpu, on_processor = (estimates(speed=speed)["reward"].memory for speed in (SPEED, replace(SPEED, device="CPU")))
    assert on_gpu.measuring * GIB == pytest.approx(4 * REWARD_PARAMETERS)
    # There its file counts while it is read.
    assert (on_processor.measuring - 1.5) * GIB == pytest.approx(2 * 4 * REWARD_PARAMETERS)
