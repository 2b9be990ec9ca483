"""Which reward models a checkpoint was trained by, as hashes of their weights, so that a copy of another name is known.

Its training record says it. A record of an earlier version names the reward models and not their weights, and a
checkpoint without a record says nothing: then the reward model that lies beside it, as training leaves it, counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from mplus_eval.records.training import TrainingRecord, read_record
from mplus_eval.store.hashes import weights_hash

OWN = "reward"
"""The folder of the reward model that a recipe trains itself, and how its stages name it."""


def trained_by(checkpoint: Path, weights: str) -> tuple[str, ...]:
    """Hashes of the weights of every reward model that trained a checkpoint, or that may have.

    Args:
        checkpoint: the directory of a model, or of its adapter.
        weights: hash of the model's own. What a reward model was made from was there before it.
    """
    record = read_record(checkpoint)
    if record is None:
        return hashes_of(
            folder for folder, reward in reward_models_beside(checkpoint) if reward.base_fingerprint != weights
        )
    if record.reward_models is not None:
        return record.reward_models
    return hashes_of(_named(record, checkpoint)) if record.method == "rlhf" else ()


def hashes_of(directories: Iterable[Path]) -> tuple[str, ...]:
    """Hashes of the weights in these directories, each once; nothing of a directory without any."""
    return tuple(dict.fromkeys(found for directory in directories if (found := weights_hash(directory))))


def reward_models_beside(checkpoint: Path) -> Iterator[tuple[Path, TrainingRecord]]:
    """The reward model that training left beside a checkpoint, or beside the model whose saved step it is."""
    directory = checkpoint.absolute()
    around = [directory.parent, *([directory.parent.parent] if directory.name.startswith("checkpoint-") else [])]
    for folder in (parent / OWN for parent in around):
        record = read_record(folder)
        if record is not None and record.method == "reward model" and folder != directory:
            yield folder, record


def _named(record: TrainingRecord, checkpoint: Path) -> Iterator[Path]:
    """The directories that the recipe in a record of RLHF names as rewards, of which defaults are left out."""
    stage = record.recipe.get("rlhf", {}).get(record.name, {})
    for part in stage.get("rewards", {OWN: {}}).values():
        if part.get("kind", "model") != "model" or not part.get("weight", 1.0):
            continue
        if part.get("source", OWN) != OWN:
            yield Path(part["source"])
            continue
        yield from (folder for folder, _ in reward_models_beside(checkpoint))
        yield Path(record.recipe.get("output", "")) / OWN
