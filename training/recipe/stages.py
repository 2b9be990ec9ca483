"""The stages of a recipe: the reward model, supervised fine-tuning, and RLHF with all that it is steered by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from mplus_eval.spec.fields import Fields, Positive, WholeNumber, not_a_truth_value
from mplus_eval.training.recipe.numbers import NotNegative, Number, PositiveNumber, Share, scientific
from mplus_eval.training.recipe.sources import DataSource

WITHOUT_EFFECT = {"save_every", "keep", "evaluate_every", "evaluate_in", "role"}
"""Fields that change nothing of what is trained, only what is kept of it and looked at."""


class Optimisation(Fields):
    """What every stage has: how long, how fast, in which batches."""

    learning_rate: PositiveNumber
    epochs: PositiveNumber = 1.0
    steps: Positive | None = Field(default=None, description="instead of epochs")
    batch_size: Positive = Field(default=32, description="rows of one step on one device; answers, for rlhf")
    accumulate: Positive = Field(default=1, description="batches of one step")
    warmup_steps: WholeNumber = 0
    schedule: Literal["cosine", "linear", "constant_with_warmup"] = "cosine"
    weight_decay: NotNegative = 0.0
    max_grad_norm: PositiveNumber = 1.0
    gradient_checkpointing: bool = False
    save_every: Positive | None = Field(
        default=None, description="steps between checkpoints; only the last when not given"
    )
    keep: Positive | None = Field(default=None, description="so many checkpoints are kept; all when not given")
    trl: dict[str, Annotated[Any, BeforeValidator(scientific)]] = Field(
        default_factory=dict, description="further fields of TRL's configuration, as they are"
    )


class RewardStage(Optimisation):
    """The reward model: Bradley-Terry on the pairs, from the base."""

    centre: NotNegative = Field(
        default=0.01, description="coefficient of the centring term (Eisenstein et al., 2312.09244)"
    )
    head: Literal["random", "zero"] = Field(
        default="random",
        description="of its one number, to begin with: drawn, or such that all answers are worth the same; where the "
        "base's last states are large, a drawn one is noise that few pairs don't outweigh",
    )
    scale: bool = Field(default=True, description="standardise rewards by mean and deviation on held-out pairs")
    referee: bool = Field(
        default=False, description="train a second one on pairs the first never sees, to look at and to judge by"
    )


class LanguageModelStage(Optimisation):
    """What every stage has that trains a language model."""

    role: str = ""
    replay: bool = Field(default=True, description="false: without the recipe's replay")


class SftStage(LanguageModelStage):
    """Supervised fine-tuning on demonstrations, or on the chosen answers of the pairs (`data: chosen`)."""

    data: Literal["chosen"] | tuple[DataSource, ...]


class RewardPart(Fields):
    """One summand of the reward: a reward model, a toxicity classifier's penalty, or a function of one's own."""

    kind: Literal["model", "toxicity", "function"] = "model"
    source: str = Field(default="reward", description="`reward` for the recipe's own, a directory, or module:function")
    weight: Number = 1.0

    @property
    def is_recipes_own(self) -> bool:
        """Whether it is the reward model that the recipe itself trains."""
        return self.kind == "model" and self.source == "reward"


class Termination(Fields):
    """What an answer that the length limit cut is worth."""

    tokens: tuple[str, ...] = Field(
        default=(), description="further end-of-turn tokens beside the tokenizer's end token"
    )
    stop_strings: tuple[str, ...] = ()
    penalty: NotNegative = Field(
        default=1.0, description="taken off the reward of an answer that did not end, in its units"
    )
    mask: bool = Field(default=False, description="leave such answers out of the loss instead")


class KlControl(Fields):
    """The penalty for leaving the base: fixed, or steered to a target (Ziegler et al., 1909.08593, eq. 2)."""

    coefficient: NotNegative = 0.05
    target: PositiveNumber | None = Field(
        default=None, description="wanted KL of an answer, in nats; fixed when not given"
    )
    horizon: PositiveNumber = Field(default=10_000.0, description="answers over which the controller reacts")


class RewardHacking(Fields):
    """When to warn of reward hacking: the reward has risen while something else has collapsed."""

    window: Positive = Field(default=10, description="steps of each average")
    entropy: Share = Field(default=0.3, description="collapsed below this share of the first window's")
    distinct: Share = Field(default=0.5, description="the same for the share of distinct 2-grams")
    referee: NotNegative = Field(
        default=0.5, description="collapsed when the reward by the held-out reward model fell by so many deviations"
    )
    stop: bool = False


class RlhfStage(LanguageModelStage):
    """Direct RLHF from the base, with no supervised stage before it."""

    schedule: Literal["cosine", "linear", "constant_with_warmup"] = "constant_with_warmup"
    algorithm: Literal["rloo", "grpo"] = "rloo"
    answers: Annotated[int, BeforeValidator(not_a_truth_value), Field(ge=2)] = Field(
        default=4, description="answers to each prompt"
    )
    max_new_tokens: Positive = 256
    temperature: PositiveNumber = 1.0
    sampler: Literal["transformers", "tree"] = Field(
        default="transformers", description="what makes the answers: `generate`, or the package's own generator"
    )
    steps_per_generation: Positive | None = Field(
        default=None, description="batches made at once; `accumulate` when not given"
    )
    iterations: Positive = Field(default=1, description="passes over the same answers")
    kl: KlControl = KlControl()
    rewards: Mapping[str, RewardPart] = Field(default_factory=lambda: {"reward": RewardPart()})
    normalise_advantages: bool = False
    clip_reward: PositiveNumber | None = Field(
        default=None, description="rewards are cut to ± this, before the KL penalty"
    )
    termination: Termination = Termination()
    length_penalty: NotNegative = Field(default=0.0, description="taken off for each token, in units of the reward")
    hacking: RewardHacking = RewardHacking()
    evaluate_every: Positive | None = Field(
        default=None, description="steps between evaluations; a multiple of save_every"
    )
    evaluate_in: Literal["process", "rank 0"] = "process"

    @property
    def batches_at_once(self) -> int:
        """Batches whose answers are made at once."""
        return self.steps_per_generation or self.accumulate

    @property
    def steps_per_batch_of_answers(self) -> float:
        """Optimiser steps between two generations: checkpoints lie on multiples of it, or resuming would differ."""
        return self.batches_at_once * self.iterations / self.accumulate

    @model_validator(mode="after")
    def _consistent(self) -> RlhfStage:
        if self.steps is None:
            raise ValueError("steps is needed: direct RLHF has no natural number of epochs")
        if self.batch_size % self.answers:
            raise ValueError(f"batch_size {self.batch_size} is not a multiple of answers {self.answers}")
        if self.termination.mask and self.termination.stop_strings:
            raise ValueError("termination: mask knows end tokens only; give stop_strings with a penalty instead")
        if self.sampler == "tree" and self.trl.get("use_vllm"):
            raise ValueError("sampler tree: answers cannot be made by vLLM too; take use_vllm out of trl, or sampler")
        if self.save_every and self.save_every % self.steps_per_batch_of_answers:
            raise ValueError(
                f"save_every {self.save_every} is not a multiple of {self.steps_per_batch_of_answers:g}, the steps "
                "between two batches of answers, and a resumed run would differ"
            )
        if self.evaluate_every and (not self.save_every or self.evaluate_every % self.save_every):
            raise ValueError(f"evaluate_every {self.evaluate_every} is not a multiple of save_every {self.save_every}")
        return self
