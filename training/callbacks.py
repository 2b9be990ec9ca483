"""What happens beside the training loop: progress, the log, the guard against NaN, records, KL control, evaluation."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from transformers.trainer_callback import ExportableState, TrainerCallback

from mplus_eval.errors import InterruptedRunError
from mplus_eval.training.card import write_record
from mplus_eval.training.evaluation import EvaluationProcess
from mplus_eval.training.hooks import Progress, Say
from mplus_eval.training.kl import adapt_kl_coefficient
from mplus_eval.training.launch import is_main
from mplus_eval.training.peak_memory import give_back
from mplus_eval.training.recipe import KlControl, RewardHacking
from mplus_eval.training.reward_hacking import HackingMonitor, Memory
from mplus_eval.training.stage import STEPS_FILE, Stage

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments

    from mplus_eval.records.training import TrainingRecord

Logs = Mapping[str, float]
"""What a trainer tells of a step, by name."""


class PenalisesKl(Protocol):
    """A trainer whose loss has the KL times a coefficient."""

    beta: float


class NothingLeftToTrainError(Exception):
    """The checkpoint that training goes on from is its last; its weights are loaded."""


class EndWhereItEnded(TrainerCallback):  # type: ignore[misc, unused-ignore]
    """Takes no further step after the last one: the library's loop begins with a step, and only then looks."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Called by the trainer, with the weights and the state of the checkpoint that it goes on from."""
        if state.global_step >= state.max_steps:
            raise NothingLeftToTrainError


class ShowSteps(TrainerCallback):  # type: ignore[misc, unused-ignore]
    """Reports every step."""

    def __init__(self, name: str, progress: Progress) -> None:
        self._name, self._progress = name, progress

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Called by the trainer."""
        if is_main():
            self._progress(f"training {self._name}", state.global_step, state.max_steps)


class GiveBackMemory(TrainerCallback):  # type: ignore[misc, unused-ignore]
    """Has a processor's memory stay what a batch needs; a GPU's is torch's to keep."""

    def on_substep_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Called by the trainer, after each batch of a step but the last."""
        if args.device.type == "cpu":
            give_back()

    on_step_end = on_substep_end


class LogSteps(TrainerCallback):  # type: ignore[misc, unused-ignore]
    """Writes every step's numbers to `steps.jsonl`, and stops at the first one that is not a number.

    A NaN is met before the step is saved, so the last checkpoint is a good one.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Logs | None = None,
        **kwargs: object,
    ) -> None:
        """Called by the trainer."""
        logs = logs or {}
        if "train_runtime" in logs:
            return
        if is_main():
            numbers = {key: value for key, value in logs.items() if _is_finite(value)}
            with (self._stage.directory / STEPS_FILE).open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": state.global_step, **numbers}) + "\n")
        for key in ("loss", "grad_norm"):
            if key in logs and not _is_finite(logs[key]):
                last = self._stage.last_checkpoint()
                good = f"the last good checkpoint is {last}" if last else "no checkpoint was saved before it"
                raise InterruptedRunError(
                    f"{self._stage.name}: {key} is {logs[key]} at step {state.global_step}; {good}"
                )


class WriteRecords(TrainerCallback):  # type: ignore[misc, unused-ignore]
    """Writes card and record into every saved step, last of all, when every process has saved its part."""

    def __init__(self, record_at: Callable[[int, int], TrainingRecord]) -> None:
        """Write what `record_at` gives for a step and the steps in all."""
        self._record_at = record_at

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object) -> None:
        """Called by the trainer on every process."""
        from accelerate import PartialState

        PartialState().wait_for_everyone()
        if is_main():
            step = state.global_step
            write_record(self._record_at(step, state.max_steps), Path(str(args.output_dir)) / f"checkpoint-{step}")


class ControlKl(TrainerCallback, ExportableState):  # type: ignore[misc, unused-ignore]
    """Steers the KL coefficient to a target; its state is part of the checkpoint."""

    def __init__(self, settings: KlControl, n_answers: int, trainer: PenalisesKl) -> None:
        self.coefficient = settings.coefficient
        self._settings, self._n_answers, self._trainer = settings, n_answers, trainer

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Called by the trainer, with the state of the checkpoint that it goes on from."""
        self.coefficient = _kept_attributes(self, state).get("coefficient", self.coefficient)
        self._trainer.beta = self.coefficient

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Logs | None = None,
        **kwargs: object,
    ) -> None:
        """Called by the trainer with the step's mean KL of a token; the target is that of an answer."""
        target = self._settings.target
        if target is None or not logs or logs.get("kl") is None:
            return
        kl = float(logs["kl"]) * float(logs["completions/mean_length"])
        self.coefficient = adapt_kl_coefficient(self.coefficient, kl, target, self._n_answers, self._settings.horizon)
        self._trainer.beta = self.coefficient

    def state(self) -> dict[str, object]:
        """What a checkpoint keeps."""
        return {"args": {}, "attributes": {"coefficient": self.coefficient}}


class WatchForHacking(TrainerCallback, ExportableState):  # type: ignore[misc, unused-ignore]
    """Warns when the reward rises while something else collapses; its state is part of the checkpoint."""

    def __init__(self, settings: RewardHacking, warn: Say) -> None:
        self._settings, self._warn = settings, warn
        self._monitor = HackingMonitor(settings)
        self.memory: Memory | None = None
        self.warnings: list[str] = []

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Called by the trainer, with the state of the checkpoint that it goes on from."""
        attributes = _kept_attributes(self, state)
        self.warnings = list(attributes.get("warnings", []))
        if memory := attributes.get("memory"):
            self._monitor, self.memory = HackingMonitor(self._settings, memory), memory
        if self.warnings and self._settings.stop:
            raise NothingLeftToTrainError

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Logs | None = None,
        **kwargs: object,
    ) -> None:
        """Called by the trainer."""
        if not logs or logs.get("reward") is None:
            return
        warning = self._monitor.observe(
            state.global_step,
            float(logs["reward"]),
            float(logs.get("entropy") or 0.0),
            float(logs.get("distinct_2") or 0.0),
            logs.get("rewards/referee/mean"),
        )
        self.memory = self._monitor.memory()
        if warning:
            self.warnings.append(warning)
            if is_main():
                self._warn(warning)
            if self._settings.stop:
                control.should_save = True
                control.should_training_stop = True

    def state(self) -> dict[str, object]:
        """What a checkpoint keeps."""
        return {"args": {}, "attributes": {"memory": self.memory or {}, "warnings": self.warnings}}


class EvaluateSteps(TrainerCallback):  # type: ignore[misc, unused-ignore]
    """Compares saved steps with the base while training goes on.

    In a process of its own, started by the first process of the group; or on rank 0, where training waits and the
    random state is put back, so that evaluating does not change what is trained.
    """

    def __init__(
        self,
        every: int,
        command: Sequence[str],
        *,
        evaluate: Callable[[], object] | None,
        warn: Say,
    ) -> None:
        """Evaluate every so many steps: by `evaluate` in this process, or by the command where that is None."""
        self._every, self._evaluate, self._warn = every, evaluate, warn
        self._process = EvaluationProcess(command)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object) -> None:
        """Called by the trainer, after the step's record was written."""
        if state.global_step % self._every or not is_main():
            return
        if self._evaluate is not None:
            with _same_random_state():
                self._evaluate()
        else:
            self._tell(self._process.ended())
            self._process.ask()

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Wait for the last evaluation, and for one more where steps were saved while it ran."""
        self._tell(self._process.ended(wait=True))
        if self._process.go_on():
            self._tell(self._process.ended(wait=True))

    def _tell(self, code: int | None) -> None:
        if code:
            self._warn(f"an evaluation of the saved steps ended with exit code {code}; training goes on")


def _kept_attributes(callback: TrainerCallback, state: TrainerState) -> dict[str, Any]:
    """What a checkpoint kept of a callback.

    The library would put a new callback in its place, made from JSON alone; these hold the trainer.
    """
    stored: Any = state.stateful_callbacks
    own = stored.get(type(callback).__name__, {})
    return dict(own.get("attributes", {})) if isinstance(own, dict) else {}


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


class _same_random_state:  # noqa: N801 - reads as a statement
    """Put back the random state of Python, NumPy and torch after the block."""

    def __enter__(self) -> None:
        import random

        import numpy as np
        import torch

        self._python, self._numpy, self._torch = random.getstate(), np.random.get_state(), torch.get_rng_state()
        self._cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []

    def __exit__(self, *exception: object) -> None:
        import random

        import numpy as np
        import torch

        random.setstate(self._python)
        np.random.set_state(self._numpy)
        torch.set_rng_state(self._torch)
        if self._cuda:
            torch.cuda.set_rng_state_all(self._cuda)
