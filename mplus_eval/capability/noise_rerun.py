"""The noise rerun: the baseline once more, in batches of another size, for a noise floor.

The requests of every call are sorted, so their order changes no batch, but the batch size changes what is computed
together: the tokens of a pack, or the items that are padded into one batch. Three eighths of the baseline's own size is
another size also where memory has halved either of them, and costs little more time.
"""

from __future__ import annotations

from mplus_eval.spec.model import ModelSpec

BATCH_COMPOSITION = "batch composition"
"""The component of the fingerprint that a noise rerun has besides those of the baseline."""
SUFFIX = "~noise"
"""Ends the name under which the noise rerun is stored; `~` is in no model's name."""


def rerun_model(model: ModelSpec, limit: int | None) -> ModelSpec:
    """The baseline as it is asked once more: under a name of its own, in another batch size.

    Args:
        model: the baseline.
        limit: items of a subtask; None for all.
    """
    import torch

    from mplus_eval.backends.hf import DEFAULT_BATCH_SIZE

    batch_size = model.batch_size
    if batch_size == "auto":
        # What the backend takes for it depends on the device.
        device = model.device or ("cuda" if torch.cuda.is_available() else "cpu")
        batch_size = DEFAULT_BATCH_SIZE.get(device.split(":")[0], DEFAULT_BATCH_SIZE["cpu"])
    name = model.name + SUFFIX
    return model.model_copy(update={"name": name, "batch_size": rerun_batch_size(batch_size, limit)})


def batch_composition(model: ModelSpec, limit: int | None) -> str:
    """The batches of a model's noise rerun in words that are the same on every machine."""
    if model.batch_size == "auto":
        return "3/8 of auto"
    return f"{rerun_batch_size(model.batch_size, limit)} instead of {model.batch_size}"


def rerun_batch_size(batch_size: int, limit: int | None = None) -> int:
    """A batch size that composes other batches than the one given: 3/8 of it, and 2 instead of 1.

    Where a subtask has fewer items than a batch has places, it is 3/8 of the items: two sizes that both hold them all
    would make the same batch.
    """
    if batch_size == 1:
        return 2
    return max(1, min(batch_size, limit or batch_size) * 3 // 8)
