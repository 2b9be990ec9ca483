"""The plan: the cells to evaluate, each with a fingerprint of everything that can change its numbers.

It is made of what was validated: the models are found, their weights hashed, and the cells held against what the run
directory holds already. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mplus_eval.data.files import changes
from mplus_eval.errors import SpecError
from mplus_eval.models.cells import Cell
from mplus_eval.models.hub import Preparing
from mplus_eval.models.resolved import ResolvedModel, resolved_models
from mplus_eval.pipeline.axis import Axis
from mplus_eval.pipeline.validate import Validated
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.suite import Suite
from mplus_eval.store.parts import PartInfo
from mplus_eval.store.run_directory import RunDirectory

_ITEMS = ("data", "dialogues", "prompts")
"""Components that are hashes of items."""
_MOST_FILES = 3


@dataclass(frozen=True)
class Plan:
    """All cells of a run, model by model, in the order of the suite.

    `noise_rerun` is the baseline once more, where a noise floor was asked for: evaluated last, and no model of the
    comparison.
    """

    spec: CompareSpec
    suite: Suite
    axes: tuple[Axis, ...]
    models: tuple[ResolvedModel, ...]
    cells: tuple[Cell, ...]
    noise_rerun: ResolvedModel | None = None

    @property
    def baseline(self) -> ResolvedModel:
        """The model that the others are held against."""
        return next(model for model in self.models if model.spec.name == self.spec.baseline)

    @property
    def passes(self) -> tuple[ResolvedModel, ...]:
        """The models in the order in which they are asked, the noise rerun among them."""
        models = self.models
        if any(axis.asks_baseline_last for axis in self.axes):
            models = (*(model for model in models if model is not self.baseline), self.baseline)
        return models if self.noise_rerun is None else (*models, self.noise_rerun)

    def of_model(self, model: ResolvedModel) -> tuple[Cell, ...]:
        """One model's cells."""
        return tuple(cell for cell in self.cells if cell.model is model)

    def of_axis(self, axis: Axis) -> tuple[Cell, ...]:
        """One axis' cells of all models."""
        return tuple(cell for cell in self.cells if cell.axis == axis.name)

    def axis_of(self, cell: Cell) -> Axis:
        """The axis that a cell belongs to."""
        return next(axis for axis in self.axes if axis.name == cell.axis)


def make_plan(
    validated: Validated,
    directory: RunDirectory,
    demo: Mapping[str, Path] | None = None,
    preparing: Preparing | None = None,
) -> Plan:
    """Find the models and list the cells.

    Args:
        validated: what was asked for, with the items of every axis.
        directory: where the run lies or will lie.
        demo: directories of the demo's models that are among the models, by name.
        preparing: called as downloads proceed.

    Raises:
        SpecError: a model cannot be had, nothing is left to evaluate, or the directory's run conflicts, and in what.
    """
    spec = validated.spec
    models = resolved_models(spec, demo or {}, preparing, talks=validated.talks)
    axes = tuple(bound for axis in validated.axes if (bound := axis.for_models(models)) is not None)
    cells = tuple(cell for model in models for axis in axes for cell in axis.cells(model))
    if not cells:
        name = validated.suite.name
        raise SpecError([f"suite {name!r}: nothing is left to evaluate; every axis that it has is switched off"])
    baseline = next(model for model in models if model.spec.name == spec.baseline)
    reruns = tuple(cell for axis in axes for cell in axis.noise_rerun(baseline))
    cells += reruns
    # The directory may hold the same cell made in another way: it is refused, and what differs is said.
    conflicts: dict[str, list[str]] = {}
    for cell in cells:
        stored = directory.stored(*cell.key)
        if stored is not None and stored.components != cell.components:
            conflicts.setdefault(_differences(cell, stored), []).append(cell.name)
    if conflicts:
        reasons = "; ".join(
            f"{key} of {', '.join(names[:3])}" + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            for key, names in conflicts.items()
        )
        way_out = "name another --output, or remove that directory"
        raise SpecError([f"{directory.path} holds another run, with different {reasons}; {way_out}"])
    return Plan(spec, validated.suite, axes, models, cells, reruns[0].model if reruns else None)


def _differences(cell: Cell, stored: PartInfo) -> str:
    """What a stored cell was made of otherwise; where that is its items, the files that are not as they were."""
    components = {**stored.components, **cell.components}
    keys = sorted(key for key in components if stored.components.get(key) != cell.components.get(key))
    # With another limit other items are asked, whatever the files hold.
    differ = changes(stored.sources, cell.sources) if stored.sources and "limit" not in keys else []
    more = [f"{len(differ) - _MOST_FILES} more"] if len(differ) > _MOST_FILES else []
    files = f" ({'; '.join([*differ[:_MOST_FILES], *more])})" if differ else ""
    return ", ".join(key + files if key in _ITEMS else key for key in keys)
