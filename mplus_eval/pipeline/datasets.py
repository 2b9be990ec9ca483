"""The hub datasets that tasks, prompt sets and dialogues are read from, listed without loading any."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from mplus_eval.capability.dataset_location import dataset_id
from mplus_eval.capability.task_config import subtask_configs
from mplus_eval.conversation.items import SHIPPED_NAMES
from mplus_eval.data.hub import is_hub_id
from mplus_eval.data.mirror import WantedDataset
from mplus_eval.errors import SpecError
from mplus_eval.spec.suite import Suite, SuiteTask


def wanted_datasets(
    tasks: Sequence[SuiteTask], tasks_dir: Path | None, suite: Suite | None = None
) -> list[WantedDataset]:
    """List the hub datasets that tasks read, and after them those of a suite's prompt sets and dialogues.

    Args:
        tasks: whose definitions are read.
        tasks_dir: a user's folder of definitions.
        suite: whose prompt sets and dialogues are wanted too.

    Raises:
        SpecError: with every task whose definition cannot be read.
    """
    subsets: list[tuple[str, str]] = []
    faults: list[str] = []
    for task in tasks:
        try:
            subtasks = subtask_configs(task.lm_eval, tasks_dir)
        except Exception as error:  # noqa: BLE001 - a definition's code is foreign and may raise anything; it is named
            faults.append(f"task {task.name!r}: {' '.join(str(error).split())}")
            continue
        for subtask in subtasks:
            if identifier := dataset_id(subtask):
                subsets.append((identifier, subtask.config.get("dataset_name") or ""))
    if faults:
        raise SpecError(faults)
    sources: list[tuple[str, str]] = []
    if suite is not None and suite.harmlessness:
        pieces = [piece for prompts in suite.harmlessness.sources for piece in prompts.pieces]
        sources += [(piece.source, piece.subset or "") for piece in pieces]
    if suite is not None and suite.conversation:
        dialogues = suite.conversation.dialogues
        sources.append((SHIPPED_NAMES.get(dialogues, dialogues), ""))
    of_hub = [(source, subset) for source, subset in sources if is_hub_id(source) and not Path(source).exists()]
    return _by_dataset(subsets) + _by_dataset(of_hub)


def _by_dataset(subsets: Iterable[tuple[str, str]]) -> list[WantedDataset]:
    """Datasets in the order in which they are first named, each once with all of its subsets."""
    names: dict[str, dict[str, None]] = {}
    for identifier, subset in subsets:
        names.setdefault(identifier, {})[subset] = None
    return [WantedDataset(identifier, tuple(of_dataset)) for identifier, of_dataset in names.items()]
