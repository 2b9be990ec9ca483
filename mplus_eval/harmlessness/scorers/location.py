"""Where the model of a scorer lies: a directory, or a repository of the hub that is fetched where that is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mplus_eval.data.hub import offline, reason
from mplus_eval.errors import SpecError, UsageError
from mplus_eval.harmlessness.scorers.model_scorer import ways_out
from mplus_eval.models.hub import checkpoint_files, fetch


def checkpoint_directory(scorer: str, place: str, *, weights: bool) -> Path:
    """Return the directory of a scorer's checkpoint, which is taken as safetensors and without code.

    Args:
        scorer: as it was asked for, for messages.
        place: directory or hub id.
        weights: whether they are fetched too.

    Raises:
        UsageError: when it cannot be had, with the ways out.
    """
    import httpx
    from huggingface_hub.errors import HFValidationError

    if (directory := Path(place).expanduser()).is_dir():
        return directory
    where = f"scorer {scorer!r}"

    def choose(names: Sequence[str]) -> list[str]:
        chosen = [name for name in checkpoint_files(names) if not name.endswith((".bin", ".py"))]
        if not any(name.endswith(".safetensors") for name in chosen):
            raise UsageError(f"{where}: {place} on the hub has no weights as safetensors")
        return [name for name in chosen if weights or not name.endswith(".safetensors")]

    try:
        return fetch(place, None, choose)
    except (SpecError, HFValidationError, httpx.HTTPError, OSError) as error:
        why = "HF_HUB_OFFLINE is set" if offline() else reason(error)
        nowhere = f"no directory {place} here, and no such model on the hub or in its cache"
        raise UsageError(f"{where}: {nowhere} ({why}): {ways_out(scorer)}") from error
