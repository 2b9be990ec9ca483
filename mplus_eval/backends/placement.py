"""Where the parts of a model of transformers go, and the folder of those that go to the disk.

Parts on the disk are read from the checkpoint itself where they are used as they stand there. What transformers has to
convert first, as the experts of many models, it writes to a folder: the one that was named, or a temporary one.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mplus_eval.spec.model import ModelSpec
from mplus_eval.store.hashes import cache_directory

OUT_OF_MEMORY = (
    "device_map=auto spreads a model over GPUs, main memory and disk, max_memory=0:20GiB+cpu:60GiB says how much of "
    "each, tp_plan=auto splits it over processes; dtype=bfloat16 or quantization=4bit makes it smaller"
)
"""What a model's keys can do about it."""


@dataclass(eq=False)
class Placement:
    """Of one model, while it is loaded."""

    of_hflm: dict[str, Any] = field(default_factory=dict)
    """Arguments of `CheckedHFLM`, by which it leaves the model where transformers has put it."""
    folder: Path | None = None
    """A temporary one, which is removed with the model, or at the latest with this process."""

    def __post_init__(self) -> None:
        """See to it that the folder is removed."""
        if self.folder is not None:
            self._removal = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    @classmethod
    def of(cls, model: ModelSpec) -> Placement:
        """What a model's keys ask for; nothing where it lies on one device."""
        if model.tp_plan is not None:
            from transformers.distributed.configuration_utils import DistributedConfig

            # Named so, since transformers 5.18 no longer takes the plan alone.
            split = {"tp_plan": None, "distributed_config": DistributedConfig(tp_plan=model.tp_plan)}
            return cls({"tp_plan": model.tp_plan, "placement": split})
        if model.device_map is None:
            return cls()
        folder = None if model.offload_folder else temporary_folder()
        placement = {
            "device_map": model.device_map,
            "max_memory": model.max_memory,
            "offload_folder": model.offload_folder or str(folder),
        }
        return cls({"parallelize": True, "placement": placement}, folder)

    def clear(self) -> None:
        """Remove what was written for it."""
        if self.folder is not None:
            self._removal()


def temporary_folder() -> Path:
    """A new folder in the cache, whose disk is large, as that of temporary files often is not.

    Folders that killed processes of this machine left are removed.
    """
    import psutil

    parent, machine = cache_directory() / "offloaded", socket.gethostname()
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob(f"{machine}.*.*"):
        process = left.name.split(".")[-2]
        if process.isdecimal() and not psutil.pid_exists(int(process)):
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{machine}.{os.getpid()}.", dir=parent))
