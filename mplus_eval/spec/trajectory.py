"""The trajectory of a training as models to compare: its base, its final model, and every step that it saved."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from mplus_eval.errors import UsageError
from mplus_eval.spec.fields import NAME_PATTERN
from mplus_eval.spec.model import ModelSpec
from mplus_eval.spec.training_directory import TrainingDirectory, find_training, has_tokenizer, not_whole

STEP_ROLE = "step"
_HUB_ID = r"[\w-][\w.-]*/[\w.-]+"


def add_trajectories(
    named: Sequence[ModelSpec],
    directories: Sequence[Path],
    faults: list[str],
    *,
    baseline: object = None,
    every: object = None,
) -> tuple[ModelSpec, ...]:
    """Add the models of training directories to those that are named.

    Args:
        named: the models that were named.
        directories: training directories.
        faults: gets a line for each directory that is none, for each name that is taken, and for a base that nothing
            names.
        baseline: the name of the baseline, where one is asked for.
        every: of the saved steps those are taken whose number is a multiple of it.

    Returns:
        The named models; the first training's base, where none is of role base; final models; steps in order. Steps
        are loaded as the named model of their directory is, if there is one.
    """
    trainings = _found(directories, faults)
    models = list(named)
    base = _named_base(named, trainings, baseline)
    bases: list[ModelSpec] = []
    finals: list[ModelSpec] = []
    steps: list[ModelSpec] = []
    if trainings and not any(model.model_role == "base" for model in named):
        first = trainings[0]
        if first.base and not (base and _is_elsewhere(first.adapts)):
            base = ModelSpec(name="base", source=first.base, role="base", revision=first.revision, dtype=first.dtype)
            bases.append(base)
    for training in trainings:
        where = f"--trajectory {str(training.path)!r}"
        if base is None:
            faults.append(f"{where}: nothing in it says what it was trained from; name that too: base=SOURCE")
            continue
        # A training record names the base as the recipe did, whatever path the adapters keep.
        if base in bases and _is_elsewhere(training.adapts) and training.base == training.adapts:
            faults.append(f"{where}: its adapters are of {training.adapts!r}, which is not here; name it: base=SOURCE")
            bases.clear()
            continue
        place = next((number for number, model in enumerate(models) if _lies_in(model, training.path)), None)
        if place is not None:
            asked = models[place] = models[place].model_copy(update={"step": training.final})
        elif not re.fullmatch(NAME_PATTERN, training.name):
            faults.append(f"{where}: its name {training.name!r} cannot be a path")
            continue
        else:
            asked = _as_trained(training, base)
            final = asked.model_copy(update=_location(asked, training, training.path, base))
            finals += [final] if training.final is not None else []
        # As it was asked for: a tokenizer that the final model lacks is no reason to ask the steps without their own.
        steps += _steps(asked, training, base, every, faults)
    return _without_collisions((*models, *bases, *finals, *steps), faults)


def _found(directories: Sequence[Path], faults: list[str]) -> list[TrainingDirectory]:
    """What was trained in each directory; those that are no training are faults."""
    trainings = []
    for directory in dict.fromkeys(path.expanduser() for path in directories):
        try:
            trainings.append(find_training(directory))
        except UsageError as error:
            faults.append(str(error))
    return trainings


def _as_trained(training: TrainingDirectory, base: ModelSpec) -> ModelSpec:
    """The model that a training ended with.

    Whole models are saved in more precision than many a base has: both are asked in that of the training.
    """
    return ModelSpec(
        name=training.name,
        source=str(training.path),
        role=training.role,
        step=training.final,
        dtype=training.dtype if base.dtype == "auto" else base.dtype,
    )


def left_out(directories: Sequence[Path], models: Sequence[ModelSpec]) -> list[str]:
    """Saved steps of trainings that are no models, since they were not whole, a line each."""
    taken = {path for model in models for path in (model.source, model.adapter)}
    return [
        f"{path} is left out: {why}"
        for directory in directories
        for path, why in not_whole(directory).items()
        if str(path) not in taken
    ]


def _named_base(
    named: Sequence[ModelSpec], trainings: Sequence[TrainingDirectory], baseline: object
) -> ModelSpec | None:
    """The named model that trainings began with: of role base, else the baseline, else the first of no training."""
    others = [model for model in named if not any(_lies_in(model, training.path) for training in trainings)]
    ranked = sorted(others, key=lambda model: (model.model_role != "base", model.name != baseline))
    return next(iter(ranked), None)


def _lies_in(model: ModelSpec, directory: Path) -> bool:
    return Path(model.adapter or model.source).resolve() == directory.resolve()


def _steps(
    asked: ModelSpec, training: TrainingDirectory, base: ModelSpec, every: object, faults: list[str]
) -> list[ModelSpec]:
    """The saved steps of a training as models, with the keys that its final model was asked for with."""
    # Anything but a whole number is a fault when the options are validated.
    divisor = every if isinstance(every, int) and every > 0 else 1
    taken = [saved for saved in training.steps if saved.step % divisor == 0]
    if not taken:
        there = ", ".join(str(saved.step) for saved in training.steps)
        faults.append(f"--trajectory-every {every}: no saved step of {training.path} is a multiple; there are {there}")
    return [
        asked.model_copy(
            update={
                "name": f"{asked.name}-step-{saved.step}",
                "role": STEP_ROLE,
                "trajectory": asked.name,
                "step": saved.step,
                **_location(asked, training, saved.path, base),
            }
        )
        for saved in taken
    ]


def _location(model: ModelSpec, training: TrainingDirectory, path: Path, base: ModelSpec) -> dict[str, object]:
    """Where a checkpoint of a training lies, as fields of its model, with a tokenizer where it brings none."""
    fields: dict[str, object] = {"adapter" if model.adapter else "source": str(path)}
    if not model.adapter and _is_elsewhere(training.adapts):
        fields = {"adapter": str(path), "source": base.source, "revision": base.revision}
    if model.tokenizer is not None or has_tokenizer(path):
        return fields
    if has_tokenizer(training.path):
        return {**fields, "tokenizer": str(training.path)}
    # An adapter is asked with its base's, where nothing is said.
    own = base.tokenizer or (None if model.adapter or training.adapts else base.source)
    return {**fields, "tokenizer": own} if own else fields


def _is_elsewhere(source: str) -> bool:
    """Tell a path of another machine, or of another day, from what can be looked for: an adapter keeps such."""
    can_be_had = Path(source).is_dir() or re.fullmatch(_HUB_ID, source) or source.startswith("demo:")
    return bool(source) and not can_be_had


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
