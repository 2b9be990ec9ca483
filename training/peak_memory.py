"""The most memory that was held since it was last asked to begin: the device's, or the machine's for a processor."""

from __future__ import annotations

import ctypes
import re
from contextlib import suppress
from pathlib import Path

import torch

from mplus_eval.training.speed import GIB

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def begin_peak(device: torch.device) -> None:
    """Give back what was freed, and forget what was held before; only Linux can, and a GPU."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    give_back()
    # Where it is not Linux, or not allowed, nothing is told of the peak either, or that of the whole process.
    with suppress(OSError):
        _CLEAR.write_text("5", encoding="ascii")


def give_back() -> None:
    """Give the machine what was freed.

    GNU's C library keeps it in pieces of some megabytes, which rows of other lengths don't fit: gigabytes after some
    dozen steps. Others have no such call.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def peak_gib(device: torch.device) -> float | None:
    """The most since then in GiB: of a GPU what torch held, of a processor what the process held; None if unknown."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device) / GIB)
    try:
        found = re.search(r"^VmHWM:\s+(\d+) kB", _STATUS.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 / GIB if found else None
