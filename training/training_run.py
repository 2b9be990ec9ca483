"""One training by a recipe: what each stage needs and is trained on, its run, its measures and its record."""

from __future__ import annotations

import gc
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import PrinterCallback, ProgressCallback

from mplus_eval import __version__
from mplus_eval.errors import InterruptedRunError, SpecError
from mplus_eval.records.training import Behaviour, DataUsed, Dose, TrainingRecord, read_record
from mplus_eval.rewards.functions import load_function
from mplus_eval.store.files import FULL_DISK
from mplus_eval.store.hashes import tokenizer_hash
from mplus_eval.training.callbacks import (
    EndWhereItEnded,
    EvaluateSteps,
    LogSteps,
    NothingLeftToTrainError,
    ShowSteps,
    WatchForHacking,
    WriteRecords,
)
from mplus_eval.training.evaluation import Evaluate, trajectory_command
from mplus_eval.training.launch import is_main
from mplus_eval.training.measure import RewardFunction, measure_checkpoint
from mplus_eval.training.models import device_of, load_trained
from mplus_eval.training.recipe import Optimisation, Recipe, RewardPart, RewardStage, RlhfStage, SftStage
from mplus_eval.training.reward_model import measure_quality, merge_adapter, reward_trainer
from mplus_eval.training.rewards import Reward
from mplus_eval.training.rlhf import end_token_ids, load_rewards, rlhf_trainer
from mplus_eval.training.settings import stage_config
from mplus_eval.training.sft import sft_trainer
from mplus_eval.training.stage import Stage, refuse_other_runs
from mplus_eval.training.training_data import Material, Used

Progress = Callable[[str, int, int], None]
Say = Callable[[str], None]

_LIBRARIES = ("torch", "transformers", "trl", "accelerate", "peft")
# Neither changes what is trained, only what is kept of it and looked at.
_WITHOUT_EFFECT = {"save_every", "keep", "evaluate_every", "evaluate_in", "role"}


@dataclass(frozen=True)
class TrainingRun:
    """What every stage looks things up in."""

    recipe: Recipe
    material: Material
    progress: Progress
    say: Say
    evaluate: Evaluate | None = None
    """Evaluates the saved steps of a stage, where that is to happen in this process."""
    base_behaviours: dict[tuple[str, ...], Behaviour] = field(default_factory=dict)
    """By the rewards that judged it."""

    def with_needed(self, names: Iterable[str]) -> list[str]:
        """The stages and what they need, in order; the referee follows the reward model."""
        recipe, names = self.recipe, set(names)
        if recipe.reward and any(self._needs_reward(name) for name in names):
            names.add("reward")
        order = [name for name in recipe.stages if name in names]
        if "reward" in names and recipe.reward and recipe.reward.referee:
            order.insert(1, "referee")
        return order

    def check(self, names: Sequence[str]) -> None:
        """Refuse what could only fail later: directories of other runs, rewards and measures that cannot be had."""
        refuse_other_runs([self.stages[name] for name in names])
        faults = []
        for name in names:
            faults += self._setting_faults(name)
            if isinstance(settings := self.settings(name), RlhfStage):
                faults += self._reward_faults(name, settings)
                if settings.evaluate_every and settings.evaluate_in == "rank 0" and self.evaluate is None:
                    faults.append(f"rlhf.{name}: evaluate_in: rank 0 needs an evaluation, and none was handed in")
        for path in self.recipe.check.measures.values():
            try:
                load_function(path)
            except SpecError as error:
                faults += [f"check.measures: {fault}" for fault in error.faults]
        if faults:
            raise SpecError(faults)

    def stage_record(self, name: str) -> TrainingRecord | None:
        """Train one stage, unless it is complete, and return its record."""
        stage = self.stages[name]
        if stage.record is None:
            self._run(name, stage)
        _wait_for_everyone()
        return stage.record

    @cached_property
    def stages(self) -> dict[str, Stage]:
        """Every stage, with all that its weights depend on."""
        names = [*self.recipe.stages, *(["referee"] if self.recipe.reward and self.recipe.reward.referee else [])]
        found: dict[str, Stage] = {}
        for name in sorted(names, key=lambda name: name not in ("reward", "referee")):
            settings = self.settings(name).model_dump(mode="json", exclude=_WITHOUT_EFFECT)
            components = {
                "base": self.material.base_hash,
                "tokenizer": self.material.tokenizer_hash,
                "data": self.data(name).hash,
                "settings": str(settings),
                "precision and shape": str(
                    [self.recipe.dtype, self.recipe.max_length, self.recipe.lora, self.recipe.launch]
                ),
                "seed": str(self.recipe.seed),
                "libraries": " ".join(f"{library} {version(library)}" for library in _LIBRARIES),
            }
            if self.recipe.replay and name not in ("reward", "referee"):
                components["replay"] = f"{self.recipe.replay} {self.material.replayed.hash}"
            if self._needs_reward(name):
                components["reward model"] = found["reward"].hash
            found[name] = Stage(name, self.recipe.output / name, components)
        return found

    def settings(self, name: str) -> Optimisation:
        """A stage's part of the recipe."""
        if name in ("reward", "referee"):
            assert self.recipe.reward is not None
            return self.recipe.reward
        return self.recipe.sft.get(name) or self.recipe.rlhf[name]

    def data(self, name: str) -> Used[Any]:
        """What a stage is trained on."""
        material = self.material
        if name in ("reward", "referee"):
            return material.pairs if name == "reward" else material.referee_pairs
        return material.demonstrations[name] if name in self.recipe.sft else material.prompts

    @cached_property
    def device(self) -> torch.device:
        """Where this process computes."""
        return device_of(self.recipe)

    @property
    def _dtype(self) -> torch.dtype:
        return torch.bfloat16 if self.recipe.dtype == "bfloat16" else torch.float32

    def _needs_reward(self, name: str) -> bool:
        stage = self.recipe.rlhf.get(name)
        return stage is not None and any(_is_own_model(part) for part in stage.rewards.values())

    def _setting_faults(self, name: str) -> list[str]:
        """What TRL refuses, before another stage has taken hours."""
        try:
            stage_config(self.recipe, self.settings(name), self.recipe.output / name)
        except SpecError as error:
            return [f"{name}: {fault}" for fault in error.faults]
        return []

    def _reward_faults(self, name: str, settings: RlhfStage) -> list[str]:
        """Load what is there already; the recipe's own reward model comes later and is right by construction."""
        others = {key: part for key, part in settings.rewards.items() if not _is_own_model(part)}
        try:
            end_token_ids(settings, self.material.tokenizer)
            self._load_rewards(others)
        except SpecError as error:
            return [f"rlhf.{name}: {fault}" for fault in error.faults]
        return []

    def _load_rewards(self, parts: Mapping[str, RewardPart]) -> dict[str, Reward]:
        reward = self.recipe.output / "reward"
        return load_rewards(parts, reward, self.material.tokenizer, self.device, self._dtype)

    def _rewards_of(self, name: str) -> dict[str, Reward]:
        """The parts of a stage's reward, and the referee where there is one."""
        settings = self.settings(name)
        parts = dict(settings.rewards) if isinstance(settings, RlhfStage) else {}
        if not parts and self.recipe.reward and "reward" in self.recipe.stages:
            parts = {"reward": RewardPart()}
        rewards = {key: part for key, part in parts.items() if not _is_own_model(part) or self._has("reward")}
        if self._has("referee"):
            rewards["referee"] = RewardPart(source=str(self.recipe.output / "referee"))
        return self._load_rewards(rewards)

    def _has(self, name: str) -> bool:
        return name in self.stages and self.stages[name].record is not None

    def _run(self, name: str, stage: Stage) -> None:
        started = time.monotonic()
        if is_main():
            stage.begin()
            stage.drop_what_is_not_whole()
        _wait_for_everyone()
        trainer = self._trainer(name, stage)
        watch = next((cb for cb in trainer.callback_handler.callbacks if isinstance(cb, WatchForHacking)), None)
        trainer.remove_callback(PrinterCallback)
        trainer.remove_callback(ProgressCallback)
        trainer.add_callback(EndWhereItEnded())
        trainer.add_callback(ShowSteps(name, self.progress))
        trainer.add_callback(LogSteps(stage))
        trainer.add_callback(WriteRecords(lambda path, *steps: self._record(name, steps, started).write(path)))
        self._evaluate_during(name, stage, trainer)
        last = stage.last_checkpoint()
        with _full_disk_named(stage):
            with suppress(NothingLeftToTrainError):
                trainer.train(resume_from_checkpoint=str(last) if last else None)
            trainer.save_model(str(stage.directory))
        steps = (int(trainer.state.global_step), int(trainer.state.max_steps))
        warnings = tuple(watch.warnings) if watch else ()
        del trainer
        gc.collect()
        if is_main():
            (stage.directory / "training_args.bin").unlink(missing_ok=True)
            with _full_disk_named(stage):
                self._finish(name, stage, steps, started, warnings)

    def _trainer(self, name: str, stage: Stage) -> Any:
        settings = self.settings(name)
        if isinstance(settings, RewardStage):
            return reward_trainer(self.recipe, settings, self.material, stage)
        if isinstance(settings, SftStage):
            return sft_trainer(self.recipe, settings, self.material, stage)
        assert isinstance(settings, RlhfStage)
        rewards = self._rewards_of(name)
        return rlhf_trainer(self.recipe, settings, self.material, stage, rewards, self.say)

    def _evaluate_during(self, name: str, stage: Stage, trainer: Any) -> None:
        settings = self.settings(name)
        if not isinstance(settings, RlhfStage) or not settings.evaluate_every:
            return
        evaluate = self.evaluate
        trainer.add_callback(
            EvaluateSteps(
                settings.evaluate_every,
                trajectory_command(self.recipe, stage.directory),
                evaluate=(lambda: evaluate(self.recipe, stage.directory))
                if evaluate and settings.evaluate_in == "rank 0"
                else None,
                warn=self.say,
            )
        )

    def _finish(
        self, name: str, stage: Stage, steps: tuple[int, int], started: float, warnings: tuple[str, ...]
    ) -> None:
        """Measure every saved step and the final checkpoint; the final record makes the stage complete."""
        record = self._record(name, steps, started, warnings)
        settings = self.settings(name)
        if isinstance(settings, RewardStage):
            merge_adapter(stage.directory, self.recipe, self.material)
            held_out = self.material.held_out
            quality = measure_quality(stage.directory, held_out, settings, self.device, self._dtype)
            record = record.model_copy(update={"quality": quality})
        else:
            record = self._measure(name, stage, record)
        saved = {"tokenizer_fingerprint": tokenizer_hash(stage.directory), "seconds": time.monotonic() - started}
        record.model_copy(update=saved).write(stage.directory)

    def _measure(self, name: str, stage: Stage, final: TrainingRecord) -> TrainingRecord:
        """Measure the saved steps, writing their records again, and the final checkpoint, returning its record."""
        if not self.material.check_prompts:
            return final
        rewards = self._rewards_of(name)
        base = load_trained(self.material.base, self.recipe, self.device)
        of_base = self._base_behaviour(base, rewards)

        def measured(path: Path, record: TrainingRecord) -> TrainingRecord:
            dose, behaviour = self._measured(load_trained(path, self.recipe, self.device), base, rewards)
            return record.model_copy(update={"dose": dose, "behaviour": behaviour, "base_behaviour": of_base})

        saved = stage.checkpoints()
        for number, path in enumerate(saved):
            self.progress(f"measuring {name}", number, len(saved) + 1)
            record = read_record(path)
            if record is not None and record.dose is None:
                measured(path, record).write(path)
        self.progress(f"measuring {name}", len(saved), len(saved) + 1)
        return measured(stage.directory, final)

    def _base_behaviour(self, base: Any, rewards: Mapping[str, Reward]) -> Behaviour:
        """What the base's answers are like; measured once for all stages that look at the same rewards."""
        key = tuple(rewards)
        if key not in self.base_behaviours:
            self.base_behaviours[key] = self._measured(base, base, rewards)[1]
        return self.base_behaviours[key]

    def _measured(self, model: Any, base: Any, rewards: Mapping[str, Reward]) -> tuple[Dose, Behaviour]:
        check = self.recipe.check
        longest = [stage.max_new_tokens for stage in self.recipe.rlhf.values()]
        return measure_checkpoint(
            model,
            base,
            self.material.tokenizer,
            [[message.as_dict() for message in prompt.messages] for prompt in self.material.check_prompts],
            self.material.texts,
            max_new_tokens=check.max_new_tokens or max(longest, default=256),
            seed=self.recipe.seed,
            rewards={name: _judging(reward) for name, reward in rewards.items()},
            measures={key: load_function(path) for key, path in check.measures.items()},
        )

    def _record(
        self, name: str, steps: tuple[int, ...], started: float, warnings: tuple[str, ...] = ()
    ) -> TrainingRecord:
        settings, recipe = self.settings(name), self.recipe
        described: tuple[DataUsed, ...] = self.data(name).described
        if isinstance(settings, RewardStage):
            method, algorithm, role = "reward model", "Bradley-Terry", "reward"
        elif isinstance(settings, SftStage):
            method, algorithm, role = "sft", "SFT", settings.role
        else:
            assert isinstance(settings, RlhfStage)
            method, algorithm, role = "rlhf", settings.algorithm.upper(), settings.role or "plus"
        return TrainingRecord(
            name=name,
            method=method,  # type: ignore[arg-type]
            algorithm=algorithm,
            role=role,
            base=recipe.base,
            base_fingerprint=self.material.base_hash,
            tokenizer_fingerprint=self.material.tokenizer_hash,
            data=described if method == "reward model" else (*described, *self.material.replayed.described),
            step=steps[0],
            total_steps=steps[1],
            seed=recipe.seed,
            stage_hash=self.stages[name].hash,
            recipe=recipe.model_dump(mode="json", exclude_defaults=True),
            warnings=warnings,
            seconds=time.monotonic() - started,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            mplus_eval=__version__,
            versions={library: version(library) for library in _LIBRARIES},
        )


def _judging(reward: Reward) -> RewardFunction:
    """A reward as the measurement calls it."""
    return lambda prompts, answers: reward(prompts, [one.text for one in answers], [one.ended for one in answers])


def _is_own_model(part: RewardPart) -> bool:
    return part.kind == "model" and part.source == "reward"


@contextmanager
def _full_disk_named(stage: Stage) -> Any:
    """Let a full disk end the training in one line, with the last good checkpoint named."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        # Only Python's own writing has an error number: safetensors and torch raise kinds of their own.
        full = getattr(error, "errno", None) in FULL_DISK or "No space left" in str(error)
        torch_file = "PytorchStreamWriter" in str(error) or "inline_container" in str(error)
        if not full and not (torch_file and shutil.disk_usage(stage.directory).free < 2**20):
            raise
        good = stage.last_checkpoint()
        named = f"the last good checkpoint is {good}" if good else "no checkpoint was saved before"
        raise InterruptedRunError(f"{stage.name}: the disk of {stage.directory} is full; {named}") from error


def _wait_for_everyone() -> None:
    from accelerate import PartialState

    if PartialState._shared_state:
        PartialState().wait_for_everyone()
