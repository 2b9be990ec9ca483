"""The stages of a recipe: which are trained, what the weights of each depend on, and what would only fail later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from mplus_eval.errors import SpecError
from mplus_eval.rewards.functions import load_function
from mplus_eval.training.models import computing_dtype, load_policy
from mplus_eval.training.recipe import REWARD_STAGES, WITHOUT_EFFECT, Recipe, RewardPart, RlhfStage
from mplus_eval.training.rewards import Reward, end_token_ids, load_rewards
from mplus_eval.training.settings import stage_config
from mplus_eval.training.stage import Stage
from mplus_eval.training.tree_sampling import tree_fault

if TYPE_CHECKING:
    import torch

    from mplus_eval.training.hooks import Evaluate
    from mplus_eval.training.training_data import TrainingData

LIBRARIES = ("torch", "transformers", "trl", "accelerate", "peft")


def stages_of(recipe: Recipe, data: TrainingData) -> dict[str, Stage]:
    """Every stage by its name, with all that its weights depend on."""
    names = [*recipe.stages, *(["referee"] if recipe.reward and recipe.reward.referee else [])]
    stages: dict[str, Stage] = {}
    for name in sorted(names, key=lambda name: name not in REWARD_STAGES):
        settings = recipe.settings_of(name)
        # What is replayed, if anything, is a component of its own.
        fields = settings.model_dump(mode="json", exclude={*WITHOUT_EFFECT, "replay"})
        components = {
            "base": data.base_hash,
            "tokenizer": data.tokenizer_hash,
            "data": data.of_stage(name).hash,
            "settings": str(fields),
            "precision and shape": str([recipe.dtype, recipe.max_length, recipe.lora, recipe.launch]),
            "seed": str(recipe.seed),
            "libraries": " ".join(f"{library} {version(library)}" for library in LIBRARIES),
        }
        if replay := recipe.replay_of(settings):
            components["replay"] = f"{replay} {data.replayed.hash}"
        if recipe.needs_reward_model(name):
            components["reward model"] = stages["reward"].hash
        stages[name] = Stage(name, recipe.output / name, components)
    return stages


def with_needed(recipe: Recipe, names: Iterable[str]) -> list[str]:
    """The stages and what they need, in order; the held-out reward model follows the reward model."""
    wanted = set(names)
    if recipe.reward and any(recipe.needs_reward_model(name) for name in wanted):
        wanted.add("reward")
    order = [name for name in recipe.stages if name in wanted]
    if "reward" in wanted and recipe.reward and recipe.reward.referee:
        order.insert(1, "referee")
    return order


def refuse_what_would_fail(
    recipe: Recipe, data: TrainingData, stages: Sequence[Stage], device: torch.device, evaluate: Evaluate | None
) -> None:
    """Refuse, before any work, what could only fail after another stage has taken hours.

    Raises:
        SpecError: directories hold other runs; or TRL does not take the settings, rewards, measures or an evaluation
            cannot be had.
    """
    if faults := [fault for stage in stages if (fault := stage.fault())]:
        raise SpecError(faults)
    for stage in stages:
        settings = recipe.settings_of(stage.name)
        try:
            stage_config(recipe, settings, stage.directory)
        except SpecError as error:
            faults += [f"{stage.name}: {fault}" for fault in error.faults]
        if not isinstance(settings, RlhfStage):
            continue
        # What is there already is loaded; the recipe's own reward model comes later and is right by construction.
        others = {key: part for key, part in settings.rewards.items() if not part.is_recipes_own}
        try:
            end_token_ids(settings, data.tokenizer)
            load_rewards(others, recipe.output / "reward", data.tokenizer, device, computing_dtype(recipe))
        except SpecError as error:
            faults += [f"rlhf.{stage.name}: {fault}" for fault in error.faults]
        if settings.evaluate_every and settings.evaluate_in == "rank 0" and evaluate is None:
            faults.append(f"rlhf.{stage.name}: evaluate_in: rank 0 needs an evaluation, and none was handed in")
    for path in recipe.check.measures.values():
        try:
            load_function(path)
        except SpecError as error:
            faults += [f"check.measures: {fault}" for fault in error.faults]
    # Last, since the base is loaded for it.
    if faults := faults or _sampler_faults(recipe, data, stages, device):
        raise SpecError(faults)


def _sampler_faults(recipe: Recipe, data: TrainingData, stages: Sequence[Stage], device: torch.device) -> list[str]:
    """Of the stages that are still to be trained, those whose sampler cannot sample from the base."""
    waiting = [stage.name for stage in stages if stage.record is None and stage.name in recipe.rlhf]
    by_tree = [name for name in waiting if recipe.rlhf[name].sampler == "tree"]
    if not by_tree:
        return []
    base: Any = load_policy(recipe, data.base)
    fault = tree_fault(base.to(device), recipe.max_length)
    return [f"rlhf.{name}.sampler: {fault}" for name in by_tree] if fault else []


def rewards_of(
    name: str, recipe: Recipe, data: TrainingData, stages: Mapping[str, Stage], device: torch.device
) -> dict[str, Reward]:
    """The parts of a stage's reward, and the held-out reward model where there is one.

    A supervised stage, which has no reward, is looked at with the recipe's reward model. What is not trained yet is
    left out.
    """
    trained = {key for key in REWARD_STAGES if key in stages and stages[key].record is not None}
    settings = recipe.settings_of(name)
    parts = dict(settings.rewards) if isinstance(settings, RlhfStage) else {}
    if not parts and recipe.reward:
        parts = {"reward": RewardPart()}
    parts = {key: part for key, part in parts.items() if not part.is_recipes_own or "reward" in trained}
    if "referee" in trained:
        parts["referee"] = RewardPart(source=str(recipe.output / "referee"))
    return load_rewards(parts, recipe.output / "reward", data.tokenizer, device, computing_dtype(recipe))
