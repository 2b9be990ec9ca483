"""Capability as an axis of a run: lm-eval's tasks, asked of every model alike (`pipeline.axis`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, ClassVar, Self, cast

from mplus_eval.audit.items import ASKED_COLUMNS
from mplus_eval.backends import Backend, engine
from mplus_eval.backends.work import Draw
from mplus_eval.capability.aggregate import compare_outcomes, outside
from mplus_eval.capability.draws import draw_items
from mplus_eval.capability.generate import build_requests, generate
from mplus_eval.capability.items import LoadedTask, load_tasks
from mplus_eval.capability.noise_floor import NoiseRerun
from mplus_eval.capability.noise_rerun import BATCH_COMPOSITION, SUFFIX, batch_composition, rerun_model
from mplus_eval.capability.rounds import Rounds
from mplus_eval.capability.score import score_items
from mplus_eval.capability.selection import Selection
from mplus_eval.capability.sequential import Asking
from mplus_eval.capability.settings import resolve_tasks
from mplus_eval.capability.subtask import Subtask
from mplus_eval.capability.thinking import thinking_faults
from mplus_eval.capability.untold import untold_faults
from mplus_eval.capability.versus import CapabilityRun, TaskFacts
from mplus_eval.errors import SpecError
from mplus_eval.models.cells import Cell, Part, slices
from mplus_eval.models.chat_format import ONE_MESSAGE, PLAIN, Talker
from mplus_eval.models.hub import Preparing
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.records.comparison import ModelEntry, Task
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.suite import Suite
from mplus_eval.statistics.rounds import FIRST_ITEMS
from mplus_eval.store.hashes import hash_components
from mplus_eval.store.outcomes import Answer, Outcome
from mplus_eval.store.run_directory import RunDirectory

if TYPE_CHECKING:
    import pandas as pd
    from lm_eval.api.instance import Instance

STATISTICS_COLUMNS = (
    "item_id", "stratum", "cluster", "sample", *ASKED_COLUMNS, "n_replaced_examples", "answer", "score", "metrics",
    "error",
)  # fmt: skip
PART_ITEMS = 500
"""Items of one part: what is lost, at most, when a run is killed."""


@dataclass(frozen=True, eq=False)
class Capability:
    """The tasks of a run; none where capability is not evaluated."""

    spec: CompareSpec
    suite: Suite
    tasks: Mapping[str, LoadedTask]
    selection: Selection
    name: ClassVar[str] = "capability"
    asks_baseline_last: ClassVar[bool] = False

    @classmethod
    def faults(cls, spec: CompareSpec, suite: Suite) -> list[str]:
        """Names of tasks that nobody knows."""
        try:
            if spec.capability:
                resolve_tasks(suite, spec.tasks, tasks_dir=spec.tasks_dir)
        except SpecError as error:
            return list(error.faults)
        return []

    @classmethod
    def chats(cls, spec: CompareSpec, suite: Suite) -> bool:
        """Tasks have prompts of their own."""
        return False

    @classmethod
    def load(cls, spec: CompareSpec, suite: Suite, preparing: Preparing | None) -> tuple[Self | None, list[str]]:
        """Load the tasks with their data."""
        if not spec.capability:
            return cls(spec, suite, {}, Selection({})), []
        try:
            loaded = load_tasks(
                resolve_tasks(suite, spec.tasks, tasks_dir=spec.tasks_dir),
                data_dir=spec.data_dir,
                tasks_dir=spec.tasks_dir,
                progress=(lambda _, done, total: preparing("loading tasks", done, total)) if preparing else None,
            )
            tasks = {task.spec.name: task for task in loaded}
            selection = Selection.of(tasks, spec.limit, spec.budget_of(suite), spec.seed, suite.costs)
        except SpecError as error:
            return None, list(error.faults)
        if selection.budget is not None and (steps := spec.trajectory_limit) is not None and steps.first:
            given = f"items of the suite's budget of {selection.budget} are accepted"
            return None, [f"--trajectory-limit {steps}: {given}"]
        return cls(spec, suite, tasks, selection), []

    def for_models(self, models: Sequence[ResolvedModel]) -> Self:
        """Tasks are asked of any models, but choices of none that would reason first, unless the suite says so.

        Nor is anything that needs log-probabilities asked of a server that tells none.

        Raises:
            SpecError: with a line for each model that would.
        """
        choices = [name for name, task in self.tasks.items() if task.kind in ("choice", "mixed")]
        if choices and self.suite.thinking == "refuse" and (faults := thinking_faults(models, choices)):
            raise SpecError(faults)
        texts = [name for name, task in self.tasks.items() if task.kind == "text"]
        if faults := untold_faults(models, choices, texts):
            raise SpecError(faults)
        return self

    def asked(self) -> Iterator[str]:
        """How many items of each task, where that is not all of them."""
        yield from self.selection.lines(self.tasks)
        if self.spec.sequential and self.tasks:
            yield (
                f"asked in rounds until verdicts are settled: {FIRST_ITEMS} items of each task, "
                "then half as many again as before, at most all"
            )

    def cells(self, model: ResolvedModel) -> tuple[Cell, ...]:
        """One model on every task."""
        return self._cells(model, {})

    def noise_rerun(self, baseline: ResolvedModel) -> tuple[Cell, ...]:
        """Every task once more, in batches of another size."""
        if not self.spec.noise_floor:
            return ()
        fewest = self.selection.fewest()
        rerun = replace(baseline, spec=rerun_model(baseline.spec, fewest))
        return self._cells(rerun, {BATCH_COMPOSITION: batch_composition(baseline.spec, fewest)})

    def _cells(self, model: ResolvedModel, further: Mapping[str, str]) -> tuple[Cell, ...]:
        of_steps = self.spec.trajectory_limit if model.spec.trajectory is not None else None
        cells = []
        for name, task in self.tasks.items():
            subtasks = {subtask.name: subtask for subtask in task.subtasks}
            numbers = {key: self.selection.numbers(name, each, of_steps) for key, each in subtasks.items()}
            components = {
                **model.components,
                "chat_template": model.chat_template,
                "task definition": hash_components({key: each.definition_hash for key, each in subtasks.items()}),
                "data": hash_components({key: each.data_hash(numbers[key]) for key, each in subtasks.items()}),
                "shots": task.shots,
                "limit": self.selection.component(of_steps),
                "engine": engine(model.backend),
                **further,
            }
            if self.spec.sequential:
                components["rounds"] = f"drawn with seed {self.spec.seed}"
            items = [
                (key, asked[places.start : places.stop], number)
                for key, asked, number in self._by_round(name, numbers)
                for places in slices(len(asked), PART_ITEMS)
            ]
            parts = tuple(Part(index, subtask, asked, number) for index, (subtask, asked, number) in enumerate(items))
            sources = {key: text for each in task.subtasks for key, text in each.sources(numbers[each.name]).items()}
            cells.append(Cell(self.name, model, name, task.kind, components, parts, sources))
        return tuple(cells)

    def _by_round(self, task: str, numbers: Mapping[str, Sequence[int]]) -> Iterator[tuple[str, Sequence[int], int]]:
        """The documents of each round and subtask, rising; all in one round where asking does not stop before."""
        if not self.spec.sequential:
            yield from ((key, asked, 0) for key, asked in numbers.items())
            return
        rounds = self.rounds.of_items[task]
        subtasks = {subtask.name: subtask for subtask in self.tasks[task].subtasks}
        for number in range(self.rounds.last(task) + 1):
            for key, asked in numbers.items():
                wanted = tuple(each for each in asked if rounds[subtasks[key].item_id(each)] == number)
                if wanted:
                    yield key, wanted, number

    @cached_property
    def rounds(self) -> Rounds:
        """The round in which every document is asked, where asking stops once verdicts are settled."""
        return Rounds.drawn(self.tasks, self.selection, self.spec.seed)

    def next_round(
        self, cells: Sequence[Cell], number: int, directory: RunDirectory, failures: Mapping[tuple[str, str], str]
    ) -> list[Cell]:
        """The cells of tasks and suites that are not settled, and what the baseline is asked for their sake."""
        if not self.spec.sequential:
            return []
        own = RunDirectory(directory.path, {cell.key: cell.fingerprint for cell in cells})
        outcomes = self._outcomes(own, [model.name for model in self.spec.models], failures)
        items = {(model, task): self._asking.tasks[task].scored(rows) for (model, task), rows in outcomes.items()}
        self._asking.run = replace(self._asking.run, outside=outside(items, self._asking.run))
        wanted = self._asking.wanted(outcomes, [model.name for model in self.spec.models], number)
        return [cell for cell in cells if cell.key in wanted]

    @cached_property
    def _asking(self) -> Asking:
        """What follows the asking while it goes on; of models it needs the names alone."""
        return Asking(self._run({}, {}), self.rounds)

    def cost(self, missing: Sequence[tuple[Cell, Sequence[Part]]]) -> None:
        """A user knows what a suite costs."""

    def draw(self, cell: Cell, parts: Sequence[Part], talker: Talker | None) -> Iterator[Draw]:
        """Requests of some items of a task."""
        task = self.tasks[cell.task]

        def built_with(part: Part) -> Sequence[int]:
            return self._built_with(cell, task.subtask(part.subtask), part.round)

        yield from draw_items(
            parts, cell.kind, task.subtask, built_with, talker, chat=cell.model.chat_template != "plain"
        )

    def generate(
        self, cell: Cell, parts: Sequence[Part], backend: Backend, on_items: Callable[[int], None]
    ) -> Iterator[tuple[Part, list[Answer]]]:
        """Ask subtask by subtask, since lm-eval builds the requests of a whole one.

        A saved step that is asked fewer items is asked them as the other models are: with the same examples. Those of a
        round are drawn as if it were all that is asked, so that none is built before it is wanted.
        """
        chat = cell.model.chat_template not in (PLAIN, ONE_MESSAGE)
        for (number, name), group in groupby(parts, key=lambda part: (part.round, part.subtask)):
            subtask = self.tasks[cell.task].subtask(name)
            key = (cell.model.spec.name, cell.task, name, number)
            if key not in self._newest:
                self._newest.clear()
                numbers = self._built_with(cell, subtask, number)
                self._newest[key] = build_requests(subtask, backend, numbers=numbers, chat=chat)
            requests = self._newest[key]
            for part in group:
                items = set(part.items)
                wanted = [request for request in requests if request.doc_id in items]
                yield part, generate(subtask, wanted, backend, on_items)

    @cached_property
    def _newest(self) -> dict[tuple[str, str, str, int], list[Instance]]:
        """The requests that were built last: a subtask may be asked in several shards, one after the other."""
        return {}

    def _built_with(self, cell: Cell, subtask: Subtask, number: int) -> Sequence[int]:
        """The documents that requests are built with: all that are asked of a subtask, or those of a round."""
        if not self.spec.sequential:
            return self.selection.built_with(cell.task, subtask)
        of_round = [part.items for part in cell.parts if part.subtask == subtask.name and part.round == number]
        return tuple(item for items in of_round for item in items)

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
        outcomes = self._outcomes(directory, list(models), failures)
        rerun = None
        if self.spec.noise_floor:
            by_name = {model.name: model for model in self.spec.models}
            baseline, name = by_name[self.spec.baseline], self.spec.baseline + SUFFIX
            rerun = NoiseRerun(
                batch_composition(baseline, self.selection.fewest()),
                {
                    task: directory.outcome_frame(name, task, STATISTICS_COLUMNS)
                    for task in self.tasks
                    if (name, task) not in failures
                },
                {task: cause for (model, task), cause in failures.items() if model == name},
            )
        run = self._run(models, outcomes)
        fields = compare_outcomes(outcomes, run, rerun, self.rounds if self.spec.sequential else None)
        results = cast("Mapping[str, Task]", fields["tasks"])
        return {**fields, "tasks": {name: self._of_data(name, result) for name, result in results.items()}}

    def _outcomes(
        self, directory: RunDirectory, models: Sequence[str], failures: Mapping[tuple[str, str], str]
    ) -> dict[tuple[str, str], pd.DataFrame]:
        """What is stored of the cells that did not fail."""
        return {
            (model, task): directory.outcome_frame(model, task, STATISTICS_COLUMNS)
            for model in models
            for task in self.tasks
            if (model, task) not in failures
        }

    def _run(self, models: Mapping[str, ModelEntry], outcomes: Mapping[tuple[str, str], pd.DataFrame]) -> CapabilityRun:
        """What is compared, and how."""
        numbers = {name: self.selection.of_task(task) for name, task in self.tasks.items()}
        facts = [
            TaskFacts(
                name=task.spec.name,
                metric=task.metric,
                higher_is_better=task.higher_is_better,
                n_shots=task.n_shots,
                chance=task.chance(numbers[name]),
                kind=task.kind,
                lm_eval=task.lm_eval,
                version=task.version,
                filter=task.filter,
                margin=task.spec.margin or self.suite.task_margin,
                n_items=sum(map(len, numbers[name].values())),
                departs=task.departs,
                n_replaced=max((n_replaced(outcomes[cell]) for cell in outcomes if cell[1] == name), default=0),
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
        return CapabilityRun(
            models,
            facts,
            self.suite,
            spec.baseline,
            pairs=spec.pairs,
            adjust=spec.adjust,
            seed=spec.seed,
            allowed=spec.allow,
        )

    def _of_data(self, name: str, result: Task) -> Task:
        """A task's results, with how many items there are where not all were asked."""
        n_docs = self.tasks[name].n_docs
        return result.model_copy(update={"n_available": n_docs}) if result.n_items < n_docs else result


def n_replaced(outcomes: pd.DataFrame) -> int:
    """Items that were asked with other few-shot examples than lm-eval's."""
    if "n_replaced_examples" not in outcomes:
        return 0
    return int(outcomes.loc[outcomes["n_replaced_examples"] > 0, "item_id"].nunique())
