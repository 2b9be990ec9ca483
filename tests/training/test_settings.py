"""The recipe's fields as they reach TRL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from trl import GRPOConfig, RLOOConfig

from mplus_eval.errors import SpecError
from mplus_eval.training.recipe import RewardStage, SftStage
from mplus_eval.training.settings import reward_config, rlhf_config, sft_config
from tests.training.small import BATCH, rlhf_recipe


def rlhf(tmp_path: Path, changes: dict[str, Any] | None = None, **plus: Any) -> Any:
    recipe = rlhf_recipe(tmp_path, changes, **plus)
    return rlhf_config(recipe, recipe.rlhf["plus"], tmp_path / "plus")


def test_every_field_of_rlhf_reaches_trl(tmp_path: Path) -> None:
    config = rlhf(
        tmp_path,
        {"seed": 7},
        learning_rate=2e-4,
        steps=9,
        batch_size=12,
        accumulate=3,
        answers=6,
        max_new_tokens=11,
        temperature=0.7,
        kl={"coefficient": 0.3},
        iterations=2,
        steps_per_generation=6,
        warmup_steps=4,
        schedule="linear",
        weight_decay=0.1,
        max_grad_norm=0.5,
        gradient_checkpointing=True,
        save_every=4,
        keep=2,
        clip_reward=5.0,
        normalise_advantages=True,
        termination={"mask": True},
    )
    assert isinstance(config, RLOOConfig)
    assert (config.output_dir, config.seed, config.data_seed) == (str(tmp_path / "plus"), 7, 7)
    assert (config.learning_rate, config.max_steps, config.warmup_steps) == (2e-4, 9, 4)
    assert (config.per_device_train_batch_size, config.gradient_accumulation_steps) == (12, 3)
    assert (config.num_generations, config.max_completion_length, config.temperature) == (6, 11, 0.7)
    assert (config.beta, config.num_iterations, config.steps_per_generation) == (0.3, 2, 6)
    assert (config.lr_scheduler_type, config.weight_decay, config.max_grad_norm) == ("linear", 0.1, 0.5)
    assert (config.gradient_checkpointing, config.save_steps, config.save_total_limit) == (True, 4, 2)
    assert (config.reward_clip_range, config.normalize_advantages) == ((-5.0, 5.0), True)
    assert config.mask_truncated_completions


def test_nothing_is_saved_or_reported_unless_asked_for(tmp_path: Path) -> None:
    config = rlhf(tmp_path, save_every=None)
    assert config.save_strategy == "no"
    assert config.report_to == []
    assert (config.bf16, config.use_cpu, config.gradient_checkpointing) == (False, True, False)
    assert (config.logging_steps, config.logging_nan_inf_filter) == (1, False)


@pytest.mark.parametrize(("normalise", "scale"), [(False, "none"), (True, "group")])
def test_grpo_scales_by_the_group_only_where_asked(normalise: bool, scale: str, tmp_path: Path) -> None:
    config = rlhf(tmp_path, algorithm="grpo", normalise_advantages=normalise)
    assert isinstance(config, GRPOConfig)
    assert (config.scale_rewards, config.beta, config.num_generations) == (scale, 0.05, 4)


@pytest.mark.parametrize(
    "plus", [{"clip_reward": 1.0}, {"sampler": "tree"}, {"termination": {"stop_strings": ["User:"]}}]
)
def test_what_grpo_cannot_do_is_refused(plus: dict[str, Any], tmp_path: Path) -> None:
    refused = r"algorithm grpo: clip_reward, sampler: tree and termination\.stop_strings are for rloo only"
    with pytest.raises(SpecError, match=refused):
        rlhf(tmp_path, algorithm="grpo", **plus)


def test_a_target_for_the_kl_needs_something_to_steer(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="needs a coefficient above 0"):
        rlhf(tmp_path, kl={"coefficient": 0.0, "target": 3.0})


def test_further_fields_of_trl_are_passed_on_and_win(tmp_path: Path) -> None:
    assert rlhf(tmp_path, trl={"top_k": 5, "beta": 0.9}).top_k == 5
    assert rlhf(tmp_path, trl={"beta": 0.9}).beta == 0.9


def test_a_field_that_trl_does_not_have_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"trl: RLOOConfig has no 'temprature'; .*temperature"):
        rlhf(tmp_path, trl={"temprature": 0.7})


def test_what_trl_refuses_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"RLOOConfig: .*generation_batch_size") as caught:
        rlhf(tmp_path, trl={"generation_batch_size": 7})
    assert len(caught.value.faults) == 1
    assert "\n" not in caught.value.faults[0]


def test_a_reward_model_is_centred_by_its_coefficient_or_not_at_all(tmp_path: Path) -> None:
    recipe = rlhf_recipe(tmp_path)
    centred = reward_config(recipe, RewardStage.model_validate({**BATCH, "centre": 0.02}), tmp_path)
    plain = reward_config(recipe, RewardStage.model_validate({**BATCH, "centre": 0}), tmp_path)
    assert (centred.center_rewards_coefficient, plain.center_rewards_coefficient) == (0.02, None)
    assert (centred.max_length, centred.learning_rate, centred.max_steps) == (128, 5e-4, 2)


def test_supervised_training_learns_answers_only_for_whole_epochs(tmp_path: Path) -> None:
    stage = SftStage.model_validate({"learning_rate": 1e-5, "epochs": 3, "data": "chosen"})
    config = sft_config(rlhf_recipe(tmp_path), stage, tmp_path)
    assert (config.completion_only_loss, config.max_length) == (True, 128)
    assert (config.num_train_epochs, config.max_steps) == (3, -1)
