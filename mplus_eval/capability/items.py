"""Tasks loaded through lm-eval, so that prompts, few-shot examples, filters and metrics are its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from mplus_eval.capability.subtask import Leaf
from mplus_eval.capability.task_config import LeafConfig, leaf_configs
from mplus_eval.capability.task_loader import Progress, TaskLoader, cause
from mplus_eval.errors import SpecError, UsageError
from mplus_eval.spec.faults import nearest
from mplus_eval.spec.suite import STOCK_PREFIX, SuiteTask

__all__ = ["FEWSHOT_SEED", "Leaf", "LoadedTask", "load_each", "load_tasks"]

FEWSHOT_SEED = 1234
"""lm-eval's own default, so that few-shot examples are those of `simple_evaluate`."""

Kind = Literal["choice", "generation", "mixed"]
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class LoadedTask:
    """A task of a suite, ready to be asked; `chance` is the score that guessing would have."""

    spec: SuiteTask
    leaves: tuple[Leaf, ...]
    metric: str
    filter: str
    n_shots: int
    chance: float
    kind: Kind
    version: str
    lm_eval: str
    higher_is_better: bool


def load_tasks(
    tasks: Sequence[SuiteTask],
    *,
    data_dir: Path | None,
    tasks_dir: Path | None,
    limit: int | None,
    progress: Progress | None = None,
) -> list[LoadedTask]:
    """Load tasks with their data.

    Args:
        tasks: what to load.
        data_dir: a local mirror of the hub; datasets that are not in it come from the hub.
        tasks_dir: a user's folder of definitions.
        limit: how many items of each leaf task will be asked, for the score that guessing would have.
        progress: called with the leaf task's name, how many leaf tasks are loaded, and of how many.

    Raises:
        SpecError: with every fault of every task: unknown names, missing data, a wrong metric or number of shots.
    """
    results = list(load_each(tasks, data_dir=data_dir, tasks_dir=tasks_dir, limit=limit, progress=progress))
    if faults := [fault for result in results if isinstance(result, SpecError) for fault in result.faults]:
        raise SpecError(faults)
    return [result for result in results if isinstance(result, LoadedTask)]


def load_each(
    tasks: Sequence[SuiteTask],
    *,
    data_dir: Path | None,
    tasks_dir: Path | None,
    limit: int | None,
    progress: Progress | None = None,
) -> Iterator[LoadedTask | SpecError]:
    """Load tasks as `load_tasks` does, and yield for each, in order, either the task or what is wrong with it."""
    configs = [_attempt(task, partial(leaf_configs, task.lm_eval, tasks_dir)) for task in tasks]
    n_leaves = sum(len(leaves) for leaves in configs if not isinstance(leaves, SpecError))
    loader = TaskLoader(data_dir, n_leaves, progress)
    for task, leaves in zip(tasks, configs, strict=True):
        if isinstance(leaves, SpecError):
            yield leaves
        else:
            yield _attempt(task, partial(_loaded, task, leaves, loader, limit))


def _attempt(task: SuiteTask, action: Callable[[], T]) -> T | SpecError:
    try:
        return action()
    except SpecError as error:
        return error
    except Exception as error:  # noqa: BLE001 - a task's code and data are foreign and may raise anything; it is named
        text = cause(error)
        return SpecError([text if text.startswith("task ") else f"task {task.name!r}: {text}"])


def _loaded(spec: SuiteTask, configs: Sequence[LeafConfig], loader: TaskLoader, limit: int | None) -> LoadedTask:
    from mplus_eval.backends.lm_eval_private import filter_names

    tasks = loader.load(spec.lm_eval if spec.lm_eval.startswith(STOCK_PREFIX) else spec.name, configs)
    leaves = tuple(_leaf(spec, config, task) for config, task in zip(configs, tasks, strict=True))
    metric = _chosen("metric", spec.metric, [_item_metrics(leaf) for leaf in leaves])
    filter_name = _chosen("filter", spec.filter, [filter_names(leaf.task) for leaf in leaves])
    chances = [chance for leaf in leaves for chance in leaf.chances(limit)]
    higher = bool(leaves[0].task.higher_is_better().get(metric, True))
    return LoadedTask(
        spec=spec,
        leaves=leaves,
        metric=metric,
        filter=filter_name,
        n_shots=max(leaf.n_shots for leaf in leaves),
        chance=sum(chances) / len(chances),
        kind=_kind(leaves),
        version=",".join(sorted({str(leaf.task.VERSION) for leaf in leaves})),
        lm_eval=spec.lm_eval.removeprefix(STOCK_PREFIX),
        higher_is_better=spec.higher_is_better if "higher_is_better" in spec.model_fields_set else higher,
    )


def _leaf(spec: SuiteTask, config: LeafConfig, task: Any) -> Leaf:
    """Set the shots as `simple_evaluate` does, and check what the suite says against the data."""
    own = task.get_config("num_fewshot")
    if spec.shots is not None and own == 0 != spec.shots:
        raise UsageError(f"{config.name} is defined with 0 shots, which lm-eval never changes, not {spec.shots}")
    task.set_config("num_fewshot", (own or 0) if spec.shots is None else spec.shots)
    leaf = Leaf(config.name, task, config, spec.cluster)
    if leaf.n_shots:
        n_examples = len(task.sampler.df)
        if leaf.n_shots > n_examples:
            raise UsageError(f"{leaf.n_shots} shots, but {config.name} has only {n_examples} examples to draw from")
    if spec.cluster and spec.cluster.isidentifier() and spec.cluster not in task.features:
        raise UsageError(f"cluster {spec.cluster!r} is no column of {config.name}: {', '.join(task.features)}")
    return leaf


def _item_metrics(leaf: Leaf) -> list[str]:
    """The metrics that are a number for each item, and the task's value their mean: those that can be paired."""
    from lm_eval.api.metrics import mean

    return [name for name, aggregation in leaf.task.aggregation().items() if aggregation is mean]


def _chosen(noun: str, wanted: str | None, of_leaves: Sequence[Sequence[str]]) -> str:
    """The metric or filter that was asked for, or the first that all leaf tasks have."""
    common = [name for name in of_leaves[0] if all(name in names for names in of_leaves)]
    if not common:
        raise UsageError(f"it has no {noun} that is the mean of a number for each item")
    if wanted is not None and wanted not in common:
        raise UsageError(f"{noun} {wanted!r}; {nearest(wanted, common)}")
    return wanted or common[0]


def _kind(leaves: Sequence[Leaf]) -> Kind:
    generated = {leaf.task.OUTPUT_TYPE == "generate_until" for leaf in leaves}
    return "mixed" if len(generated) == 2 else "generation" if generated.pop() else "choice"
