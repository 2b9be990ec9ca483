"""Direct RLHF from the base, with no supervised stage before it, by TRL's RLOOTrainer (or GRPOTrainer).

For each prompt k answers are sampled; the advantage of one is its reward less the mean reward of the others
(Ahmadian et al., arXiv 2402.14740, section 2.3). The reward is the weighted sum of the recipe's parts, less the
penalties for not ending and for length, less the KL to the base times a coefficient.

A base seldom ends its turn: whatever an answer says after it should have stopped is rewarded or punished by chance. So
an answer that the length limit cut loses a fixed amount, or is left out of the loss.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import transformers
from datasets import Dataset
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.rloo_trainer import RLOOTrainer

from mplus_eval.errors import SpecError
from mplus_eval.harmlessness.scorers import load_scorer
from mplus_eval.rewards.functions import load_function
from mplus_eval.rewards.model import RewardModel
from mplus_eval.training.callbacks import ControlKl, WatchForHacking
from mplus_eval.training.data import Prompt
from mplus_eval.training.models import adapter_config, load_policy
from mplus_eval.training.recipe import Recipe, RewardPart, RlhfStage
from mplus_eval.training.replay import with_replay
from mplus_eval.training.rewards import (
    FunctionReward,
    Reward,
    ToxicityPenalty,
    as_trl,
    check_same_tokenizer,
    length_part,
    termination_part,
)
from mplus_eval.training.sampling import stop_length
from mplus_eval.training.settings import rlhf_config
from mplus_eval.training.stage import Stage
from mplus_eval.training.training_data import Material


def rlhf_trainer(
    recipe: Recipe,
    settings: RlhfStage,
    material: Material,
    stage: Stage,
    rewards: Mapping[str, Reward],
    warn: Callable[[str], None],
) -> Any:
    """A trainer of the base by its rewards.

    Args:
        recipe: all of it.
        settings: this stage's.
        material: the base and the prompts.
        stage: where to.
        rewards: by name; those that are no part of the settings, such as `referee`, are looked at with weight 0.
        warn: told of reward hacking.
    """
    tokenizer = material.tokenizer
    end_ids = end_token_ids(settings, tokenizer)
    parts, weights = _parts(settings, rewards, end_ids)
    config = rlhf_config(recipe, settings, stage.directory)
    config.reward_weights = weights
    transformers.set_seed(recipe.seed)
    model = load_policy(recipe, material.base)
    # Set before the trainer is made, which reads it: these ids end an answer in generation and in the loss alike.
    model.generation_config.eos_token_id = end_ids
    kind: Any = RLOOTrainer if settings.algorithm == "rloo" else GRPOTrainer
    if stops := settings.termination.stop_strings:
        kind = stopping(kind, tokenizer, stops)
    trainer = with_replay(kind, recipe, material)(
        model,
        parts,
        args=config,
        train_dataset=_dataset(material.prompts.rows),
        processing_class=tokenizer,
        peft_config=adapter_config(recipe.lora, "CAUSAL_LM"),
    )
    n_answers = config.per_device_train_batch_size * config.gradient_accumulation_steps * config.world_size
    control = ControlKl(settings.kl, n_answers)
    control.trainer = trainer
    trainer.add_callback(control)
    trainer.add_callback(WatchForHacking(settings.hacking, warn))
    return trainer


def load_rewards(
    parts: Mapping[str, RewardPart], reward_directory: Path, tokenizer: Any, device: Any, dtype: Any
) -> dict[str, Reward]:
    """Load the parts of a reward.

    Raises:
        SpecError: when a reward model has another tokenizer or template than the policy, or a function is not found.
    """
    return {name: _load(part, reward_directory, tokenizer, device, dtype) for name, part in parts.items()}


def stopping(kind: type[Any], tokenizer: Any, stop_strings: Sequence[str]) -> type[Any]:
    """A trainer whose answers end at stop strings: what the model wrote after one is not part of the answer."""

    class Stopping(kind):
        def _generate_single_turn(self, *arguments: Any) -> list[list[int]]:
            made = super()._generate_single_turn(*arguments)
            return [ids[: stop_length(tokenizer, ids, stop_strings)] for ids in made]

    return Stopping


def end_token_ids(settings: RlhfStage, tokenizer: Any) -> list[int]:
    """Ids of the tokens that end an answer; the tokenizer's own end token first.

    Raises:
        SpecError: when a token that the recipe names is not one token.
    """
    ids = [tokenizer.eos_token_id]
    for token in settings.termination.tokens:
        number = tokenizer.convert_tokens_to_ids(token)
        if number is None or number == tokenizer.unk_token_id:
            raise SpecError([f"termination.tokens {token!r}: the tokenizer has no such token; use stop_strings"])
        ids.append(number)
    return list(dict.fromkeys(ids))


def _load(part: RewardPart, reward_directory: Path, tokenizer: Any, device: Any, dtype: Any) -> Reward:
    if part.kind == "function":
        return FunctionReward(load_function(part.source))
    if part.kind == "toxicity":
        return ToxicityPenalty(load_scorer(part.source, str(device)))
    directory = reward_directory if part.source == "reward" else Path(part.source)
    model = RewardModel.load(directory, device, dtype)
    check_same_tokenizer(model, tokenizer)
    return model


def _parts(
    settings: RlhfStage, rewards: Mapping[str, Reward], end_ids: Sequence[int]
) -> tuple[list[Callable[..., list[float | None]]], list[float]]:
    ends, stops = list(end_ids), settings.termination.stop_strings
    functions = [as_trl(name, reward, ends, stops) for name, reward in rewards.items()]
    weights = [settings.rewards[name].weight if name in settings.rewards else 0.0 for name in rewards]
    functions.append(termination_part(ends, stops, settings.termination.penalty))
    weights.append(0.0 if settings.termination.mask else 1.0)
    if settings.length_penalty:
        functions.append(length_part(settings.length_penalty))
        weights.append(1.0)
    return functions, weights


def _dataset(prompts: Sequence[Prompt]) -> Dataset:
    return Dataset.from_list([{"prompt": [message.as_dict() for message in prompt.messages]} for prompt in prompts])
