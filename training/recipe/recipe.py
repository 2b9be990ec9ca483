"""A recipe as a whole, and what must agree between its parts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from mplus_eval.spec.fields import NAME_PATTERN, Fields, Positive, WholeNumber
from mplus_eval.spec.limit import LimitField
from mplus_eval.training.recipe.numbers import PositiveNumber, Share
from mplus_eval.training.recipe.sources import PairDataSource, PromptDataSource
from mplus_eval.training.recipe.stages import LanguageModelStage, Optimisation, RewardStage, RlhfStage, SftStage

REWARD_STAGES = ("reward", "referee")
"""Stages that train reward models, which the others need first: the one that rewards, and one that only looks on."""


class Lora(Fields):
    """Low-rank adapters instead of full fine-tuning (Hu et al., 2106.09685)."""

    rank: Positive = 16
    alpha: Positive = 32
    dropout: Share = 0.0
    modules: Literal["all-linear"] | tuple[str, ...] = "all-linear"


class Launch(Fields):
    """How many processes; with more than one, the command starts itself again under `accelerate launch`."""

    processes: Positive = 1
    machines: Positive = 1
    accelerate: str | None = Field(default=None, description="an accelerate configuration: a file, or a shipped name")


class CheckpointCheck(Fields):
    """What is measured of every saved checkpoint, on the same prompts and texts for all of them."""

    prompts: tuple[PromptDataSource, ...] = Field(default=(), description="the held-out pairs' prompts when not given")
    n_prompts: Positive = 64
    max_new_tokens: Positive | None = None
    texts: str | None = Field(default=None, description="a text file, a blank line between texts, or demo:texts")
    n_texts: Positive = 64
    measures: Mapping[str, str] = Field(
        default_factory=dict, description="NAME: module:function of (prompt, answer, ended), giving a number"
    )


class Replay(Fields):
    """Texts of the base's own kind, on which every step of sft and rlhf is held to the base (training/replay.py)."""

    texts: str = Field(description="a text file, a blank line between texts, or demo:texts")
    n: Positive = Field(default=1000, description="texts at most; then they come again")
    batch_size: Positive = Field(default=16, description="texts beside one batch")
    coefficient: PositiveNumber = 1.0


class Evaluation(Fields):
    """What `--compare` and `evaluate_every` run."""

    suite: str = "mplus"
    limit: LimitField = None
    trajectory_limit: LimitField = Field(default=None, description="of saved steps; at most `limit`")
    data_dir: Path | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Evaluation:
        if self.limit and self.trajectory_limit and not self.limit.holds(self.trajectory_limit):
            above = "is above" if self.limit.first == self.trajectory_limit.first else "takes other items than"
            raise ValueError(f"trajectory_limit {self.trajectory_limit} {above} limit {self.limit}")
        return self


class Recipe(Fields):
    """All of it."""

    base: str = Field(min_length=1, description="a directory, a hub id, or demo:base")
    revision: str | None = None
    allow_bin: bool = Field(default=False, description="whether a base in .bin files is read, by torch's weights_only")
    output: Path
    seed: WholeNumber = 0
    device: Literal["auto", "cpu"] = "auto"
    dtype: Literal["float32", "bfloat16"] = "float32"
    threads: Positive | None = Field(
        default=None, description="of the processor; one gives the same weights on any machine"
    )
    stages_at_once: Positive = Field(
        default=1, description="stages that train at the same time, each in a process of its own, where none is a group"
    )
    max_length: Positive = Field(
        default=1024,
        description="tokens of prompt and answer together; longer rows are left out, and prompts of rlhf that leave "
        "fewer than max_new_tokens",
    )
    chat_template: Path | None = Field(
        default=None, description="the tokenizer's own when not given, else the plain format"
    )
    lora: Lora | None = None
    launch: Launch = Launch()
    pairs: tuple[PairDataSource, ...] = ()
    held_out: Share = Field(default=0.1, description="share of the pairs that no training sees")
    test_pairs: tuple[PairDataSource, ...] = Field(
        default=(), description="pairs that no training sees, such as a dataset's test split, in place of a share"
    )
    prompts: tuple[PromptDataSource, ...] = Field(default=(), description="for rlhf; the pairs' prompts when not given")
    exclude_prompts: tuple[PromptDataSource, ...] = Field(
        default=(), description="evaluation prompts, never trained on"
    )
    reward: RewardStage | None = None
    sft: Mapping[str, SftStage] = Field(default_factory=dict)
    rlhf: Mapping[str, RlhfStage] = Field(default_factory=dict)
    replay: Replay | None = None
    check: CheckpointCheck = CheckpointCheck()
    compare: Evaluation = Evaluation()
    trackers: tuple[Literal["wandb", "trackio", "tensorboard"], ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        """Refuse, all at once, names that cannot be directories, parts that need what is not there, and no room."""
        names = [*self.sft, *self.rlhf]
        faults = [f"model name {name!r} cannot be a path" for name in names if not re.fullmatch(NAME_PATTERN, name)]
        taken = [name for name in names if name in ("reward", "referee", "base", "comparison")]
        faults += [f"model name {name!r} is taken; choose another" for name in taken]
        faults += [f"model name {name!r} stands in sft and in rlhf" for name in self.sft if name in self.rlhf]
        if not self.stages:
            faults.append("nothing to train: give reward, sft or rlhf")
        if self.reward and not self.pairs:
            faults.append("reward needs pairs")
        if self.test_pairs and "held_out" in self.model_fields_set:
            faults.append("held_out and test_pairs both say which pairs no training sees; give one of them")
        if self.stages_at_once > 1 and self.launch != Launch():
            faults.append(f"stages_at_once {self.stages_at_once}: with launch, stages train one after the other")
        for name, stage in self.sft.items():
            if stage.data == "chosen" and not self.pairs:
                faults.append(f"sft.{name}: data: chosen needs pairs")
        for name, rlhf in self.rlhf.items():
            if not self.pairs and not self.prompts:
                faults.append(f"rlhf.{name} needs prompts, or pairs to take them from")
            if rlhf.max_new_tokens >= self.max_length:
                faults.append(
                    f"rlhf.{name}: max_new_tokens {rlhf.max_new_tokens} leaves no room for a prompt in "
                    f"max_length {self.max_length}"
                )
            if rlhf.sampler == "tree" and self.launch.accelerate:
                faults.append(
                    f"rlhf.{name}: sampler tree needs whole weights, and launch.accelerate shares them out; take "
                    "transformers, or vLLM by trl"
                )
            if any(part.is_recipes_own for part in rlhf.rewards.values()) and not self.reward:
                faults.append(f"rlhf.{name}: rewards name the recipe's reward model, and the recipe trains none")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def longest_prompt(self) -> int:
        """Tokens that a prompt of rlhf may have: the same for all models, so that all see the same prompts."""
        return self.max_length - max((stage.max_new_tokens for stage in self.rlhf.values()), default=0)

    @property
    def measured_tokens(self) -> int:
        """Tokens of an answer, at most, when checkpoints are measured: the same for all of them."""
        return self.check.max_new_tokens or max((stage.max_new_tokens for stage in self.rlhf.values()), default=256)

    @property
    def stop_strings(self) -> tuple[str, ...]:
        """Those of all models of rlhf: what ends answers in training ends everybody's when they are measured."""
        return tuple(dict.fromkeys(stop for stage in self.rlhf.values() for stop in stage.termination.stop_strings))

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of what is trained, in order: the reward model, then every model."""
        return (*(("reward",) if self.reward else ()), *self.sft, *self.rlhf)

    @property
    def n_processes(self) -> int:
        """Processes that train one model together, on all machines."""
        return self.launch.processes * self.launch.machines

    def settings_of(self, stage: str) -> Optimisation:
        """A stage's part of the recipe; that of the held-out reward model, `referee`, is the reward model's."""
        if stage in REWARD_STAGES:
            assert self.reward is not None
            return self.reward
        return self.sft.get(stage) or self.rlhf[stage]

    def replay_of(self, settings: Optimisation) -> Replay | None:
        """What a stage of these settings replays; a reward model replays nothing."""
        return self.replay if isinstance(settings, LanguageModelStage) and settings.replay else None

    def needs_reward_model(self, stage: str) -> bool:
        """Whether a stage is rewarded by the reward model that the recipe itself trains."""
        rlhf = self.rlhf.get(stage)
        return rlhf is not None and any(part.is_recipes_own for part in rlhf.rewards.values())
