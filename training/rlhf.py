"""Direct RLHF from the base, with no supervised stage before it, by TRL's RLOOTrainer (or GRPOTrainer).

For each prompt k answers are sampled; the advantage of one is its reward less the mean reward of the others
(Ahmadian et al., arXiv 2402.14740, section 2.3). The reward is the weighted sum of the recipe's parts, less the
penalties for not ending and for length, less the KL to the base times a coefficient.

A base seldom ends its turn: whatever an answer says after it should have stopped is rewarded or punished by chance. So
an answer that the length limit cut loses a fixed amount, or is left out of the loss.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import transformers
from datasets import Dataset
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.rloo_trainer import RLOOTrainer

from mplus_eval.training.callbacks import ControlKl, WatchForHacking
from mplus_eval.training.models import adapter_config, load_policy
from mplus_eval.training.recipe import Recipe, RlhfStage
from mplus_eval.training.replay import with_replay
from mplus_eval.training.rewards import Reward, TrlReward, as_trl, end_token_ids, length_part, termination_part
from mplus_eval.training.sampling import stop_length
from mplus_eval.training.settings import rlhf_config
from mplus_eval.training.stage import Stage
from mplus_eval.training.training_data import TrainingData
from mplus_eval.training.tree_sampling import sampling_by_tree

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, Trainer

T = TypeVar("T", bound="Trainer")


def rlhf_trainer(
    recipe: Recipe,
    settings: RlhfStage,
    data: TrainingData,
    stage: Stage,
    rewards: Mapping[str, Reward],
    warn: Callable[[str], None],
) -> Trainer:
    """A trainer of the base by its rewards.

    Args:
        recipe: all of it.
        settings: this stage's.
        data: the base and the prompts.
        stage: where to.
        rewards: by name; those that are no part of the settings, such as `referee`, are looked at with weight 0.
        warn: told of reward hacking.
    """
    tokenizer = data.tokenizer
    end_ids = end_token_ids(settings, tokenizer)
    parts, weights = _weighted_parts(settings, rewards, end_ids)
    config: Any = rlhf_config(recipe, settings, stage.directory)
    config.reward_weights = weights
    transformers.set_seed(recipe.seed)
    model = load_policy(recipe, data.base)
    # Set before the trainer is made, which reads it: these ids end an answer in generation and in the loss alike.
    model.generation_config.eos_token_id = end_ids
    kind: type[RLOOTrainer | GRPOTrainer] = RLOOTrainer if settings.algorithm == "rloo" else GRPOTrainer
    if settings.sampler == "tree":
        kind = sampling_by_tree(kind, settings, tokenizer)
    if stops := settings.termination.stop_strings:
        kind = stopping(kind, tokenizer, stops)
    prompts = [{"prompt": [message.as_dict() for message in prompt.messages]} for prompt in data.prompts.rows]
    trainer = with_replay(kind, recipe, settings, data)(
        model,
        [*parts],
        args=config,
        train_dataset=Dataset.from_list(prompts),
        processing_class=tokenizer,
        peft_config=adapter_config(recipe.lora, "CAUSAL_LM"),
    )
    n_answers = config.per_device_train_batch_size * config.gradient_accumulation_steps * config.world_size
    trainer.add_callback(ControlKl(settings.kl, n_answers, trainer))
    trainer.add_callback(WatchForHacking(settings.hacking, warn))
    return trainer


def stopping(kind: type[T], tokenizer: PreTrainedTokenizerBase, stop_strings: Sequence[str]) -> type[T]:
    """A trainer whose answers end at stop strings: what the model wrote after one is not part of the answer."""

    class Stopping(kind):  # type: ignore[valid-type, misc]
        def _generate_single_turn(self, *arguments: object) -> list[list[int]]:
            answers = super()._generate_single_turn(*arguments)
            return [ids[: stop_length(tokenizer, ids, stop_strings)] for ids in answers]

    return Stopping


def _weighted_parts(
    settings: RlhfStage, rewards: Mapping[str, Reward], end_ids: Sequence[int]
) -> tuple[list[TrlReward], list[float]]:
    """The rewards, the penalty for not ending and that for length, as TRL takes them, and their weights."""
    stops = settings.termination.stop_strings
    functions = [as_trl(name, reward, end_ids, stops) for name, reward in rewards.items()]
    weights = [settings.rewards[name].weight if name in settings.rewards else 0.0 for name in rewards]
    functions.append(termination_part(end_ids, stops, settings.termination.penalty))
    weights.append(0.0 if settings.termination.mask else 1.0)
    if settings.length_penalty:
        functions.append(length_part(settings.length_penalty))
        weights.append(1.0)
    return functions, weights
