"""A recipe: everything that one training needs to know, read from YAML and checked whole before any work.

    base: ./base
    pairs:
      - {source: Anthropic/hh-rlhf, subset: harmless-base}
    reward: {learning_rate: 1.0e-5, epochs: 1}
    sft:
      chosen: {data: chosen, learning_rate: 1.0e-5, epochs: 1}
    rlhf:
      plus: {learning_rate: 1.0e-6, steps: 200}

`reward` trains one reward model from the base, every entry of `sft` and `rlhf` one model from the base. Paths are
relative to the working directory. Any field can be replaced on the command line: `rlhf.plus.kl=0.1`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from mplus_eval.errors import SpecError
from mplus_eval.spec.faults import nearest
from mplus_eval.spec.fields import NAME_PATTERN
from mplus_eval.store.yaml import read_yaml


def _not_a_truth_value(value: Any) -> Any:
    """Refuse `true`, which Python would take for 1."""
    if isinstance(value, bool):
        raise ValueError("a number is expected")
    return value


def _number(value: Any) -> Any:
    """Take `1e-5` for a number: YAML reads it as text where it has no dot."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return _not_a_truth_value(value)


def _scientific(value: Any) -> Any:
    """Take `1e-3` for a number, which YAML reads as text, and leave all other texts alone."""
    return float(value) if isinstance(value, str) and re.fullmatch(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+", value) else value


Count = Annotated[int, BeforeValidator(_not_a_truth_value), Field(gt=0)]
CountOrNone = Annotated[int, BeforeValidator(_not_a_truth_value), Field(ge=0)]
Number = Annotated[float, BeforeValidator(_number)]
PositiveNumber = Annotated[float, BeforeValidator(_number), Field(gt=0)]
NotNegative = Annotated[float, BeforeValidator(_number), Field(ge=0)]
Share = Annotated[float, BeforeValidator(_number), Field(ge=0, lt=1)]
OnBadRow = Literal["fail", "skip"]


class Fields(BaseModel):
    """Frozen, and refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(Fields):
    """Where rows come from: a hub id, a directory, a JSONL or Parquet file, or `demo:NAME`."""

    source: str = Field(min_length=1)
    subset: str | None = Field(
        default=None, description="configuration or data_dir of the dataset, such as harmless-base"
    )
    split: str = "train"
    revision: str | None = None
    n: Count | None = Field(default=None, description="at most so many rows, the first after shuffling by the seed")
    seed: CountOrNone | None = Field(default=None, description="of the draw; the recipe's when not given")
    on_bad_row: OnBadRow | None = Field(
        default=None, description="what a malformed row does; skip for public datasets known to have some, else fail"
    )


class PairSource(Source):
    """Preference pairs: `chosen` and `rejected`, in one of the known layouts."""

    layout: Literal["auto", "dialogue", "columns", "pku", "messages"] = "auto"


class PromptSource(Source):
    """Prompts; `column` names where they stand. Pairs may be given too: their prompts are taken."""

    column: str | None = None


class Optimisation(Fields):
    """What every stage has: how long, how fast, in which batches."""

    learning_rate: PositiveNumber
    epochs: PositiveNumber = 1.0
    steps: Count | None = Field(default=None, description="instead of epochs")
    batch_size: Count = Field(default=32, description="rows of one step on one device; answers, for rlhf")
    accumulate: Count = Field(default=1, description="batches of one step")
    warmup_steps: CountOrNone = 0
    schedule: Literal["cosine", "linear", "constant_with_warmup"] = "cosine"
    weight_decay: NotNegative = 0.0
    max_grad_norm: PositiveNumber = 1.0
    gradient_checkpointing: bool = False
    save_every: Count | None = Field(
        default=None, description="steps between checkpoints; only the last when not given"
    )
    keep: Count | None = Field(default=None, description="so many checkpoints are kept; all when not given")
    trl: dict[str, Annotated[Any, BeforeValidator(_scientific)]] = Field(
        default_factory=dict, description="further fields of TRL's configuration, as they are"
    )


class RewardStage(Optimisation):
    """The reward model: Bradley-Terry on the pairs, from the base."""

    centre: NotNegative = Field(
        default=0.01, description="coefficient of the centring term (Eisenstein et al., 2312.09244)"
    )
    scale: bool = Field(default=True, description="standardise rewards by mean and deviation on held-out pairs")
    referee: bool = Field(
        default=False, description="train a second one on pairs the first never sees, only to look at"
    )


class SftStage(Optimisation):
    """Supervised fine-tuning on demonstrations, or on the chosen answers of the pairs (`data: chosen`)."""

    data: Literal["chosen"] | tuple[Source, ...]
    role: str = ""


class RewardPart(Fields):
    """One summand of the reward: a reward model, a toxicity classifier's penalty, or a function of one's own."""

    kind: Literal["model", "toxicity", "function"] = "model"
    source: str = Field(default="reward", description="`reward` for the recipe's own, a directory, or module:function")
    weight: Number = 1.0


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


class Hacking(Fields):
    """When to warn of reward hacking: the reward has risen while something else has collapsed."""

    window: Count = Field(default=10, description="steps of each average")
    entropy: Share = Field(default=0.3, description="collapsed below this share of the first window's")
    distinct: Share = Field(default=0.5, description="the same for the share of distinct 2-grams")
    referee: NotNegative = Field(
        default=0.5, description="collapsed when the referee's reward fell by so many deviations"
    )
    stop: bool = False


class RlhfStage(Optimisation):
    """Direct RLHF from the base, with no supervised stage before it."""

    schedule: Literal["cosine", "linear", "constant_with_warmup"] = "constant_with_warmup"
    role: str = ""
    algorithm: Literal["rloo", "grpo"] = "rloo"
    answers: Annotated[int, BeforeValidator(_not_a_truth_value), Field(ge=2)] = Field(
        default=4, description="answers to each prompt"
    )
    max_new_tokens: Count = 256
    temperature: PositiveNumber = 1.0
    steps_per_generation: Count | None = Field(
        default=None, description="batches made at once; `accumulate` when not given"
    )
    iterations: Count = Field(default=1, description="passes over the same answers")
    kl: KlControl = KlControl()
    rewards: Mapping[str, RewardPart] = Field(default_factory=lambda: {"reward": RewardPart()})
    normalise_advantages: bool = False
    clip_reward: PositiveNumber | None = Field(
        default=None, description="rewards are cut to ± this, before the KL penalty"
    )
    termination: Termination = Termination()
    length_penalty: NotNegative = Field(default=0.0, description="taken off for each token, in units of the reward")
    hacking: Hacking = Hacking()
    evaluate_every: Count | None = Field(
        default=None, description="steps between evaluations; a multiple of save_every"
    )
    evaluate_in: Literal["process", "rank 0"] = "process"

    @property
    def steps_per_batch_of_answers(self) -> float:
        """Optimiser steps between two generations: checkpoints lie on multiples of it, or resuming would differ."""
        return (self.steps_per_generation or self.accumulate) * self.iterations / self.accumulate

    @model_validator(mode="after")
    def _consistent(self) -> RlhfStage:
        if self.steps is None:
            raise ValueError("steps is needed: direct RLHF has no natural number of epochs")
        if self.batch_size % self.answers:
            raise ValueError(f"batch_size {self.batch_size} is not a multiple of answers {self.answers}")
        if self.termination.mask and self.termination.stop_strings:
            raise ValueError("termination: mask knows end tokens only; give stop_strings with a penalty instead")
        if self.save_every and self.save_every % self.steps_per_batch_of_answers:
            raise ValueError(
                f"save_every {self.save_every} is not a multiple of {self.steps_per_batch_of_answers:g}, the steps "
                "between two batches of answers, and a resumed run would differ"
            )
        if self.evaluate_every and (not self.save_every or self.evaluate_every % self.save_every):
            raise ValueError(f"evaluate_every {self.evaluate_every} is not a multiple of save_every {self.save_every}")
        return self


class Lora(Fields):
    """Low-rank adapters instead of full fine-tuning (Hu et al., 2106.09685)."""

    rank: Count = 16
    alpha: Count = 32
    dropout: Share = 0.0
    modules: Literal["all-linear"] | tuple[str, ...] = "all-linear"


class Launch(Fields):
    """How many processes; with more than one, the command starts itself again under `accelerate launch`."""

    processes: Count = 1
    machines: Count = 1
    accelerate: str | None = Field(default=None, description="an accelerate configuration: a file, or a shipped name")


class Check(Fields):
    """What is measured of every saved checkpoint, on the same prompts and texts for all of them."""

    prompts: tuple[PromptSource, ...] = Field(default=(), description="the held-out pairs' prompts when not given")
    n_prompts: Count = 64
    max_new_tokens: Count | None = None
    texts: str | None = Field(default=None, description="a text file, a blank line between texts, or demo:texts")
    n_texts: Count = 64
    measures: Mapping[str, str] = Field(
        default_factory=dict, description="NAME: module:function of (prompt, answer, ended), giving a number"
    )


class Replay(Fields):
    """Texts of the base's own kind, on which every step of sft and rlhf is held to the base (training/replay.py)."""

    texts: str = Field(description="a text file, a blank line between texts, or demo:texts")
    n: Count = Field(default=1000, description="texts at most; then they come again")
    batch_size: Count = Field(default=16, description="texts beside one batch")
    coefficient: PositiveNumber = 1.0


class Evaluation(Fields):
    """What `--compare` and `evaluate_every` run."""

    suite: str = "mplus"
    limit: Count | None = None
    trajectory_limit: Count | None = Field(default=None, description="of saved steps; at most `limit`")
    data_dir: Path | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Evaluation:
        if self.limit and self.trajectory_limit and self.trajectory_limit > self.limit:
            raise ValueError(f"trajectory_limit {self.trajectory_limit} is above limit {self.limit}")
        return self


class Recipe(Fields):
    """All of it."""

    base: str = Field(min_length=1, description="a directory, a hub id, or demo:base")
    revision: str | None = None
    output: Path
    seed: CountOrNone = 0
    device: Literal["auto", "cpu"] = "auto"
    dtype: Literal["float32", "bfloat16"] = "float32"
    threads: Count | None = Field(
        default=None, description="of the processor; one gives the same weights on any machine"
    )
    stages_at_once: Count = Field(
        default=1, description="stages that train at the same time, each in a process of its own, where none is a group"
    )
    max_length: Count = Field(
        default=1024,
        description="tokens of prompt and answer together; longer rows are left out, and prompts of rlhf that leave "
        "fewer than max_new_tokens",
    )
    chat_template: Path | None = Field(
        default=None, description="the tokenizer's own when not given, else the plain format"
    )
    lora: Lora | None = None
    launch: Launch = Launch()
    pairs: tuple[PairSource, ...] = ()
    held_out: Share = Field(default=0.1, description="share of the pairs that no training sees")
    prompts: tuple[PromptSource, ...] = Field(default=(), description="for rlhf; the pairs' prompts when not given")
    exclude_prompts: tuple[PromptSource, ...] = Field(default=(), description="evaluation prompts, never trained on")
    reward: RewardStage | None = None
    sft: Mapping[str, SftStage] = Field(default_factory=dict)
    rlhf: Mapping[str, RlhfStage] = Field(default_factory=dict)
    replay: Replay | None = None
    check: Check = Check()
    compare: Evaluation = Evaluation()
    trackers: tuple[Literal["wandb", "trackio", "tensorboard"], ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        faults = [*_name_faults(self), *_missing_faults(self)]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def longest_prompt(self) -> int:
        """Tokens that a prompt of rlhf may have: the same for all models, so that all see the same prompts."""
        return self.max_length - max((stage.max_new_tokens for stage in self.rlhf.values()), default=0)

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of what is trained, in order: the reward model, then every model."""
        return (*(("reward",) if self.reward else ()), *self.sft, *self.rlhf)


def load_recipe(name_or_path: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe, replace fields, and check all of it.

    Args:
        name_or_path: a YAML file, or the name of a shipped recipe.
        overrides: texts `dotted.key=value`; the value is read as YAML.

    Raises:
        SpecError: with every fault that was found.
    """
    document = read_yaml(_recipe_path(name_or_path), "recipe")
    where = f"recipe {name_or_path}"
    faults = [fault for text in overrides if (fault := _override(document, text))]
    if "output" not in document:
        document["output"] = f"runs/train-{Path(name_or_path).stem}"
    try:
        recipe = Recipe.model_validate(document)
    except ValidationError as error:
        raise SpecError([*faults, *_faults_of(error, where)]) from None
    if faults:
        raise SpecError(faults)
    return recipe


def shipped_recipes() -> dict[str, Path]:
    """The recipes that come with the package, by name."""
    folder = Path(str(resources.files("mplus_eval") / "training" / "recipes"))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def _recipe_path(name_or_path: str) -> Path:
    path, shipped = Path(name_or_path).expanduser(), shipped_recipes()
    if path.is_file():
        return path
    if name_or_path in shipped:
        return shipped[name_or_path]
    raise SpecError([f"recipe {name_or_path!r}: no such file, and no shipped recipe ({', '.join(shipped)})"])


def _override(document: dict[str, Any], text: str) -> str | None:
    """Put a value in its place; return what is wrong with the text."""
    key, separator, value = text.partition("=")
    if not separator or not re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", key):
        return f"{text!r}: write dotted.key=value, for example rlhf.plus.learning_rate=1e-6"
    *parents, last = key.split(".")
    place: Any = document
    for parent in parents:
        index = int(parent) if isinstance(place, list) and parent.isdigit() else parent
        try:
            place = place.setdefault(index, {}) if isinstance(place, dict) else place[index]
        except (IndexError, TypeError):
            return f"{text!r}: there is no {parent!r} in the recipe"
    if not isinstance(place, dict):
        return f"{text!r}: {'.'.join(parents)} has no keys"
    try:
        place[last] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        return f"{text!r}: the value is not YAML ({' '.join(str(error).split())})"
    return None


def _name_faults(recipe: Recipe) -> list[str]:
    names = [*recipe.sft, *recipe.rlhf]
    faults = [f"model name {name!r} cannot be a path" for name in names if not re.fullmatch(NAME_PATTERN, name)]
    taken = [name for name in names if name in ("reward", "referee", "base", "comparison")]
    faults += [f"model name {name!r} is taken; choose another" for name in taken]
    return faults + [f"model name {name!r} stands in sft and in rlhf" for name in recipe.sft if name in recipe.rlhf]


def _missing_faults(recipe: Recipe) -> list[str]:
    faults = []
    if not recipe.stages:
        faults.append("nothing to train: give reward, sft or rlhf")
    if recipe.reward and not recipe.pairs:
        faults.append("reward needs pairs")
    if recipe.stages_at_once > 1 and recipe.launch != Launch():
        faults.append(f"stages_at_once {recipe.stages_at_once}: with launch, stages train one after the other")
    for name, stage in recipe.sft.items():
        if stage.data == "chosen" and not recipe.pairs:
            faults.append(f"sft.{name}: data: chosen needs pairs")
    for name, rlhf in recipe.rlhf.items():
        if not recipe.pairs and not recipe.prompts:
            faults.append(f"rlhf.{name} needs prompts, or pairs to take them from")
        if rlhf.max_new_tokens >= recipe.max_length:
            faults.append(
                f"rlhf.{name}: max_new_tokens {rlhf.max_new_tokens} leaves no room for a prompt in "
                f"max_length {recipe.max_length}"
            )
        own = [part for part in rlhf.rewards.values() if part.kind == "model" and part.source == "reward"]
        if own and not recipe.reward:
            faults.append(f"rlhf.{name}: rewards name the recipe's reward model, and the recipe trains none")
    return faults


def _faults_of(error: ValidationError, where: str) -> list[str]:
    """One line a fault: where it stands, the value, and what is accepted."""
    return list(dict.fromkeys(_fault(fault, where) for fault in error.errors()))


def _fault(fault: Any, where: str) -> str:
    place = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"{where}: unknown key {place!r}; {nearest(str(fault['loc'][-1]), _accepted(fault['loc'][:-1]))}"
    message = fault["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if fault["type"] == "missing":
        return f"{where}: {place} is missing"
    shown = "" if isinstance(fault["input"], dict | BaseModel) else f" {fault['input']!r}"
    return f"{where}: {place}{shown}: {message}" if place else f"{where}: {message}"


def _accepted(place: Sequence[Any]) -> list[str]:
    """The keys that are accepted at a place of a recipe."""
    holders: dict[str, type[Fields]] = {
        "reward": RewardStage, "sft": SftStage, "rlhf": RlhfStage, "lora": Lora, "launch": Launch, "replay": Replay,
        "check": Check, "compare": Evaluation, "pairs": PairSource, "prompts": PromptSource, "data": Source,
        "exclude_prompts": PromptSource, "kl": KlControl, "termination": Termination, "hacking": Hacking,
        "rewards": RewardPart,
    }  # fmt: skip
    named = [holders[part] for part in place if part in holders]
    return list((named[-1] if named else Recipe).model_fields)
