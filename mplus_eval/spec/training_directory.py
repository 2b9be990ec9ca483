"""What a training left in its directory: the final model at its top, once there is one, and saved steps.

    OUTPUT/                     the final model
    OUTPUT/checkpoint-<step>/   the model or adapter of a step, with the state to go on from

This project's trainer puts a training record into each of them. transformers' Trainer, and with it TRL's, puts a
`trainer_state.json` into saved steps alone, and a tokenizer only where it was given one. Both are written last: a saved
step without them is still being written, is being deleted, or was left by a trainer that was killed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mplus_eval.errors import UsageError
from mplus_eval.records.training import RECORD_FILE, TrainingRecord, read_record
from mplus_eval.store.hashes import NOT_WEIGHTS, WEIGHT_PATTERNS, hash_files

STATE_FILE = "trainer_state.json"
"""Of transformers' Trainer, in every saved step."""
_ADAPTER_FILE = "adapter_config.json"
_WEIGHTS = ("model.safetensors", "pytorch_model.bin", "adapter_model.safetensors", "adapter_model.bin")
_EXPECTED = f"a checkpoint-N with a {RECORD_FILE}, or transformers' {STATE_FILE}, is expected in it"


@dataclass(frozen=True)
class SavedStep:
    """A saved step that is whole."""

    path: Path
    step: int


@dataclass(frozen=True)
class TrainingDirectory:
    """What a training left.

    Attributes:
        path: its directory.
        name: of what is trained.
        role: what the training record says; empty where there is none.
        base: what is trained, or what its adapters belong to; empty where nothing says it.
        revision: of the base.
        adapts: the base that its adapters name; empty where whole models are saved.
        dtype: the precision that it computed in, which may be less than what it saved; auto where nothing says it.
        final: the step of the model at the top; None while training goes on.
        steps: the whole ones in order, without one that is the final model again.
    """

    path: Path
    name: str
    role: str
    base: str
    revision: str | None
    adapts: str
    dtype: Literal["auto", "float32", "bfloat16"]
    final: int | None
    steps: tuple[SavedStep, ...]


def find_training(directory: Path) -> TrainingDirectory:
    """Find what a training left, whichever trainer it was.

    Raises:
        UsageError: when there is no such directory, or no whole saved step in it besides the final model.
    """
    where = f"--trajectory {str(directory)!r}"
    if not directory.is_dir():
        raise UsageError(f"{where}: no such directory")
    final, steps = read_record(directory), saved_steps(directory)
    record = final or (read_record(steps[-1].path) if steps else None)
    training = _recorded(directory, record, final, steps) if record else _trainers(directory)
    if training is None or not training.steps:
        what = "not a training directory" if training is None else "no saved step besides the final checkpoint"
        others = "".join(f"; {path.name} is left out: {why}" for path, why in not_whole(directory).items())
        raise UsageError(f"{where}: {what}; {_EXPECTED}{others}")
    return training


def saved_steps(directory: Path) -> tuple[SavedStep, ...]:
    """The saved steps that have a training record, in order, without one that is the final model again."""
    final = read_record(directory)
    records = [
        (path, record)
        for path in directory.glob("checkpoint-*")
        if (record := read_record(path)) and not record.damage(path)
    ]
    steps = [SavedStep(path, record.step) for path, record in records if final is None or record.step != final.step]
    return tuple(sorted(steps, key=lambda saved: saved.step))


def not_whole(directory: Path) -> dict[Path, str]:
    """The saved steps that cannot be evaluated, in order, and why."""
    folders = _folders(directory)
    if read_record(directory) or any(read_record(path) for path in folders):
        return {path: why for path in folders if (why := _lack_of_recorded(path))}
    return {path: why for path in folders if (why := _lack(path))}


def _lack_of_recorded(path: Path) -> str | None:
    """What a saved step of this project's trainer lacks, or None."""
    record = read_record(path)
    if record is None:
        return f"it has no {RECORD_FILE}, which is written last"
    return record.damage(path)


def has_tokenizer(directory: Path) -> bool:
    """Tell whether transformers saved a tokenizer there."""
    return (directory / "tokenizer_config.json").is_file()


def _recorded(
    directory: Path, record: TrainingRecord, final: TrainingRecord | None, steps: tuple[SavedStep, ...]
) -> TrainingDirectory:
    """A training of this project; `record` is the final one, or the last step's."""
    return TrainingDirectory(
        path=directory,
        name=record.name,
        role=record.role,
        base=record.base,
        revision=record.recipe.get("revision"),
        adapts=_adapter_base(steps[-1].path if steps else directory),
        # A recipe that says nothing computes in float32.
        dtype="bfloat16" if record.recipe.get("dtype") == "bfloat16" else "float32",
        final=final.step if final else None,
        steps=steps,
    )


def _trainers(directory: Path) -> TrainingDirectory | None:
    """A training of transformers' Trainer; None where no saved step is whole."""
    whole = [SavedStep(path, int(_state(path)["global_step"])) for path in _folders(directory) if not _lack(path)]
    if not whole:
        return None
    steps = sorted(whole, key=lambda saved: saved.step)
    adapts = _adapter_base(steps[-1].path)
    final = _final_step(directory, steps) if _missing_weights(directory) is None else None
    return TrainingDirectory(
        path=directory,
        name=re.sub(r"[^A-Za-z0-9._-]+", "-", directory.resolve().name).lstrip("-._"),
        role="",
        base=adapts,
        revision=None,
        adapts=adapts,
        dtype="auto",
        final=final,
        steps=tuple(saved for saved in steps if saved.step != final),
    )


def _final_step(directory: Path, steps: list[SavedStep]) -> int:
    """The step of the model at the top.

    Trainer may have gone back to the best saved step in the end, and says so nowhere: the weights tell.
    """
    last = _state(steps[-1].path)
    weights = _weights_hash(directory)
    for saved in reversed(steps):
        if saved.step in (steps[-1].step, last.get("best_global_step")) and _weights_hash(saved.path) == weights:
            return saved.step
    told = (_state(directory).get("global_step"), last.get("max_steps"))
    return next((step for step in told if type(step) is int and step > 0), steps[-1].step)


def _folders(directory: Path) -> list[Path]:
    """The folders of saved steps, whole or not, in order."""
    numbers = {path: re.fullmatch(r"checkpoint-(\d+)", path.name) for path in directory.glob("checkpoint-*")}
    return sorted((path for path, number in numbers.items() if number), key=lambda path: int(numbers[path][1]))  # type: ignore[index]


def _lack(path: Path) -> str | None:
    """What a saved step of Trainer lacks, or None."""
    if not isinstance(_state(path).get("global_step"), int):
        return f"it has no whole {STATE_FILE}, which is written last"
    return _missing_weights(path)


def _missing_weights(path: Path) -> str | None:
    """Which weights are not there, or None."""
    if any((path / name).is_file() for name in _WEIGHTS):
        return None
    for name in _WEIGHTS:
        if shards := _object(path / f"{name}.index.json").get("weight_map"):
            absent = sorted(shard for shard in set(shards.values()) if not (path / shard).is_file())
            return f"it lacks {absent[0]}" if absent else None
    sharded = any(path.glob("pytorch_model_fsdp*")) or any(path.glob("global_step*"))
    return "it has no weights" + (", only the shards of a group of processes; merge them first" if sharded else "")


def _adapter_base(path: Path) -> str:
    """The base that an adapter names; empty for a whole model."""
    return str(_object(path / _ADAPTER_FILE).get("base_model_name_or_path") or "")


def _weights_hash(path: Path) -> str:
    files = [file for pattern in WEIGHT_PATTERNS for file in path.glob(pattern) if file.name not in NOT_WEIGHTS]
    return hash_files(files)


def _state(path: Path) -> Mapping[str, Any]:
    return _object(path / STATE_FILE)


def _object(path: Path) -> Mapping[str, Any]:
    """A JSON object; an empty one where there is none, or it is not whole."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
