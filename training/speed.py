"""How fast the device of a recipe computes: a GPU's data sheet, or a processor's own arithmetic."""

from __future__ import annotations

import time
from dataclasses import dataclass

from mplus_eval.training.recipe import Recipe

GIB = 2**30

# Dense operations a second in bfloat16, bytes a second, and GiB, by the vendor's data sheets.
_GPUS = {
    "H200": (989e12, 4.8e12, 141e9 / GIB),
    "H100": (989e12, 3.35e12, 80e9 / GIB),
    "A100": (312e12, 2.0e12, 80e9 / GIB),
    "L40S": (362e12, 0.864e12, 48e9 / GIB),
    "A10": (125e12, 0.6e12, 24e9 / GIB),
}
_UTILISATION = 0.35
_OF_A_PRODUCT = {"float32": 0.5, "bfloat16": 0.2}
"""Share of the speed of a plain product that training reaches on a processor, by what Gemma 3 270M was measured at: in
bfloat16 the product is several times as fast (AMX), and all else is not."""
CPU = "CPU"


@dataclass(frozen=True)
class DeviceSpeed:
    """How fast a device computes, and where that number is from."""

    device: str
    operations_per_second: float
    bytes_per_second: float | None
    memory_gib: float | None
    source: str


def speed_of(recipe: Recipe) -> DeviceSpeed:
    """The speed of the device that the recipe would run on, as far as it is known here.

    A recipe for a GPU that is checked on a machine without one is estimated for an H100.
    """
    import torch

    if recipe.device == "cpu":
        share = _OF_A_PRODUCT[recipe.dtype]
        source = f"a product of matrices as measured here, x {share} that training makes use of"
        return DeviceSpeed(CPU, _measured(recipe) * share, None, None, source)
    name = torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""
    gpu = next((gpu for gpu in _GPUS if gpu in name), None)
    operations, bandwidth, memory = _GPUS[gpu or "H100"]
    why = "" if gpu else f"; {name} is not known, so an H100 is assumed" if name else "; no GPU is here"
    source = f"{operations / 1e12:.0f} TFLOP/s x {_UTILISATION} that training makes use of, an assumption{why}"
    return DeviceSpeed(gpu or "H100", operations * _UTILISATION, bandwidth, memory, source)


def _measured(recipe: Recipe) -> float:
    """Operations a second of a product of matrices in the recipe's precision, over a fifth of a second."""
    import torch

    before, size = torch.get_num_threads(), 512
    torch.set_num_threads(recipe.threads or before)
    try:
        matrix = torch.ones(size, size, dtype=torch.bfloat16 if recipe.dtype == "bfloat16" else torch.float32)
        matrix @ matrix
        begin, n = time.perf_counter(), 0
        while (seconds := time.perf_counter() - begin) < 0.2:
            matrix @ matrix
            n += 1
    finally:
        torch.set_num_threads(before)
    return n * 2 * size**3 / seconds
