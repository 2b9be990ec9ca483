"""One training by a recipe: each stage is trained from where it stopped, then measured and recorded."""

from __future__ import annotations

import gc
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from accelerate import PartialState
from safetensors import SafetensorError
from transformers import PrinterCallback, ProgressCallback

from mplus_eval.errors import InterruptedRunError
from mplus_eval.records.training import Behaviour, Resources, TrainingRecord
from mplus_eval.rewards.functions import load_function
from mplus_eval.store.files import FULL_DISK
from mplus_eval.store.hashes import tokenizer_hash
from mplus_eval.training.callbacks import (
    EndWhereItEnded,
    EvaluateSteps,
    GiveBackMemory,
    LogSteps,
    NothingLeftToTrainError,
    ShowSteps,
    WatchForHacking,
    WriteRecords,
)
from mplus_eval.training.card import write_record
from mplus_eval.training.evaluation import trajectory_command
from mplus_eval.training.hooks import Hooks
from mplus_eval.training.launch import is_main
from mplus_eval.training.measure import Measurement, measure_stage
from mplus_eval.training.models import computing_dtype, device_of, load_trained
from mplus_eval.training.peak_memory import begin_peak, peak_gib
from mplus_eval.training.recipe import Recipe, RewardStage, RlhfStage, SftStage
from mplus_eval.training.record import record_of
from mplus_eval.training.reward_model import measure_quality, merge_adapter, reward_trainer
from mplus_eval.training.rlhf import rlhf_trainer
from mplus_eval.training.sft import sft_trainer
from mplus_eval.training.stage import Stage
from mplus_eval.training.stages import rewards_of, stages_of
from mplus_eval.training.training_data import TrainingData, gather
from mplus_eval.training.trl_private import fit_head_to_processor

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer


@dataclass(frozen=True)
class TrainingRun:
    """A recipe with its data and stages, ready to be trained stage by stage."""

    recipe: Recipe
    data: TrainingData
    stages: dict[str, Stage]
    device: torch.device
    hooks: Hooks
    base_behaviours: dict[tuple[str, ...], Behaviour] = field(default_factory=dict)
    """What the base's answers are like, by the rewards that judged it: measured once for all stages."""


def begin_run(recipe: Recipe, data_dir: Path | None, hooks: Hooks) -> TrainingRun:
    """Read all data of a recipe; nothing is written.

    Raises:
        SpecError: with every fault found.
    """
    data = gather(recipe, data_dir)
    return TrainingRun(recipe, data, stages_of(recipe, data), device_of(recipe), hooks)


def complete_stage(run: TrainingRun, name: str) -> TrainingRecord | None:
    """Train one stage, unless it is complete, and return its record.

    Raises:
        InterruptedRunError: at a step that is not a number, or on a full disk; the last good checkpoint is named.
    """
    stage = run.stages[name]
    if stage.record is None:
        _train(run, stage)
    _wait_for_everyone()
    return stage.record


def _train(run: TrainingRun, stage: Stage) -> None:
    """Train from the last saved step on, then measure; the final record makes the stage complete."""
    recipe, data = run.recipe, run.data
    started = time.monotonic()
    if is_main():
        stage.begin(run.hooks.say)
    _wait_for_everyone()
    begin_peak(run.device)
    if run.device.type == "cpu":
        fit_head_to_processor(len(data.tokenizer))
    trainer = _trainer(run, stage)
    # TRL would write a card at every save that knows neither base nor data, and says "None" of them.
    trainer.create_model_card = lambda *_, **__: None  # type: ignore[method-assign, unused-ignore]
    watch = next((each for each in trainer.callback_handler.callbacks if isinstance(each, WatchForHacking)), None)
    record_at = partial(record_of, stage, recipe, data, started)
    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(ProgressCallback)
    trainer.add_callback(EndWhereItEnded())
    trainer.add_callback(ShowSteps(stage.name, run.hooks.progress))
    trainer.add_callback(LogSteps(stage))
    trainer.add_callback(GiveBackMemory())
    trainer.add_callback(WriteRecords(record_at))
    if (evaluation := _evaluation(recipe, stage, run.hooks)) is not None:
        trainer.add_callback(evaluation)
    last = stage.last_checkpoint()
    with _full_disk_named(stage):
        began = time.monotonic()
        with suppress(NothingLeftToTrainError):
            trainer.train(resume_from_checkpoint=str(last) if last else None)
        trained_in = Resources(seconds=time.monotonic() - began, peak_gib=peak_gib(run.device))
        _forget_truncation(data.tokenizer)
        trainer.save_model(str(stage.directory))
    step, total_steps = int(trainer.state.global_step), int(trainer.state.max_steps)
    warnings = tuple(watch.warnings) if watch else ()
    # The trainer holds a model and its moments, beside which there may be no room for those that measure.
    del trainer
    gc.collect()
    if not is_main():
        return
    (stage.directory / "training_args.bin").unlink(missing_ok=True)
    with _full_disk_named(stage):
        begin_peak(run.device)
        began = time.monotonic()
        record = _measured(run, stage, record_at(step, total_steps, warnings))
        saved = {
            "tokenizer_fingerprint": tokenizer_hash(stage.directory),
            "seconds": time.monotonic() - started,
            "trained_in": None if last else trained_in,
            "measured_in": Resources(seconds=time.monotonic() - began, peak_gib=peak_gib(run.device)),
        }
        write_record(record.model_copy(update=saved), stage.directory)


def _forget_truncation(tokenizer: PreTrainedTokenizerBase) -> None:
    """Take back what the last call asked for: a tokenizer keeps it, and would save it as a setting of its own."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        backend.no_truncation()
        backend.no_padding()


def _trainer(run: TrainingRun, stage: Stage) -> Trainer:
    settings = run.recipe.settings_of(stage.name)
    if isinstance(settings, RewardStage):
        return reward_trainer(run.recipe, settings, run.data, stage)
    if isinstance(settings, SftStage):
        return sft_trainer(run.recipe, settings, run.data, stage)
    assert isinstance(settings, RlhfStage)
    rewards = rewards_of(stage.name, run.recipe, run.data, run.stages, run.device)
    return rlhf_trainer(run.recipe, settings, run.data, stage, rewards, run.hooks.say)


def _evaluation(recipe: Recipe, stage: Stage, hooks: Hooks) -> EvaluateSteps | None:
    """What compares saved steps with the base while training goes on, where the recipe asks for it."""
    settings = recipe.settings_of(stage.name)
    if not isinstance(settings, RlhfStage) or not settings.evaluate_every:
        return None
    evaluate = hooks.evaluate if settings.evaluate_in == "rank 0" else None
    return EvaluateSteps(
        settings.evaluate_every,
        trajectory_command(recipe, stage.directory),
        evaluate=None if evaluate is None else lambda: evaluate(recipe, stage.directory),
        warn=hooks.say,
    )


def _measured(run: TrainingRun, stage: Stage, record: TrainingRecord) -> TrainingRecord:
    """The final record with what is measured of the checkpoint; saved steps are measured, and theirs written again."""
    recipe, data = run.recipe, run.data
    settings = recipe.settings_of(stage.name)
    if isinstance(settings, RewardStage):
        merge_adapter(stage.directory, recipe, data)
        quality = measure_quality(stage.directory, data.held_out, settings, run.device, computing_dtype(recipe))
        return record.model_copy(update={"quality": quality})
    if not data.check_prompts:
        return record
    measurement = Measurement(
        tokenizer=data.tokenizer,
        prompts=[[message.as_dict() for message in prompt.messages] for prompt in data.check_prompts],
        texts=data.texts,
        max_new_tokens=recipe.measured_tokens,
        seed=recipe.seed,
        rewards=rewards_of(stage.name, recipe, data, run.stages, run.device),
        measures={name: load_function(path) for name, path in recipe.check.measures.items()},
        stop_strings=recipe.stop_strings,
    )

    def load(checkpoint: Path) -> PreTrainedModel:
        return load_trained(checkpoint, recipe, run.device)

    return measure_stage(stage, record, load(data.base), load, measurement, run.base_behaviours, run.hooks.progress)


@contextmanager
def _full_disk_named(stage: Stage) -> Iterator[None]:
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
    # Without a group there is no one to wait for, and no state of one is made.
    if PartialState._shared_state:
        PartialState().wait_for_everyone()
