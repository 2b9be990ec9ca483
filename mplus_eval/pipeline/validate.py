"""What was asked for, looked at whole before any work: folders, backends, sources, suite, the items of every axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mplus_eval.errors import SpecError
from mplus_eval.models.contents import content_faults
from mplus_eval.models.hub import Preparing
from mplus_eval.models.locations import lies_here, model_faults, resolve_source
from mplus_eval.pipeline.axis import AXES, STORED_AXES, Axis
from mplus_eval.spec.backends import BACKENDS
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.decoding import decoding_faults
from mplus_eval.spec.model import ModelSpec
from mplus_eval.spec.suite import Suite, load_suite


@dataclass(frozen=True)
class Validated:
    """What was asked for, with suite and items loaded."""

    spec: CompareSpec
    suite: Suite
    axes: tuple[Axis, ...]


def validate(spec: CompareSpec, preparing: Preparing | None = None, known_faults: Sequence[str] = ()) -> Validated:
    """Load suite and items and look at every source.

    Args:
        spec: what was asked for.
        preparing: called as tasks are loaded.
        known_faults: what is known to be wrong already.

    Raises:
        SpecError: with every fault of all of them at once.
    """
    folders = (("--data-dir", spec.data_dir), ("--tasks-dir", spec.tasks_dir))
    models = [model for model in spec.models if spec.results_of(model) is None]
    backends = {spec.backend_of(model) for model in models}
    faults = [
        *known_faults,
        *(f"{label} {str(path)!r}: no such directory" for label, path in folders if path and not path.is_dir()),
        *(missing for name, backend in BACKENDS.items() if name in backends and (missing := backend.missing)),
    ]
    suite: Suite | None = None
    axes: list[Axis] = []
    faults_of_axes: list[str] = []
    try:
        suite = load_suite(spec.suite)
    except SpecError as error:
        faults_of_axes += error.faults
    if suite is not None:
        for kind in STORED_AXES if spec.stored else AXES:
            axis, wrong = kind.load(spec, suite, preparing)
            faults_of_axes += wrong
            axes += [axis] if axis else []
    talks = any(axis.chats for axis in axes)
    faults += [fault for model in models for fault in _faults_of(model, spec.backend_of(model), talks=talks)]
    if faults or faults_of_axes or suite is None:
        raise SpecError([*faults, *faults_of_axes])
    return Validated(spec, suite, tuple(axes))


def _faults_of(model: ModelSpec, backend: str, *, talks: bool) -> list[str]:
    """What stands in the way of one model; what lies on this machine is looked into."""
    opens = BACKENDS[backend].opens_layers
    faults = [
        *model_faults(model, backend),
        *decoding_faults(model, f"model {model.name!r}", serves_itself=not opens),
    ]
    if faults or not lies_here(model):
        return faults
    return content_faults(model, resolve_source(model, backend), talks=talks)
