"""Tasks loaded through lm-eval, so that prompts, few-shot examples, filters and metrics are its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

from mplus_eval.capability.clusters import joined
from mplus_eval.capability.dataset_location import MissingDatasetsError, folded
from mplus_eval.capability.departures import departed
from mplus_eval.capability.fewshot import FEWSHOT_SEED
from mplus_eval.capability.further_metrics import FurtherMetrics
from mplus_eval.capability.lettered import lettered
from mplus_eval.capability.metric_values import Kind as MetricKind
from mplus_eval.capability.metric_values import kind_of
from mplus_eval.capability.subtask import Subtask
from mplus_eval.capability.task_config import GroupAverage, SubtaskConfig, by_size, resolved
from mplus_eval.capability.task_loader import Progress, TaskLoader, cause
from mplus_eval.errors import SpecError, UsageError
from mplus_eval.spec.faults import nearest
from mplus_eval.spec.suite import STOCK_PREFIX, SuiteTask
from mplus_eval.statistics.measure import Measure

__all__ = ["FEWSHOT_SEED", "LoadedTask", "Subtask", "load_each", "load_tasks"]

Kind = Literal["choice", "generation", "text", "mixed"]
_ASKED: dict[str, Kind] = {"generate_until": "generation", "loglikelihood_rolling": "text"}
FIXED_EXAMPLES = "the same examples for every item instead of examples drawn for each"
"""What a suite with `shots: fixed` departs in."""
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class LoadedTask:
    """A task of a suite, ready to be asked.

    Attributes:
        measure: how the value is made of items.
        further: how the other metrics are.
        departs: settings in which the suite has it asked otherwise than lm-eval, each with both values.
    """

    spec: SuiteTask
    subtasks: tuple[Subtask, ...]
    metric: str
    filter: str
    n_shots: int
    kind: Kind
    version: str
    lm_eval: str
    higher_is_better: bool
    measure: Measure
    further: FurtherMetrics
    departs: tuple[str, ...] = ()

    @property
    def has_description(self) -> bool:
        """Whether its prompts begin with a description, a system message in chat, which a template may drop."""
        return any(bool(subtask.task.config.description) for subtask in self.subtasks)

    @property
    def shots(self) -> str:
        """How many examples, and whether they are the same for every item: what a fingerprint says of them."""
        return f"{self.n_shots} fixed" if FIXED_EXAMPLES in self.departs else str(self.n_shots)

    @property
    def n_docs(self) -> int:
        """How many documents all subtasks have."""
        return sum(subtask.n_docs for subtask in self.subtasks)

    def chance(self, numbers: Mapping[str, Sequence[int]] | None = None) -> float:
        """The score that guessing would have, on these documents of each subtask or on all."""
        given = numbers or {}
        chances = [chance for subtask in self.subtasks for chance in subtask.chances(given.get(subtask.name))]
        return sum(chances) / max(len(chances), 1)

    def subtask(self, name: str) -> Subtask:
        """The subtask of that name."""
        return next(each for each in self.subtasks if each.name == name)


def load_tasks(
    tasks: Sequence[SuiteTask],
    *,
    data_dir: Path | None,
    tasks_dir: Path | None,
    progress: Progress | None = None,
) -> list[LoadedTask]:
    """Load tasks with their data.

    Args:
        tasks: what to load.
        data_dir: a local mirror of the hub; datasets that are not in it come from the hub.
        tasks_dir: a user's folder of definitions.
        progress: called with the subtask's name, how many subtasks are loaded, and of how many.

    Raises:
        SpecError: with every fault of every task: unknown names, a wrong metric or number of shots; tasks that lack
            their data for the same reason share a line.
    """
    results = list(load_each(tasks, data_dir=data_dir, tasks_dir=tasks_dir, progress=progress))
    lacking = [result for result in results if isinstance(result, MissingDatasetsError)]
    wrong = [result for result in results if isinstance(result, SpecError) and result not in lacking]
    if faults := [*(fault for error in wrong for fault in error.faults), *folded(lacking)]:
        raise SpecError(faults)
    return [result for result in results if isinstance(result, LoadedTask)]


def load_each(
    tasks: Sequence[SuiteTask],
    *,
    data_dir: Path | None,
    tasks_dir: Path | None,
    progress: Progress | None = None,
) -> Iterator[LoadedTask | SpecError]:
    """Load tasks as `load_tasks` does, and yield for each, in order, either the task or what is wrong with it."""
    definitions = [_attempt(task, partial(resolved, task.lm_eval, tasks_dir)) for task in tasks]
    n_subtasks = sum(len(each[0]) for each in definitions if not isinstance(each, SpecError))
    loader = TaskLoader(data_dir, n_subtasks, progress)
    for task, definition in zip(tasks, definitions, strict=True):
        if isinstance(definition, SpecError):
            yield definition
        else:
            yield _attempt(task, partial(_loaded, task, *definition, loader))


def _attempt(task: SuiteTask, action: Callable[[], T]) -> T | SpecError:
    try:
        return action()
    except SpecError as error:
        return error
    except Exception as error:  # noqa: BLE001 - a task's code and data are foreign and may raise anything; it is named
        text = cause(error)
        return SpecError([text if text.startswith("task ") else f"task {task.name!r}: {text}"])


def _loaded(
    spec: SuiteTask,
    configs: Sequence[SubtaskConfig],
    averages: tuple[GroupAverage, ...],
    loader: TaskLoader,
) -> LoadedTask:
    from mplus_eval.backends.lm_eval_private import filter_names

    as_letters: tuple[str, ...] = ()
    if spec.choices == "generate":
        configs, as_letters = lettered(configs)
    configs, settings = departed(spec, configs)
    tasks = loader.load(spec.lm_eval if spec.lm_eval.startswith(STOCK_PREFIX) else spec.name, configs)
    subtasks = tuple(
        Subtask.of(config, task, spec, files) for config, (task, files) in zip(configs, tasks, strict=True)
    )
    aggregations = {subtask.name: subtask.task.aggregation() for subtask in subtasks}
    kinds = [{name: kind_of(each) for name, each in of_subtask.items()} for of_subtask in aggregations.values()]
    # Letters have a metric of their own, whatever the suite names for choices that are scored.
    metric = _chosen("metric", None if as_letters else spec.metric, [_in_order(each) for each in kinds])
    if len({each[metric] for each in kinds}) > 1:
        raise UsageError(f"metric {metric!r} is aggregated in several ways by its subtasks")
    kind_of_value = kinds[0][metric]
    assert kind_of_value is not None
    filter_name = _chosen(
        "filter", None if as_letters else spec.filter, [filter_names(subtask.task) for subtask in subtasks]
    )
    # What a group says of its choices' accuracy holds for their letters.
    counted_as = (spec.metric or "acc") if as_letters else metric
    asked = {_ASKED.get(subtask.task.OUTPUT_TYPE, "choice") for subtask in subtasks}
    kind: Kind = "mixed" if len(asked) > 1 else asked.pop()
    if spec.same_question is not None:
        clusters = joined([names for subtask in subtasks for names in subtask.names])
        for subtask in subtasks:
            subtask.joined.update(clusters)
    fixes_examples = any(subtask.fixes_examples for subtask in subtasks)
    higher = bool(subtasks[0].task.higher_is_better().get(metric, True))
    return LoadedTask(
        spec=spec,
        subtasks=subtasks,
        metric=metric,
        filter=filter_name,
        n_shots=max(subtask.n_shots for subtask in subtasks),
        kind=kind,
        version=",".join(sorted({str(subtask.task.VERSION) for subtask in subtasks})),
        lm_eval=spec.lm_eval.removeprefix(STOCK_PREFIX),
        measure=Measure(kind_of_value, by_size(averages, counted_as, filter_name) is not False),
        further=FurtherMetrics(aggregations, averages),
        departs=(*as_letters, *settings, *((FIXED_EXAMPLES,) if fixes_examples else ())),
        higher_is_better=spec.higher_is_better if "higher_is_better" in spec.model_fields_set else higher,
    )


def _in_order(kinds: Mapping[str, MetricKind | None]) -> list[str]:
    """The metrics that items can be paired by; means before ratios, so that they are chosen where nobody chooses."""
    return sorted((name for name, kind in kinds.items() if kind), key=lambda name: kinds[name] != "mean")


def _chosen(noun: str, wanted: str | None, of_subtasks: Sequence[Sequence[str]]) -> str:
    """The metric or filter that was asked for, or the first that all subtasks have."""
    common = [name for name in of_subtasks[0] if all(name in names for names in of_subtasks)]
    if not common:
        raise UsageError(f"it has no {noun} by which items can be paired: a mean, bits per byte or a perplexity")
    if wanted is not None and wanted not in common:
        raise UsageError(f"{noun} {wanted!r}; {nearest(wanted, common)}")
    return wanted or common[0]
