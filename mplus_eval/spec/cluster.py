"""A Ray cluster as it is asked for: where it is, and how much of it each worker takes."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mplus_eval.spec.compare import CompareSpec

AUTO = "auto"
"""The address of the cluster that this machine is part of."""
_OF_RAY = {"address": None, "gpus_per_model": None, "cpus_per_model": 1.0}
"""Options that only Ray has, with their defaults."""


def cluster_faults(spec: CompareSpec) -> list[str]:
    """What is wrong with the cluster that was asked for, a line each."""
    if spec.executor != "ray":
        given = [key for key, default in _OF_RAY.items() if getattr(spec, key) != default]
        return [f"--{key.replace('_', '-')} {getattr(spec, key)}: belongs to --executor ray" for key in given]
    faults = []
    if spec.devices is not None:
        faults.append(f"--devices {','.join(spec.devices)}: not with --executor ray, whose nodes say what they have")
    if spec.address is not None and spec.address != AUTO and not re.fullmatch(r"[^\s:/@]+:\d{1,5}", spec.address):
        accepted = "HOST:PORT of the cluster's head, whose port is 6379 unless it was started otherwise, or auto"
        faults.append(f"--address {spec.address!r}: {accepted}, is accepted")
    for key in ("gpus_per_model", "cpus_per_model"):
        value = getattr(spec, key)
        if value is not None and value > 1 and value != int(value):
            faults.append(f"--{key.replace('_', '-')} {value}: a whole number, or a part of one, is accepted")
    if find_spec("ray") is None:
        faults.append("--executor ray: needs the package ray: pip install 'mplus-eval[ray]'")
    return faults
