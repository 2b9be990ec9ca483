"""The plan: the cells to evaluate, each with a fingerprint of everything that can change its numbers.

Making a plan checks everything that can be checked without evaluating: sources, tasks, data, and what the run directory
holds already. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mplus_eval.backends import engine
from mplus_eval.capability.items import Leaf, LoadedTask
from mplus_eval.conversation.generate import AskedDialogues
from mplus_eval.errors import SpecError
from mplus_eval.harmlessness.generate import asked_as, parts_of
from mplus_eval.harmlessness.items import PromptSet
from mplus_eval.models.hub import Preparing
from mplus_eval.models.locations import demo_names
from mplus_eval.models.resolved import ResolvedModel, resolved_models
from mplus_eval.pipeline.noise_rerun import composition, second_pass
from mplus_eval.pipeline.validate import check_all, with_judges
from mplus_eval.spec.backends import BACKENDS
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.harmlessness import HarmlessnessSettings
from mplus_eval.spec.model import ModelSpec
from mplus_eval.spec.suite import Suite
from mplus_eval.store.hashes import hash_components
from mplus_eval.store.run_directory import RunDirectory

__all__ = ["BATCHES", "Cell", "Part", "Plan", "Preparing", "ResolvedModel", "make_plan"]

BATCHES = "batch composition"
"""The component that the second pass has besides those of the first."""

PART_ITEMS = 500
"""Items of one part: what is lost, at most, when a run is killed."""

PART_PROMPTS = 80
"""The same of a set of prompts, each of which is answered many times."""


@dataclass(frozen=True)
class Part:
    """A slice of one leaf's items, stored as one file; a set of prompts or dialogues is its own leaf."""

    index: int
    leaf: Leaf | PromptSet | AskedDialogues
    items: range


@dataclass(frozen=True)
class Cell:
    """One model on one task or prompt set.

    `components` are what its fingerprint is made of, kept so that a conflict has a reason.
    """

    model: ResolvedModel
    task: LoadedTask | PromptSet | AskedDialogues
    components: dict[str, str]
    parts: tuple[Part, ...]

    @property
    def n_items(self) -> int:
        """How many items the cell has."""
        return sum(len(part.items) for part in self.parts)

    @property
    def fingerprint(self) -> str:
        """One hash over all components."""
        return hash_components(self.components)

    @property
    def name(self) -> str:
        """The cell in messages: `model × task`."""
        return f"{self.model.spec.name} × {self.task.spec.name}"


@dataclass(frozen=True)
class Plan:
    """All cells of a run, model by model, in the order of the suite.

    `noise` is the second pass of the baseline, where a noise floor was asked for: evaluated last, and no model of the
    comparison.
    """

    spec: CompareSpec
    suite: Suite
    tasks: tuple[LoadedTask, ...]
    models: tuple[ResolvedModel, ...]
    cells: tuple[Cell, ...]
    noise: ResolvedModel | None = None
    harmlessness: HarmlessnessSettings | None = None
    """How the sets are asked and scored; None where harmlessness is not evaluated."""
    sets: tuple[PromptSet, ...] = ()
    dialogues: AskedDialogues | None = None
    """What is asked in conversation; None where conversation is not evaluated."""
    judges: tuple[str, ...] = ()
    """How the judges were named, the one that decides first; a bare `reward` lies beside one of the models."""

    @property
    def baseline(self) -> ResolvedModel:
        """The model that the others are held against."""
        return next(model for model in self.models if model.spec.name == self.spec.baseline)

    @property
    def passes(self) -> tuple[ResolvedModel, ...]:
        """The models in the order in which they are asked, the second pass among them.

        With harmlessness the baseline comes after the others, since it is asked how likely it thinks what they said.
        """
        models = self.models
        if self.sets:
            models = (*(model for model in models if model is not self.baseline), self.baseline)
        return models if self.noise is None else (*models, self.noise)

    def of_model(self, model: ResolvedModel) -> tuple[Cell, ...]:
        """One model's cells."""
        return tuple(cell for cell in self.cells if cell.model is model)


def make_plan(
    spec: CompareSpec, directory: RunDirectory, preparing: Preparing | None = None, faults: Sequence[str] = ()
) -> Plan:
    """Check everything and list the cells.

    Args:
        spec: what was asked for.
        directory: where the run lies or will lie.
        faults: what is known to be wrong already; reported together with what is found here.
        preparing: called as downloads, hashes and demo models proceed.

    Raises:
        SpecError: with every fault found in suite, sources and tasks; or why the directory's run conflicts.
    """
    checked = check_all(spec, preparing, faults)
    suite, loaded, settings, sets = checked.suite, checked.tasks, checked.harmlessness, checked.sets
    talks = checked.dialogues is not None or any(one.spec.chat for one in sets)
    models = resolved_models(spec, _demo_directories(spec.models, preparing), preparing, talks=talks)
    dialogues, judges = with_judges(spec, checked.dialogues, models)
    cells = tuple(
        cell
        for model in models
        for cell in (
            *(_cell(model, task, spec.limit_of(model.spec)) for task in loaded),
            *(_set_cell(model, one, settings, spec) for one in sets if settings and _is_asked(model, one, settings)),
            *(_dialogue_cell(model, one, spec) for one in [dialogues] if one and model.spec.trajectory is None),
        )
    )
    if not cells:
        raise SpecError([f"suite {suite.name!r}: nothing is left to evaluate; every axis that it has is switched off"])
    noise = None
    if spec.noise_floor:
        baseline = next(model for model in models if model.spec.name == spec.baseline)
        limit = spec.limit_of(baseline.spec)
        noise = replace(baseline, spec=second_pass(baseline.spec, limit))
        batches = {BATCHES: composition(baseline.spec, limit)}
        cells += tuple(_cell(noise, task, limit, batches) for task in loaded)
    _refuse_conflicts(cells, directory)
    return Plan(spec, suite, loaded, models, cells, noise, settings, sets, dialogues, judges)


def _demo_directories(models: Sequence[ModelSpec], preparing: Preparing | None) -> dict[str, Path]:
    """Where the demo's models lie that are named; those not trained yet are first, together, which is sooner."""
    if not (names := demo_names(models)):
        return {}
    from mplus_eval.training.demo_models import demo_models

    return dict(zip(names, demo_models(names, preparing), strict=True))


def _cell(model: ResolvedModel, task: LoadedTask, limit: int | None, further: Mapping[str, str] | None = None) -> Cell:
    """One model on one task; `further` components are what is peculiar to this pass."""
    leaves = {leaf.name: leaf for leaf in task.leaves}
    components = {
        "weights": model.weights,
        "tokenizer": model.tokenizer,
        "chat_template": model.chat_template,
        "task definition": hash_components({name: leaf.definition_hash for name, leaf in leaves.items()}),
        "data": hash_components({name: leaf.data_hash(limit) for name, leaf in leaves.items()}),
        "shots": str(task.n_shots),
        "limit": str(limit or "none"),
        "dtype": " ".join(filter(None, [model.spec.dtype, model.spec.quantization])),
        "engine": engine(model.backend),
        **(further or {}),
    }
    return Cell(model, task, components, _parts(task, limit))


def _is_asked(model: ResolvedModel, prompt_set: PromptSet, settings: HarmlessnessSettings) -> bool:
    """Saved steps of a training answer the primary set only; a layer is looked at where the model is at hand."""
    if model.spec.trajectory is not None:
        return prompt_set.name == settings.primary
    return prompt_set.kind != "layers" or BACKENDS[model.backend].opens_layers


def _set_cell(model: ResolvedModel, prompt_set: PromptSet, settings: HarmlessnessSettings, spec: CompareSpec) -> Cell:
    """One model on one set of prompts."""
    limit = spec.limit_of(model.spec)
    components = {
        "weights": model.weights,
        "tokenizer": model.tokenizer,
        "chat format": model.talk_format if prompt_set.spec.chat else "plain text",
        "prompts": prompt_set.hash,
        "asked": asked_as(prompt_set, settings),
        "seed": str(spec.seed),
        "limit": str(limit or "none"),
        "dtype": " ".join(filter(None, [model.spec.dtype, model.spec.quantization])),
        "engine": engine(model.backend),
    }
    slices = parts_of(min(len(prompt_set.prompts), limit or len(prompt_set.prompts)), PART_PROMPTS)
    return Cell(model, prompt_set, components, tuple(Part(i, prompt_set, each) for i, each in enumerate(slices)))


def _dialogue_cell(model: ResolvedModel, asked: AskedDialogues, spec: CompareSpec) -> Cell:
    """One model on the dialogues."""
    components = {
        "weights": model.weights,
        "tokenizer": model.tokenizer,
        "chat format": model.talk_format,
        "dialogues": asked.dialogues.hash,
        "asked": asked.asked_as,
        "seed": str(spec.seed),
        "dtype": " ".join(filter(None, [model.spec.dtype, model.spec.quantization])),
        "engine": engine(model.backend),
    }
    slices = parts_of(len(asked.dialogues.dialogues), PART_PROMPTS)
    return Cell(model, asked, components, tuple(Part(i, asked, each) for i, each in enumerate(slices)))


def _parts(task: LoadedTask, limit: int | None) -> tuple[Part, ...]:
    slices = [
        (leaf, range(first, min(first + PART_ITEMS, n_items)))
        for leaf in task.leaves
        for n_items in [leaf.n_items(limit)]
        for first in range(0, n_items, PART_ITEMS)
    ]
    return tuple(Part(index, leaf, items) for index, (leaf, items) in enumerate(slices))


def _refuse_conflicts(cells: Sequence[Cell], directory: RunDirectory) -> None:
    """Refuse a directory that holds the same cell made in another way, and say what differs."""
    conflicts: dict[str, list[str]] = {}
    for cell in cells:
        stored = directory.stored_components(cell.model.spec.name, cell.task.spec.name)
        if stored is not None and stored != cell.components:
            different = ", ".join(sorted(key for key in cell.components if stored.get(key) != cell.components[key]))
            conflicts.setdefault(different, []).append(cell.name)
    if conflicts:
        reasons = "; ".join(f"{key} of {_some(names)}" for key, names in conflicts.items())
        way_out = "name another --output, or remove that directory"
        raise SpecError([f"{directory.path} holds another run, with different {reasons}; {way_out}"])


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
