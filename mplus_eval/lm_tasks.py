"""Tasks loaded through lm-eval, so that prompts, few-shot examples, filters and metrics are its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mplus_eval.dataset_source import dataset_id, located, mirrored, missing_line
from mplus_eval.errors import SpecError, UsageError
from mplus_eval.leaf import Leaf
from mplus_eval.lm_eval_index import STOCK_PREFIX
from mplus_eval.suite import SuiteTask
from mplus_eval.task_config import LeafConfig, leaf_configs

__all__ = ["FEWSHOT_SEED", "Leaf", "LoadedTask", "load_tasks"]

FEWSHOT_SEED = 1234
"""lm-eval's own default, so that few-shot examples are those of `simple_evaluate`."""

Kind = Literal["choice", "generation", "mixed"]
Progress = Callable[[str, int, int], None]


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
    faults: list[str] = []
    configs: dict[str, list[LeafConfig]] = {}
    for task in tasks:
        try:
            configs[task.name] = leaf_configs(task.lm_eval, tasks_dir)
        except SpecError as error:
            faults += error.faults
        except Exception as error:  # noqa: BLE001 - a definition's code is foreign and may raise anything; it is named
            faults.append(f"task {task.name!r}: {_cause(error)}")
    loader = _Loader(data_dir, progress, sum(map(len, configs.values())))
    loaded = [loader.load(task, configs[task.name], limit, faults) for task in tasks if task.name in configs]
    if faults:
        raise SpecError(faults)
    return [task for task in loaded if task is not None]


class _Loader:
    """Loads leaf tasks one by one; once the hub did not answer, it is not asked again."""

    def __init__(self, data_dir: Path | None, progress: Progress | None, n_leaves: int) -> None:
        self.data_dir = data_dir
        self.progress = progress
        self.n_leaves = n_leaves
        self.n_done = 0
        self.hub_failure: str | None = None

    def load(
        self, spec: SuiteTask, configs: Sequence[LeafConfig], limit: int | None, faults: list[str]
    ) -> LoadedTask | None:
        """Load one task, or add to the faults and return None."""
        missing: dict[str, str] = {}
        leaves = []
        try:
            for config in configs:
                if self.progress:
                    self.progress(config.name, self.n_done, self.n_leaves)
                self.n_done += 1
                if task := self._task(config, missing):
                    leaves.append(_leaf(spec, config, task))
            if not missing:
                return _loaded(spec, leaves, limit)
            faults.append(missing_line(spec.name, missing, self.data_dir))
        except Exception as error:  # noqa: BLE001 - a task's code and data are foreign and may raise anything; it is named
            faults.append(f"task {spec.name!r}: {_cause(error)}")
        return None

    def _task(self, leaf: LeafConfig, missing: dict[str, str]) -> Any:
        """lm-eval's task object, or None with its dataset noted as missing, and why."""
        from lm_eval.tasks import TaskManager

        config = located(leaf, self.data_dir)
        identifier = dataset_id(leaf)
        folder = mirrored(identifier, self.data_dir) if identifier else None
        if identifier and folder is None and self.hub_failure:
            missing[identifier] = self.hub_failure
        if identifier in missing:
            return None
        try:
            return TaskManager(include_defaults=False).load({**config, "task": leaf.name})["tasks"][leaf.name]
        except (OSError, RuntimeError, ValueError) as error:
            if identifier is None or not _is_about_data(error):
                raise
            missing[identifier] = (
                f"{folder} lacks {leaf.name}'s part ({_cause(error)})" if folder else _hub_cause(error)
            )
            if folder is None and isinstance(error, ConnectionError):
                self.hub_failure = missing[identifier]
            return None


_DATA_FAULTS = ("scripts are no longer supported", "BuilderConfig", "find cache for")


def _is_about_data(error: Exception) -> bool:
    """Tell a dataset that is not there, or not whole, from a fault of the task's code."""
    return isinstance(error, OSError) or any(words in str(error) for words in _DATA_FAULTS)


def _hub_cause(error: Exception) -> str:
    """Why the hub did not give a dataset."""
    from mplus_eval.sources import offline

    if isinstance(error, ConnectionError):
        return "HF_HUB_OFFLINE forbids the hub" if offline() else "the hub cannot be reached"
    if "scripts are no longer supported" in str(error):
        return "on the hub it is a script, which is refused"
    return f"the hub refuses it ({_cause(error)})"


def _leaf(spec: SuiteTask, config: LeafConfig, task: Any) -> Leaf:
    """Set the shots as `simple_evaluate` does, and check what the suite says against the data."""
    own = task.get_config("num_fewshot")
    if spec.shots is not None and own == 0 != spec.shots:
        raise UsageError(f"{config.name} is defined with 0 shots, which lm-eval never changes, not {spec.shots}")
    task.set_config("num_fewshot", (own or 0) if spec.shots is None else spec.shots)
    task.set_fewshot_seed(seed=FEWSHOT_SEED)
    leaf = Leaf(config.name, task, config, spec.cluster)
    if leaf.n_shots:
        n_examples = len(task.sampler.df)
        if leaf.n_shots > n_examples:
            raise UsageError(f"{leaf.n_shots} shots, but {config.name} has only {n_examples} examples to draw from")
    if spec.cluster and spec.cluster.isidentifier() and spec.cluster not in task.features:
        raise UsageError(f"cluster {spec.cluster!r} is no column of {config.name}: {', '.join(task.features)}")
    return leaf


def _loaded(spec: SuiteTask, leaves: Sequence[Leaf], limit: int | None) -> LoadedTask:
    metric = _chosen("metric", spec.metric, [_item_metrics(leaf) for leaf in leaves])
    filter_name = _chosen("filter", spec.filter, [[each.name for each in leaf.task._filters] for leaf in leaves])
    chances = [chance for leaf in leaves for chance in leaf.chances(limit)]
    higher = bool(leaves[0].task.higher_is_better().get(metric, True))
    return LoadedTask(
        spec=spec,
        leaves=tuple(leaves),
        metric=metric,
        filter=filter_name,
        n_shots=max(leaf.n_shots for leaf in leaves),
        chance=sum(chances) / len(chances),
        kind=_kind(leaves),
        version=",".join(sorted({str(leaf.task.VERSION) for leaf in leaves})),
        lm_eval=spec.lm_eval.removeprefix(STOCK_PREFIX),
        higher_is_better=spec.higher_is_better if "higher_is_better" in spec.model_fields_set else higher,
    )


def _item_metrics(leaf: Leaf) -> list[str]:
    """The metrics that are a number for each item, and the task's value their mean: those that can be paired."""
    from lm_eval.api.metrics import mean

    return [name for name, aggregation in leaf.task.aggregation().items() if aggregation is mean]


def _chosen(noun: str, wanted: str | None, of_leaves: Sequence[Sequence[str]]) -> str:
    common = [name for name in of_leaves[0] if all(name in names for names in of_leaves)]
    if wanted is None and common:
        return common[0]
    if wanted in common:
        return str(wanted)
    accepted = ", ".join(common) or f"it has no {noun} that is a number for each item"
    raise UsageError(f"{noun} {wanted!r}: {accepted}" if wanted else accepted)


def _kind(leaves: Sequence[Leaf]) -> Kind:
    generated = {leaf.task.OUTPUT_TYPE == "generate_until" for leaf in leaves}
    return "mixed" if len(generated) == 2 else "generation" if generated.pop() else "choice"


def _cause(error: BaseException) -> str:
    """One line of an exception; its type where it is not ours."""
    text = " ".join(str(error).split())[:400]
    return text if isinstance(error, UsageError) else f"{type(error).__name__}: {text}"
