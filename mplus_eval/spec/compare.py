"""What one comparison needs to know: its models, and every option of the command line with its help and its default.

An option is a field with an `Option` beside its type: that is all that a new one needs (`spec.option`). How a spec is
read from the command line and a YAML file stands in `spec.draft`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator

from mplus_eval.spec.backends import BACKENDS, DEFAULT_BACKEND, URL_BACKEND, either
from mplus_eval.spec.differences import WITHHOLDING, DifferenceName
from mplus_eval.spec.executors import DEVICES_ACCEPTED, EXECUTORS, Devices, ExecutorName
from mplus_eval.spec.fields import Accepts, Fields, Positive, Share, WholeNumber
from mplus_eval.spec.limit import Limit, LimitField
from mplus_eval.spec.model import BackendName, ModelSpec, is_url
from mplus_eval.spec.option import DATA_DIR, JUDGES, SCORERS, SUITE, TASKS, TASKS_DIR, Option
from mplus_eval.spec.results import KINDS as RESULTS
from mplus_eval.spec.results import RUN, ResultsName
from mplus_eval.spec.trackers import TRACKERS, TrackerName

if TYPE_CHECKING:
    from mplus_eval.spec.suite import Suite

_TRUE_OR_FALSE = Accepts("true or false")


class CompareSpec(Fields):
    """Everything that one comparison needs to know."""

    models: tuple[ModelSpec, ...]
    suite: Annotated[str, SUITE] = "mplus"
    tasks: Annotated[tuple[str, ...] | None, TASKS] = None
    tasks_dir: Annotated[Path | None, TASKS_DIR] = None
    limit: Annotated[
        LimitField,
        Option(
            "Items for each leaf task (each subject), drawn by the seed; first:N takes the first N.",
            toxicity="Prompts of each set, drawn by the seed; first:N takes the first N.",
            conversation="Dialogues, drawn by the seed and spread evenly over their categories.",
            metavar="N|first:N",
        ),
    ] = None
    budget: Annotated[
        Positive | None,
        Accepts("a whole number above 0"),
        Option("Items of all tasks together, spread where they serve the suite's verdict most; not with --limit."),
    ] = None
    trajectory: Annotated[
        tuple[Path, ...],
        Accepts("a training directory, or a list of them"),
        Option(
            "Training directory, ours or of transformers' Trainer: adds its model, saved steps, base.", metavar="DIR"
        ),
    ] = ()
    trajectory_limit: Annotated[
        LimitField,
        Option("Items for each leaf task of saved steps; at most --limit.", metavar="N|first:N"),
    ] = None
    trajectory_every: Annotated[
        Positive | None,
        Accepts("a whole number above 0"),
        Option("Of the saved steps those alone whose number is a multiple of this."),
    ] = None
    baseline: Annotated[
        str,
        Option(
            "The model that others are held against; the one of role base, else the first.",
            toxicity="The model that others are held against.",
            conversation="The model that others are held against.",
        ),
    ]
    data_dir: Annotated[Path | None, DATA_DIR] = None
    output: Annotated[
        Path, Option("Run directory; runs/<date>-<names> when not given.", toxicity=True, conversation=True)
    ]
    backend: Annotated[
        BackendName, Option(f"{either(BACKENDS)}, where a model names none.", toxicity=True, conversation=True)
    ] = DEFAULT_BACKEND
    devices: Annotated[
        Devices | None,
        Accepts(DEVICES_ACCEPTED),
        Option(
            "Devices that compute at the same time, a worker each: 0,1,2,3; 0+1,2+3 for groups; cpu,cpu.",
            toxicity=True,
            conversation=True,
            metavar="LIST",
            commas=True,
        ),
    ] = None
    executor: Annotated[
        ExecutorName,
        Option(
            f"Who computes: {either(EXECUTORS)}; shared: every machine that is started with the same command.",
            toxicity=True,
            conversation=True,
        ),
    ] = "local"
    results: Annotated[
        ResultsName | None,
        Option(
            f"Sources are results that a tool stored, and no model is run: {either(RESULTS)}.",
            flag="from",
            metavar="KIND",
        ),
    ] = None
    seed: Annotated[
        WholeNumber,
        Accepts("a whole number, 0 or above"),
        Option(
            "Seed of the items, prompts and samples that are drawn, and of the statistics' random draws.",
            toxicity="Seed of prompts, samples and statistics.",
            conversation="Seed of dialogues, samples and statistics.",
        ),
    ] = 0
    allow: Annotated[
        tuple[DifferenceName, ...],
        Accepts(f"{either(WITHHOLDING)} is accepted"),
        Option(
            f"A difference in how models are asked that shall not withhold a verdict: {', '.join(WITHHOLDING)}.",
            toxicity=True,
            conversation=True,
            metavar="NAME",
        ),
    ] = ()
    pairs: Annotated[Literal["baseline", "all"], Option("baseline, or all for every pair of models.")] = "baseline"
    adjust: Annotated[
        Literal["model", "models"],
        Option("model: tests are adjusted over the tasks of each model; models: over those of all models."),
    ] = "model"
    noise_floor: Annotated[
        bool, _TRUE_OR_FALSE, Option("Ask the baseline twice, and show how many items flip with another batch size.")
    ] = False
    sequential: Annotated[
        bool,
        _TRUE_OR_FALSE,
        Option("Ask in rounds, and of each task no more items than its verdict and the suite's need."),
    ] = False
    items: Annotated[
        Literal["all", "flips", "none"],
        Option(
            "Items in the report: all; flips, those that changed or failed; none, a few examples.",
            toxicity=True,
            conversation=True,
        ),
    ] = "all"
    capability: Annotated[bool, _TRUE_OR_FALSE] = Field(
        default=True, description="whether tasks are asked; in a file, and set by the commands of the other axes"
    )
    toxicity: Annotated[
        bool | None,
        _TRUE_OR_FALSE,
        Option("Whether models are provoked too; on where the suite says how and no tasks are named."),
    ] = None
    scorers: Annotated[tuple[str, ...], Field(max_length=2), Accepts("one or two names of scorers"), SCORERS] = ()
    conversation: Annotated[
        bool | None,
        _TRUE_OR_FALSE,
        Option("Whether dialogues are judged; on where the suite says how and there is a judge."),
    ] = None
    judges: Annotated[tuple[str, ...], Field(max_length=2), Accepts("one or two names of judges"), JUDGES] = ()
    dialogues: Annotated[
        str | None,
        Option(
            "Dialogues: demo, mt_bench, a file or a hub id; the suite's own when not given.",
            compare=False,
            conversation=True,
        ),
    ] = None
    address: Annotated[
        str | None,
        Option(
            "Head of the Ray cluster; auto for the one that this machine is part of; one on this machine by default.",
            toxicity=True,
            conversation=True,
            metavar="HOST:PORT",
        ),
    ] = None
    gpus_per_model: Annotated[
        Share | None,
        Accepts("a number above 0"),
        Option(
            "GPUs of each of Ray's workers, 1 by default; a part of one is shared.", toxicity=True, conversation=True
        ),
    ] = None
    cpus_per_model: Annotated[
        Share,
        Accepts("a number above 0"),
        Option("Cores of each of Ray's workers, where there is no GPU.", toxicity=True, conversation=True),
    ] = 1.0
    storage: Annotated[
        str | None,
        Option(
            "Where parts and results are kept beside the run directory, so that a run goes on elsewhere.",
            toxicity=True,
            conversation=True,
            metavar="URL",
        ),
    ] = None
    from_run: Annotated[
        Path | None,
        Option(
            "Run directory whose times tell how long this one will take.",
            toxicity=True,
            conversation=True,
            metavar="RUN",
        ),
    ] = None
    dry_run: Annotated[
        bool,
        _TRUE_OR_FALSE,
        Option("Say what it will take, and end there.", toxicity=True, conversation=True, flag="dry-run"),
    ] = False
    log_to: Annotated[
        tuple[TrackerName, ...],
        Accepts(f"{either(TRACKERS)} is accepted"),
        Option(
            "Log the finished run to wandb, mlflow, trackio or tensorboard; may be repeated.",
            toxicity=True,
            conversation=True,
            metavar="TRACKER",
        ),
    ] = ()

    @field_validator("tasks_dir", "data_dir", "output", "from_run")
    @classmethod
    def _home(cls, value: Path | None) -> Path | None:
        return value.expanduser() if value is not None else None

    @field_validator("trajectory", mode="before")
    @classmethod
    def _folders(cls, value: object) -> object:
        """Take one folder for a list of one."""
        return (value,) if isinstance(value, str | Path) else value

    @field_validator("trajectory")
    @classmethod
    def _homes(cls, value: tuple[Path, ...]) -> tuple[Path, ...]:
        return tuple(path.expanduser() for path in value)

    def limit_of(self, model: ModelSpec) -> Limit | None:
        """Items per leaf task of one model: the run's limit, or that of saved steps; None for all."""
        return self.limit if model.trajectory is None else self.trajectory_limit or self.limit

    def budget_of(self, suite: Suite) -> int | None:
        """Items of all tasks together: the run's, or the suite's own where no limit was asked for."""
        return self.budget if self.budget is not None or self.limit is not None else suite.budget

    def results_of(self, model: ModelSpec) -> str | None:
        """The tool whose stored results a model's source holds; None where the model is run here."""
        kind = model.results or self.results
        return None if kind == RUN else kind

    @property
    def stored(self) -> tuple[ModelSpec, ...]:
        """The models whose results another tool stored."""
        return tuple(model for model in self.models if self.results_of(model))

    def backend_of(self, model: ModelSpec) -> BackendName:
        """The backend of one model: its own, a server's when its source is a URL, or the run's."""
        if model.backend is not None:
            return model.backend
        return URL_BACKEND if is_url(model.source) or model.base_url else self.backend


OPTION_KEYS = tuple(key for key in CompareSpec.model_fields if key != "models")
