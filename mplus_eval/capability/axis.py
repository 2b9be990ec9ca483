"""Capability as an axis of a run: lm-eval's tasks, asked of every model alike (`pipeline.axis`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, ClassVar, Self

from mplus_eval.audit.items import ASKED_COLUMNS
from mplus_eval.backends import Backend, engine
from mplus_eval.capability.aggregate import compare_outcomes
from mplus_eval.capability.generate import build_requests, generate
from mplus_eval.capability.items import LoadedTask, load_tasks
from mplus_eval.capability.noise_floor import NoiseRerun
from mplus_eval.capability.noise_rerun import BATCH_COMPOSITION, SUFFIX, batch_composition, rerun_model
from mplus_eval.capability.score import score_items
from mplus_eval.capability.settings import resolve_tasks
from mplus_eval.capability.thinking import thinking_faults
from mplus_eval.capability.versus import CapabilityRun, TaskFacts
from mplus_eval.errors import SpecError
from mplus_eval.models.cells import Cell, Part, slices
from mplus_eval.models.hub import Preparing
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.records.comparison import ModelEntry
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.suite import Suite
from mplus_eval.store.hashes import hash_components
from mplus_eval.store.outcomes import Answer, Outcome
from mplus_eval.store.run_directory import RunDirectory

if TYPE_CHECKING:
    import pandas as pd

STATISTICS_COLUMNS = (
    "item_id", "stratum", "cluster", "sample", *ASKED_COLUMNS, "n_replaced_examples", "answer", "score", "metrics",
)  # fmt: skip
PART_ITEMS = 500
"""Items of one part: what is lost, at most, when a run is killed."""


@dataclass(frozen=True, eq=False)
class Capability:
    """The tasks of a run; none where capability is not evaluated."""

    spec: CompareSpec
    suite: Suite
    tasks: Mapping[str, LoadedTask]
    name: ClassVar[str] = "capability"
    chats: ClassVar[bool] = False
    asks_baseline_last: ClassVar[bool] = False

    @classmethod
    def load(cls, spec: CompareSpec, suite: Suite, preparing: Preparing | None) -> tuple[Self | None, list[str]]:
        """Load the tasks with their data."""
        if not spec.capability:
            return cls(spec, suite, {}), []
        try:
            loaded = load_tasks(
                resolve_tasks(suite, spec.tasks, tasks_dir=spec.tasks_dir),
                data_dir=spec.data_dir,
                tasks_dir=spec.tasks_dir,
                limit=spec.limit,
                progress=(lambda _, done, total: preparing("loading tasks", done, total)) if preparing else None,
            )
        except SpecError as error:
            return None, list(error.faults)
        return cls(spec, suite, {task.spec.name: task for task in loaded}), []

    def for_models(self, models: Sequence[ResolvedModel]) -> Self:
        """Tasks are asked of any models, but choices of none that would reason first, unless the suite says so.

        Raises:
            SpecError: with a line for each model that would.
        """
        choices = [name for name, task in self.tasks.items() if task.kind in ("choice", "mixed")]
        if choices and self.suite.thinking == "refuse" and (faults := thinking_faults(models, choices)):
            raise SpecError(faults)
        return self

    def cells(self, model: ResolvedModel) -> tuple[Cell, ...]:
        """One model on every task."""
        return self._cells(model, self.spec.limit_of(model.spec), {})

    def noise_rerun(self, baseline: ResolvedModel) -> tuple[Cell, ...]:
        """Every task once more, in batches of another size."""
        if not self.spec.noise_floor:
            return ()
        limit = self.spec.limit_of(baseline.spec)
        rerun = replace(baseline, spec=rerun_model(baseline.spec, limit))
        return self._cells(rerun, limit, {BATCH_COMPOSITION: batch_composition(baseline.spec, limit)})

    def _cells(self, model: ResolvedModel, limit: int | None, further: Mapping[str, str]) -> tuple[Cell, ...]:
        cells = []
        for name, task in self.tasks.items():
            subtasks = {subtask.name: subtask for subtask in task.subtasks}
            components = {
                **model.components,
                "chat_template": model.chat_template,
                "task definition": hash_components({key: each.definition_hash for key, each in subtasks.items()}),
                "data": hash_components({key: each.data_hash(limit) for key, each in subtasks.items()}),
                "shots": str(task.n_shots),
                "limit": str(limit or "none"),
                "engine": engine(model.backend),
                **further,
            }
            items = [
                (each.name, numbers) for each in task.subtasks for numbers in slices(each.n_items(limit), PART_ITEMS)
            ]
            parts = tuple(Part(index, subtask, numbers) for index, (subtask, numbers) in enumerate(items))
            sources = {key: value for each in task.subtasks for key, value in each.sources(limit).items()}
            cells.append(Cell(self.name, model, name, task.kind, components, parts, sources))
        return tuple(cells)

    def cost(self, missing: Sequence[tuple[Cell, Sequence[Part]]]) -> None:
        """A user knows what a suite costs."""

    def generate(
        self, cell: Cell, parts: Sequence[Part], backend: Backend, on_items: Callable[[int], None]
    ) -> Iterator[tuple[Part, list[Answer]]]:
        """Ask subtask by subtask, since lm-eval builds the requests of a whole one."""
        chat, limit = cell.model.chat_template != "plain", self.spec.limit_of(cell.model.spec)
        for name, group in groupby(parts, key=lambda part: part.subtask):
            subtask = self.tasks[cell.task].subtask(name)
            requests = build_requests(subtask, backend, limit=limit, chat=chat)
            for part in group:
                wanted = [request for request in requests if request.doc_id in part.items]
                yield part, generate(subtask, wanted, backend, on_items)

    def follow_ups(self, cells: Sequence[Cell], baseline: ResolvedModel, directory: RunDirectory) -> tuple[()]:
        """The baseline is asked nothing about others' answers."""
        return ()

    def score_components(self, cell: Cell) -> Mapping[str, str]:
        """Metric and filter."""
        task = self.tasks[cell.task]
        return {"metric": task.metric, "filter": task.filter}

    def scores_beside(self, cell: Cell, device: str) -> bool:
        """A metric is quick, and computed here."""
        return False

    def score(self, cell: Cell, part: Part, answers: Sequence[Answer]) -> list[Outcome]:
        """Score with lm-eval's filters and metrics."""
        task = self.tasks[cell.task]
        return score_items(task, task.subtask(part.subtask), answers, part.items)

    def judge(
        self,
        cells: Sequence[Cell],
        directory: RunDirectory,
        prepare: Callable[[str, int, int], None],
        say: Callable[[str], None],
    ) -> Mapping[str, str]:
        """Nothing is judged."""
        return {}

    def aggregate(
        self,
        directory: RunDirectory,
        models: Mapping[str, ModelEntry],
        failures: Mapping[tuple[str, str], str],
        judges: Mapping[str, str],
    ) -> Mapping[str, object]:
        """Tasks, suite, pairs, trajectories and noise floor."""
        by_name = {model.name: model for model in self.spec.models}
        outcomes = {
            (model, task): directory.outcome_frame(model, task, STATISTICS_COLUMNS)
            for model in models
            for task in self.tasks
            if (model, task) not in failures
        }
        rerun = None
        if self.spec.noise_floor:
            baseline, name = by_name[self.spec.baseline], self.spec.baseline + SUFFIX
            rerun = NoiseRerun(
                batch_composition(baseline, self.spec.limit_of(baseline)),
                {
                    task: directory.outcome_frame(name, task, STATISTICS_COLUMNS)
                    for task in self.tasks
                    if (name, task) not in failures
                },
                {task: cause for (model, task), cause in failures.items() if model == name},
            )
        # The first model is no saved step, which may be asked fewer items.
        limit = self.spec.limit_of(by_name[next(iter(models))])
        facts = [
            TaskFacts(
                name=task.spec.name,
                metric=task.metric,
                higher_is_better=task.higher_is_better,
                n_shots=task.n_shots,
                chance=task.chance,
                kind=task.kind,
                lm_eval=task.lm_eval,
                version=task.version,
                filter=task.filter,
                margin=task.spec.margin or self.suite.task_margin,
                n_items=sum(subtask.n_items(limit) for subtask in task.subtasks),
                departs=task.departs,
                n_replaced=max((_n_replaced(outcomes[cell]) for cell in outcomes if cell[1] == name), default=0),
                has_description=task.has_description,
                # A margin of the task's own goes before a share that the suite wants kept.
                retain=task.spec.retain or (None if task.spec.margin else self.suite.task_retain),
                icc=self.suite.icc if task.spec.icc is None else task.spec.icc,
                measure=task.measure,
                further=task.further,
            )
            for name, task in self.tasks.items()
        ]
        spec = self.spec
        run = CapabilityRun(
            models,
            facts,
            self.suite,
            spec.baseline,
            pairs=spec.pairs,
            adjust=spec.adjust,
            seed=spec.seed,
            allowed=spec.allow,
        )
        return compare_outcomes(outcomes, run, rerun)


def _n_replaced(outcomes: pd.DataFrame) -> int:
    """Items that were asked with other few-shot examples than lm-eval's."""
    if "n_replaced_examples" not in outcomes:
        return 0
    return int(outcomes.loc[outcomes["n_replaced_examples"] > 0, "item_id"].nunique())
