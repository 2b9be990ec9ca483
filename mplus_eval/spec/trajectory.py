"""The trajectory of a training as models to compare: its base, its final checkpoint, and every step that it saved.

A training directory holds the final checkpoint at its top, once there is one, and the saved ones in
`checkpoint-<step>/`. Each has a training record, which is written last: a folder without one is not whole.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mplus_eval.errors import UsageError
from mplus_eval.records.training import TrainingRecord, read_record
from mplus_eval.spec.fields import NAME_PATTERN
from mplus_eval.spec.model import ModelSpec

STEP_ROLE = "step"


@dataclass(frozen=True)
class TrainingDirectory:
    """What a training left. `final` is its own record, None while training goes on; `steps` are whole, in order."""

    path: Path
    final: TrainingRecord | None
    steps: tuple[tuple[Path, TrainingRecord], ...]

    @property
    def record(self) -> TrainingRecord:
        """The record that names the training and its base: the final one, or the last step's."""
        return self.final or self.steps[-1][1]


def find_trajectory(directory: Path) -> TrainingDirectory:
    """Find the checkpoints of a training directory; a saved step that is the final one again is left out.

    Raises:
        UsageError: when there is no such directory, or no whole saved step in it besides the final checkpoint.
    """
    where = f"--trajectory {str(directory)!r}"
    if not directory.is_dir():
        raise UsageError(f"{where}: no such directory")
    final, steps = read_record(directory), saved_steps(directory)
    if final is None and not steps:
        raise UsageError(f"{where}: not a training directory; a training.json is expected in it or in a checkpoint-N")
    if not steps:
        raise UsageError(
            f"{where}: no saved step besides the final checkpoint; a checkpoint-N with a training.json is expected"
        )
    return TrainingDirectory(directory, final, steps)


def saved_steps(directory: Path) -> tuple[tuple[Path, TrainingRecord], ...]:
    """The whole saved steps of a training directory in order, without one that is the final checkpoint again."""
    final = read_record(directory)
    records = [(path, record) for path in directory.glob("checkpoint-*") if (record := read_record(path))]
    steps = [(path, record) for path, record in records if final is None or record.step != final.step]
    return tuple(sorted(steps, key=lambda step: step[1].step))


def add_trajectories(
    named: Sequence[ModelSpec], directories: Sequence[Path], faults: list[str]
) -> tuple[ModelSpec, ...]:
    """Add the models of training directories to those that are named.

    Args:
        named: the models that were named.
        directories: training directories.
        faults: gets a line for each directory that is none, and for each name that is taken.

    Returns:
        The named models; the first training's base, where none is of role base; final checkpoints; steps in order.
        Steps are loaded as the named model of their directory is, if there is one.
    """
    trainings = []
    for directory in dict.fromkeys(path.expanduser() for path in directories):
        try:
            trainings.append(find_trajectory(directory))
        except UsageError as error:
            faults.append(str(error))
    bases: list[ModelSpec] = []
    finals: list[ModelSpec] = []
    steps: list[ModelSpec] = []
    if trainings and not any(model.model_role == "base" for model in named):
        first = trainings[0].record
        bases.append(ModelSpec(name="base", source=first.base, role="base", revision=first.recipe.get("revision")))
    for training in trainings:
        record, here = training.record, training.path.resolve()
        final = next((model for model in named if Path(model.adapter or model.source).resolve() == here), None)
        if final is None:
            if not re.fullmatch(NAME_PATTERN, record.name):
                faults.append(f"--trajectory {str(training.path)!r}: its name {record.name!r} cannot be a path")
                continue
            final = ModelSpec(name=record.name, source=str(training.path), role=record.role)
            finals += [final] if training.final else []
        place = "adapter" if final.adapter else "source"
        further = {"role": STEP_ROLE, "trajectory": final.name}
        for path, step in training.steps:
            name = f"{final.name}-step-{step.step}"
            steps.append(final.model_copy(update={"name": name, place: str(path), **further}))
    return _without_collisions((*named, *bases, *finals, *steps), faults)


def _without_collisions(models: Sequence[ModelSpec], faults: list[str]) -> tuple[ModelSpec, ...]:
    by_name: dict[str, ModelSpec] = {}
    for model in models:
        other = by_name.setdefault(model.name, model)
        if other is not model:
            faults.append(
                f"--trajectory: the name {model.name!r} of {model.adapter or model.source} is that of "
                f"{other.adapter or other.source} already; every model needs a name of its own"
            )
    return tuple(by_name.values())
