"""Compare what any Trainer of transformers saves with a baseline, while it trains.

    trainer = Trainer(model, arguments, train_dataset=data, callbacks=[CompareCallback("org/base", limit=50)])

Saved steps are evaluated by the command line in a process of its own, as a trajectory: the report grows with the
training. Whatever fails is a warning, and training goes on.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from transformers.trainer_callback import TrainerCallback

from mplus_eval.errors import EXIT_CELLS_MISSING, EXIT_DONE, SpecError
from mplus_eval.models.locations import model_faults
from mplus_eval.records.comparison import Comparison
from mplus_eval.spec.draft import draft_spec
from mplus_eval.spec.suite import load_suite
from mplus_eval.store.files import write_json
from mplus_eval.training.evaluation import EVALUATION, EvaluationProcess

if TYPE_CHECKING:
    from transformers import Trainer, TrainerControl, TrainerState, TrainingArguments

PREFIX = "mplus_eval/"
_OURS = ("baseline", "trajectory", "trajectory_every", "models", "config")
"""Options that the callback itself gives."""
_log = logging.getLogger(__name__)


class CompareCallback(TrainerCallback):  # type: ignore[misc, unused-ignore]
    """Evaluates saved steps, and logs macro-average, alignment tax and verdict of each.

    They stand in `state.log_history`, and so in `trainer_state.json`, with the step that was evaluated, and in what
    Trainer prints next. After `report_to(trainer)` its trackers have them too.
    """

    def __init__(
        self,
        baseline: str | Mapping[str, object],
        suite: str = "mini",
        *,
        every: Literal["save"] | int = "save",
        output: str | Path | None = None,
        background: bool = True,
        environment: Mapping[str, str] | None = None,
        **options: object,
    ) -> None:
        """Look at what an evaluation will need, before training.

        Args:
            baseline: what training begins with: a directory, a hub id, or a mapping of a model's keys with `source`.
            suite: shipped, or a file.
            every: evaluate at every save, or at those whose step is a multiple of this.
            output: the run directory; `evaluation` in the trainer's own when None.
            background: whether training goes on meanwhile; it waits for each evaluation otherwise.
            environment: what the process has besides this one's, such as `CUDA_VISIBLE_DEVICES` for its own device.
            **options: of `compare`, with underscores: `limit`, `tasks`, `data_dir`, `toxicity`, `judges`, …

        Raises:
            SpecError: with every fault of what was asked for.
        """
        named = dict(baseline) if isinstance(baseline, Mapping) else {"source": str(baseline)}
        self._model = {"role": "base", **named}
        self._options = {"suite": suite, **options}
        self._every, self._background = every, background
        self._output = None if output is None else Path(output).expanduser()
        self._environment = dict(environment or {})
        self._process: EvaluationProcess | None = None
        self._trainer: Trainer | None = None
        self._told: set[int] = set()
        self._shown_next: dict[str, object] = {}
        if faults := self._faults():
            raise SpecError(f"CompareCallback: {fault}" for fault in faults)

    def report_to(self, trainer: Trainer) -> None:
        """Also log to the trackers of a trainer (`TrainingArguments.report_to`)."""
        self._trainer = trainer

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Called by the trainer; after a resume, with the log of what was evaluated before."""
        self._told = {int(entry[f"{PREFIX}step"]) for entry in state.log_history if f"{PREFIX}step" in entry}
        strategy, steps = getattr(args.save_strategy, "value", args.save_strategy), args.save_steps
        if not state.is_world_process_zero:
            return
        if strategy == "no":
            _log.warning("CompareCallback: save_strategy is 'no', so nothing is saved and nothing compared")
        elif strategy == "steps" and isinstance(self._every, int) and self._every % steps:
            _log.warning(
                f"CompareCallback: every={self._every} is no multiple of save_steps={steps:g}; "
                "only steps that are multiples of both are compared"
            )

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object) -> None:
        """Called by the trainer, after the step was saved."""
        if not state.is_world_process_zero or (self._every != "save" and state.global_step % self._every):
            return
        with _never_in_the_way():
            self._process = self._process or self._prepared(args)
            self._collect(state)
            self._process.ask()
            if not self._background:
                self._collect(state, wait=True)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Called by the trainer: log what has ended, and go on with what waits."""
        if self._process is not None:
            with _never_in_the_way():
                self._collect(state)
                self._process.go_on()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, object] | None = None,
        **kwargs: object,
    ) -> None:
        """Called by the trainer, before it prints its numbers; those of the newest evaluation are put among them."""
        if logs is not None:
            logs.update(self._shown_next)
            self._shown_next = {}

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Wait for the last evaluation, and say where the report lies."""
        if self._process is None:
            return
        with _never_in_the_way():
            self._collect(state, wait=True)
            if self._process.go_on():
                self._collect(state, wait=True)
            assert self._output is not None
            if (report := self._output / "report.html").is_file():
                print(f"mplus-eval: the report of the saved steps is {report}", flush=True)

    def _faults(self) -> list[str]:
        """What is wrong with what was asked for, as far as can be told before anything is saved."""
        faults = [f"{key} is given by the callback itself" for key in _OURS if key in self._options]
        options = {key: value for key, value in self._options.items() if key not in _OURS}
        is_number = isinstance(self._every, int) and not isinstance(self._every, bool) and self._every > 0
        if not is_number and self._every != "save":
            faults.append(f"every={self._every!r}: 'save' or a whole number above 0")
        spec, wrong = draft_spec({"base": self._model}, None, options)
        faults += wrong
        for model in spec.models:
            faults += model_faults(model, spec.backend_of(model))
        try:
            load_suite(spec.suite)
        except SpecError as error:
            faults += error.faults
        return list(dict.fromkeys(faults))

    def _prepared(self, args: TrainingArguments) -> EvaluationProcess:
        """What evaluates the steps of a training, by a file that a person can use as well.

        In mixed precision Trainer saves float32: base and steps are asked in the precision that they are trained in.
        """
        training = Path(str(args.output_dir))
        directory = self._output = self._output or training / EVALUATION
        every = {} if self._every == "save" else {"trajectory_every": self._every}
        mixed = {"dtype": "bfloat16"} if args.bf16 else {"dtype": "float16"} if args.fp16 else {}
        asked = {
            "models": {"base": mixed | self._model},
            **self._options,
            "trajectory": training,
            "output": directory,
            **every,
        }
        # JSON is YAML, too.
        write_json(directory / "compare.yaml", json.loads(json.dumps(asked, default=_plain)))
        command = ["compare", "--config", str(directory / "compare.yaml"), "--quiet"]
        return EvaluationProcess(command, self._environment, directory / "compare.log")

    def _collect(self, state: TrainerState, *, wait: bool = False) -> None:
        """Log what an evaluation that has ended found."""
        assert self._process is not None
        assert self._output is not None
        if (code := self._process.ended(wait=wait)) is None:
            return
        if code != EXIT_DONE:
            went_on = "with cells missing" if code == EXIT_CELLS_MISSING else f"with exit code {code}"
            _log.warning(f"an evaluation of the saved steps ended {went_on}; training goes on: {self._process.cause}")
        if code not in (EXIT_DONE, EXIT_CELLS_MISSING):
            return
        comparison = Comparison.read(self._output / "comparison.json")
        for step, metrics in sorted(metrics_by_step(comparison).items()):
            if step not in self._told:
                self._told.add(step)
                self._tell(state, metrics)

    def _tell(self, state: TrainerState, metrics: dict[str, object]) -> None:
        entry: dict[str, Any] = {**metrics, "epoch": state.epoch, "step": state.global_step}
        state.log_history.append(entry)
        self._shown_next = dict(metrics)
        if (trainer := self._trainer) is not None:
            # Not by its `log`, which in TRL also gives out the training's own numbers, nor by the handler's `on_log`,
            # which would take this step's turn to log from the trainer. Trackers take numbers alone.
            numbers = {key: value for key, value in metrics.items() if not isinstance(value, str)}
            self._shown_next = {}
            trainer.callback_handler.call_event("on_log", trainer.args, state, trainer.control, logs=numbers)


def metrics_by_step(comparison: Comparison) -> dict[int, dict[str, object]]:
    """What is logged of each saved step of a comparison's trajectory; what was withheld is left out."""
    metrics: dict[int, dict[str, object]] = {}
    for name, entry in comparison.models.items():
        if entry.trajectory is None or entry.step is None:
            continue
        metrics[entry.step] = {f"{PREFIX}step": entry.step}
        if (summary := comparison.summary.get(name)) is not None:
            found = {
                "macro_average": summary.macro_average,
                "alignment_tax": summary.alignment_tax,
                "verdict": summary.verdict.value if summary.verdict else None,
            }
            metrics[entry.step] |= {f"{PREFIX}{key}": value for key, value in found.items() if value is not None}
    return metrics


def _plain(value: object) -> object:
    """A path as text, and a set of names as a list, for the file."""
    return str(value) if isinstance(value, Path) else list(cast("Any", value))


class _never_in_the_way:  # noqa: N801 - reads as a statement
    """Let nothing that goes wrong with an evaluation end a training; the cause is a warning."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> bool:
        if not isinstance(error, Exception):
            return False  # an interrupt is the user's, and no fault of an evaluation
        _log.warning(f"a saved step could not be compared; training goes on: {kind and kind.__name__}: {error}")
        return True
