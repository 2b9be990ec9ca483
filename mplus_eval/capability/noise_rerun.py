"""The second pass of a noise floor: the baseline once more, in batches of another size.

The requests of every call are sorted, so their order changes no batch, but the batch size changes what is computed
together: the tokens of a pack, or the items that are padded into one batch. Three eighths of the first pass's size is
another size also where memory has halved either of them, and costs little more time.
"""

from __future__ import annotations

from mplus_eval.spec.model import ModelSpec

BATCHES = "batch composition"
"""The component of the fingerprint that a rerun has besides those of the first pass."""
SUFFIX = "~noise"
"""Ends the name under which the second pass is stored; `~` is in no model's name."""


def second_pass(model: ModelSpec, limit: int | None) -> ModelSpec:
    """The baseline as it is asked a second time: a name of its own and another batch size.

    Args:
        model: the baseline.
        limit: items per subtask; None for all.
    """
    other = other_batch_size(first_batch_size(model), limit)
    return model.model_copy(update={"name": model.name + SUFFIX, "batch_size": other})


def composition(model: ModelSpec, limit: int | None) -> str:
    """The batches of a model's second pass in words that are the same on every machine."""
    if model.batch_size == "auto":
        return "3/8 of auto"
    return f"{other_batch_size(model.batch_size, limit)} instead of {model.batch_size}"


def other_batch_size(batch_size: int, limit: int | None = None) -> int:
    """A batch size that composes other batches than the one given: 3/8 of it, and 2 instead of 1.

    Where a subtask has fewer items than a batch has places, it is 3/8 of the items: two sizes that both hold them all
    would make the same batch.
    """
    if batch_size == 1:
        return 2
    return max(1, min(batch_size, limit or batch_size) * 3 // 8)


def first_batch_size(model: ModelSpec) -> int:
    """The batch size of the first pass, whose `auto` depends on the device."""
    from mplus_eval.backends.hf import DEFAULT_BATCH_SIZE

    if model.batch_size != "auto":
        return model.batch_size
    device = (model.device or _usual_device()).split(":")[0]
    return DEFAULT_BATCH_SIZE.get(device, DEFAULT_BATCH_SIZE["cpu"])


def _usual_device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
