"""The second pass of a noise floor: the baseline once more, in batches of another size.

lm-eval's `HFLM` sorts the requests of every call by length, so their order changes no batch, but the batch size changes
which items are padded together and which kernels compute them. Three eighths of the first pass's size is another size
also where memory has halved either of them, and costs little more time.
"""

from __future__ import annotations

from typing import Literal

from mplus_eval.spec import ModelSpec

SUFFIX = "~noise"
"""Ends the name under which the second pass is stored; `~` is in no model's name."""

_INSTEAD_OF_AUTO = {"cuda": 24}
_INSTEAD_OF_AUTO_ELSEWHERE = 6


def second_pass(model: ModelSpec) -> ModelSpec:
    """The baseline as it is asked a second time: a name of its own and another batch size."""
    batch_size = other_batch_size(model.batch_size, model.device or _usual_device())
    return model.model_copy(update={"name": model.name + SUFFIX, "batch_size": batch_size})


def composition(model: ModelSpec) -> str:
    """The batches of a model's second pass in words that are the same on every machine."""
    if model.batch_size == "auto":
        return "3/8 of auto"
    return f"{other_batch_size(model.batch_size, '')} instead of {model.batch_size}"


def other_batch_size(batch_size: int | Literal["auto"], device: str) -> int:
    """A batch size that is not the one given: 3/8 of it, and 2 instead of 1.

    Args:
        batch_size: of the first pass.
        device: where it runs, such as `cuda:1`; what `auto` means depends on it.
    """
    if batch_size == "auto":
        return _INSTEAD_OF_AUTO.get(device.split(":")[0], _INSTEAD_OF_AUTO_ELSEWHERE)
    return 2 if batch_size == 1 else max(1, batch_size * 3 // 8)


def _usual_device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
