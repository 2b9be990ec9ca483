"""Capability where results that other tools stored are compared: the one axis of such a run (`pipeline.axis`).

A stored answer goes the way of one that is given here: into `answers/`, scored into `outcomes/`, and from there on
nothing knows where it came from. Models that are run here are asked the same documents, with the same shots, by
`Capability`; what they would be asked is held against the stored results first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, ClassVar, Self, cast

from mplus_eval.backends import Backend
from mplus_eval.backends.work import Draw
from mplus_eval.capability.aggregate import compare_outcomes
from mplus_eval.capability.axis import PART_ITEMS, STATISTICS_COLUMNS, Capability, n_replaced
from mplus_eval.capability.chosen_items import ChosenItems, task_here
from mplus_eval.capability.items import LoadedTask, load_tasks
from mplus_eval.capability.shared_items import SharedTask, Side, share
from mplus_eval.capability.stored_tasks import StoredTasks, stored_tasks
from mplus_eval.capability.versus import CapabilityRun, TaskFacts
from mplus_eval.errors import SpecError, UsageError
from mplus_eval.importers import read_results
from mplus_eval.importers.base import StoredRun
from mplus_eval.models.cells import Cell, Part, slices
from mplus_eval.models.chat_format import Talker
from mplus_eval.models.hub import Preparing
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.records.comparison import ModelEntry, Task
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.suite import Suite
from mplus_eval.store.hashes import hash_components, hash_text
from mplus_eval.store.outcomes import Answer, Outcome
from mplus_eval.store.run_directory import RunDirectory

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class StoredCapability:
    """The tasks of stored results.

    Attributes:
        runs: what is stored, by model.
        tasks: by name, with the items that all models have.
        here: what models that are run here are asked; None where there are none.
        notes: what is to be said before the start.
    """

    spec: CompareSpec
    suite: Suite
    runs: Mapping[str, StoredRun]
    tasks: Mapping[str, SharedTask]
    here: Capability | None
    notes: tuple[str, ...]
    name: ClassVar[str] = "capability"
    asks_baseline_last: ClassVar[bool] = False

    @classmethod
    def faults(cls, spec: CompareSpec, suite: Suite) -> list[str]:
        """Whether names are known is known with the results."""
        return []

    @classmethod
    def chats(cls, spec: CompareSpec, suite: Suite) -> bool:
        """Tasks have prompts of their own."""
        return False

    @classmethod
    def load(cls, spec: CompareSpec, suite: Suite, preparing: Preparing | None) -> tuple[Self | None, list[str]]:
        """Read all stored results, and hold the models against each other."""
        runs: dict[str, StoredRun] = {}
        faults = []
        for model in sorted(spec.models, key=lambda model: model.name != spec.baseline):
            try:
                if kind := spec.results_of(model):
                    runs[model.name] = read_results(kind, model.source)
            except UsageError as error:
                faults.append(f"model {model.name!r}: {error}")
        if faults:
            return None, faults
        try:
            return cls._of(spec, suite, runs, preparing), []
        except SpecError as error:
            return None, list(error.faults)

    @classmethod
    def _of(cls, spec: CompareSpec, suite: Suite, runs: Mapping[str, StoredRun], preparing: Preparing | None) -> Self:
        """Hold the models against each other, those that are run here among them."""
        alone = "suite" in spec.model_fields_set
        stored = stored_tasks(runs, suite, spec.tasks, suite_alone=alone)
        models_here = [model.name for model in spec.models if model.name not in runs]
        loaded = _loaded(spec, stored, preparing) if models_here else {}
        sides_here = {name: task_here(task) for name, task in loaded.items()}
        tasks = {}
        for name, task in stored.specs.items():
            sides: dict[str, Side] = {**stored.of_task(name)}
            if models_here:
                sides |= dict.fromkeys(models_here, sides_here[name])
            tasks[name] = share(task, sides, stored.refused_on(name))
        here = Capability(spec, suite, loaded, ChosenItems.shared(tasks, sides_here)) if models_here else None
        notes = (*stored.lines, *(line for task in tasks.values() for line in task.lines))
        return cls(spec, suite, runs, tasks, here, notes)

    def asked(self) -> Iterator[str]:
        """What is left out, or refused."""
        yield from self.notes
        for name, task in self.tasks.items():
            yield from (f"{model}: {name} is refused: {why}" for model, why in task.refused.items())

    def for_models(self, models: Sequence[ResolvedModel]) -> Self:
        """Models that are run here are looked at as ever."""
        if self.here is None:
            return self
        return replace(self, here=self.here.for_models([each for each in models if each.spec.name not in self.runs]))

    def cells(self, model: ResolvedModel) -> tuple[Cell, ...]:
        """One model on every task; those on which it is refused are never asked."""
        name = model.spec.name
        if name in self.runs:
            return tuple(self._cell(model, task) for task in self.tasks.values())
        assert self.here is not None
        return tuple(
            replace(cell, refused=self.tasks[cell.task].refused.get(name, "")) for cell in self.here.cells(model)
        )

    def _cell(self, model: ResolvedModel, task: SharedTask) -> Cell:
        """A cell of stored results; its fingerprint holds the hash of the files that it is read from."""
        run, refused = self.runs[model.spec.name], task.refused.get(model.spec.name, "")
        items = {} if refused else task.items
        own = [subtask for subtask in task.first.task.subtasks if subtask.name in items]
        stored = task.stored.get(model.spec.name)
        files = {
            name: digest for each in (stored.task.subtasks if stored else ()) for name, digest in each.files.items()
        }
        components = {
            **model.components,
            # What is not known of the weights stands for the files, which have a component of their own.
            "weights": run.weights or run.model,
            "chat_template": model.chat_template,
            "task definition": hash_components({each.name: str(sorted(each.settings.items())) for each in own}),
            "data": hash_text(json.dumps([[item.name, item.key] for each in items.values() for item in each])),
            "shots": str(task.first.task.n_shots),
            "limit": "items that all models have",
            "engine": run.asked_by,
            "results": hash_components(files),
        }
        slots = [(name, [item.number for item in of_subtask]) for name, of_subtask in items.items()]
        cut = [
            (name, numbers[at.start : at.stop]) for name, numbers in slots for at in slices(len(numbers), PART_ITEMS)
        ]
        parts = tuple(Part(index, name, numbers) for index, (name, numbers) in enumerate(cut))
        return Cell(self.name, model, task.spec.name, task.kind, components, parts, files, refused)

    def next_round(
        self, cells: Sequence[Cell], number: int, directory: RunDirectory, failures: Mapping[tuple[str, str], str]
    ) -> list[Cell]:
        """All is asked at once."""
        return []

    def noise_rerun(self, baseline: ResolvedModel) -> tuple[Cell, ...]:
        """Nothing is asked twice."""
        return ()

    def cost(self, missing: Sequence[tuple[Cell, Sequence[Part]]]) -> None:
        """Reading costs nothing to speak of."""

    def draw(self, cell: Cell, parts: Sequence[Part], talker: Talker | None) -> Iterator[Draw]:
        """Requests to models that are run here; of stored results none are put."""
        if cell.model.spec.name not in self.runs:
            assert self.here is not None
            yield from self.here.draw(cell, parts, talker)

    def generate(
        self, cell: Cell, parts: Sequence[Part], backend: Backend, on_items: Callable[[int], None]
    ) -> Iterator[tuple[Part, list[Answer]]]:
        """Read the answers again, subtask by subtask."""
        if cell.model.spec.name not in self.runs:
            assert self.here is not None
            yield from self.here.generate(cell, parts, backend, on_items)
            return
        for name, group in groupby(parts, key=lambda part: part.subtask):
            answers = self.tasks[cell.task].answers(cell.model.spec.name, name)
            for part in group:
                yield part, [answer for number in part.items for answer in answers[number]]
                on_items(len(part.items))

    def follow_ups(self, cells: Sequence[Cell], baseline: ResolvedModel, directory: RunDirectory) -> tuple[()]:
        """The baseline is asked nothing about others' answers."""
        return ()

    def score_components(self, cell: Cell) -> Mapping[str, str]:
        """Metric and filter."""
        task = self.tasks[cell.task]
        return {"metric": task.first.metric, "filter": task.first.filter}

    def scores_beside(self, cell: Cell, device: str) -> bool:
        """A metric is quick, or was computed elsewhere."""
        return False

    def score(self, cell: Cell, part: Part, answers: Sequence[Answer]) -> list[Outcome]:
        """The scores that the tool gave; of models that are run here, lm-eval's."""
        if cell.model.spec.name not in self.runs:
            assert self.here is not None
            return self.here.score(cell, part, answers)
        return self.tasks[cell.task].outcomes(cell.model.spec.name, part.subtask, answers)

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
        """Tasks, suite and pairs, as of models that are run here."""
        outcomes = {
            (model, task): directory.outcome_frame(model, task, STATISTICS_COLUMNS)
            for model in models
            for task in self.tasks
            if (model, task) not in failures
        }
        spec = self.spec
        run = CapabilityRun(
            models,
            [self._facts(task, outcomes) for task in self.tasks.values()],
            self.suite,
            spec.baseline,
            pairs=spec.pairs,
            adjust=spec.adjust,
            seed=spec.seed,
            allowed=spec.allow,
        )
        fields = compare_outcomes(outcomes, run)
        results = cast("Mapping[str, Task]", fields["tasks"])
        return {**fields, "tasks": {name: self._of_all(name, result) for name, result in results.items()}}

    def _facts(self, task: SharedTask, outcomes: Mapping[tuple[str, str], pd.DataFrame]) -> TaskFacts:
        """What is to be said of a task, as its results say it."""
        spec, first = task.spec, task.first
        return TaskFacts(
            name=spec.name,
            metric=first.metric,
            higher_is_better=first.higher_is_better,
            n_shots=first.task.n_shots,
            chance=task.chance,
            kind=task.kind,
            lm_eval=first.task.name,
            version=first.task.version,
            filter=first.filter,
            margin=spec.margin or self.suite.task_margin,
            n_items=task.n_items,
            departs=task.departs,
            n_replaced=max((n_replaced(rows) for (_, name), rows in outcomes.items() if name == spec.name), default=0),
            has_description=first.task.has_description,
            # A margin of the task's own goes before a share that the suite wants kept.
            retain=spec.retain or (None if spec.margin else self.suite.task_retain),
            icc=self.suite.icc if spec.icc is None else spec.icc,
            measure=first.measure,
            further=task.further,
        )

    def _of_all(self, name: str, result: Task) -> Task:
        """A task's results, with how many items the first model has where not all are compared."""
        n = self.tasks[name].n_available
        return result.model_copy(update={"n_available": n}) if result.n_items < n else result


def _loaded(spec: CompareSpec, stored: StoredTasks, preparing: Preparing | None) -> dict[str, LoadedTask]:
    """The tasks as models that are run here are asked them: with the metric and the shots of the stored results."""
    wanted = []
    for name, task in stored.specs.items():
        first = next(iter(stored.of_task(name).values()))
        shots = {subtask.settings.get("shots") for subtask in first.task.subtasks}
        # Subtasks of several numbers have those of their definitions.
        own = first.task.n_shots if len(shots) == 1 else None
        asked = {"metric": first.metric, "filter": first.filter, "shots": own}
        # Letters are another measure than what is stored, and would be held against it.
        wanted.append(task.model_copy(update={**asked, "choices": "score"}))
    loaded = load_tasks(
        wanted,
        data_dir=spec.data_dir,
        tasks_dir=spec.tasks_dir,
        progress=(lambda _, done, total: preparing("loading tasks", done, total)) if preparing else None,
    )
    return {task.spec.name: task for task in loaded}
