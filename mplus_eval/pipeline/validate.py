"""What was asked for, looked at whole before any work: folders, backends, sources, suite, the items of every axis.

Whatever can be told without data is told at once and ends it: nobody waits minutes for datasets to hear of a wrong
path.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from mplus_eval.errors import SpecError
from mplus_eval.models.contents import content_faults
from mplus_eval.models.hub import Preparing
from mplus_eval.models.locations import lies_here, model_faults, resolve_source
from mplus_eval.pipeline.axis import AXES, STORED_AXES, Axis
from mplus_eval.servers.api import forget
from mplus_eval.spec.backends import BACKENDS
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.decoding import decoding_faults
from mplus_eval.spec.executors import device_faults
from mplus_eval.spec.model import ModelSpec
from mplus_eval.spec.suite import Suite, load_suite
from mplus_eval.spec.trackers import missing_trackers


@dataclass(frozen=True)
class Validated:
    """What was asked for, with suite and items loaded."""

    spec: CompareSpec
    suite: Suite
    axes: tuple[Axis, ...]
    talks: bool
    """Whether anything is put to models as a user's words."""


def validate(spec: CompareSpec, preparing: Preparing | None = None, known_faults: Sequence[str] = ()) -> Validated:
    """Load suite and items and look at every source.

    Args:
        spec: what was asked for.
        preparing: called as tasks are loaded.
        known_faults: what is known to be wrong already.

    Raises:
        SpecError: with every fault that needs no data; else, with everything that the data lack.
    """
    forget()
    folders = (("--data-dir", spec.data_dir), ("--tasks-dir", spec.tasks_dir))
    models = [model for model in spec.models if spec.results_of(model) is None]
    backends = {spec.backend_of(model) for model in models}
    faults = [
        *known_faults,
        *(f"{label} {str(path)!r}: no such directory" for label, path in folders if path and not path.is_dir()),
        *(missing for name, backend in BACKENDS.items() if name in backends and (missing := backend.missing)),
        *missing_trackers(spec.log_to),
        *_faults_of_devices(spec, models),
    ]
    suite: Suite | None = None
    faults_of_suite: list[str] = []
    try:
        suite = load_suite(spec.suite)
    except SpecError as error:
        faults_of_suite += error.faults
    kinds = STORED_AXES if spec.stored else AXES
    talks = suite is not None and any(kind.chats(spec, suite) for kind in kinds)
    faults += [fault for model in models for fault in _faults_of(model, spec.backend_of(model), talks=talks)]
    if suite is not None:
        faults_of_suite += [fault for kind in kinds for fault in kind.faults(spec, suite)]
    if faults or faults_of_suite or suite is None:
        raise SpecError([*faults, *faults_of_suite])
    loaded = [kind.load(spec, suite, preparing) for kind in kinds]
    if lacking := [fault for _, faults_of_axis in loaded for fault in faults_of_axis]:
        raise SpecError(lacking)
    return Validated(spec, suite, tuple(axis for axis, _ in loaded if axis is not None), talks)


def _faults_of_devices(spec: CompareSpec, models: Sequence[ModelSpec]) -> list[str]:
    """Devices that are not there, or that models contradict; a worker, which has its own, is given none."""
    if spec.executor == "shared" and os.name == "nt":
        return ["--executor shared: Windows has no locks that several machines hold together; local is accepted"]
    if spec.devices is None:
        return []
    import torch

    named = {model.name: model.device for model in models if model.device}
    needed = {model.name: model.n_devices for model in models}
    return device_faults(spec.devices, torch.cuda.device_count(), named, needed)


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
