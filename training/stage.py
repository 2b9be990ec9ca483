"""A stage: one model that is trained, the directory it is trained in, and whether that directory may be used.

OUTPUT/<name>/stage.json        what the stage depends on; another run in the same place is refused by it
OUTPUT/<name>/checkpoint-<n>/   saved steps, each with the state to go on from and a `training.json`, written last
OUTPUT/<name>/steps.jsonl       what was logged, a line a step
OUTPUT/<name>/                  the final checkpoint, with its `training.json`
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mplus_eval.records.training import TrainingRecord, read_record
from mplus_eval.store.files import write_json
from mplus_eval.store.hashes import hash_components

STAGE_FILE = "stage.json"
STEPS_FILE = "steps.jsonl"


@dataclass(frozen=True)
class Stage:
    """One model to train. `components` are all that its weights depend on, by name."""

    name: str
    directory: Path
    components: Mapping[str, str]

    @cached_property
    def hash(self) -> str:
        """One hash over the components."""
        return hash_components(self.components)

    @property
    def record(self) -> TrainingRecord | None:
        """The final checkpoint's record, once the stage is complete."""
        record = read_record(self.directory)
        return record if record is not None and record.stage_hash == self.hash else None

    def fault(self) -> str | None:
        """Why the directory cannot be used, or None: it is new, or holds this very stage."""
        if not self.directory.is_dir() or not any(self.directory.iterdir()):
            return None
        try:
            stored = json.loads((self.directory / STAGE_FILE).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            stored = None
        if not isinstance(stored, dict):
            return f"{self.directory} holds something else; name another output, or remove that directory"
        if stored == dict(self.components):
            return None
        different = ", ".join(sorted(key for key in self.components if stored.get(key) != self.components[key]))
        return f"{self.directory} holds another run, with different {different}; name another output, or remove it"

    def checkpoints(self) -> list[Path]:
        """The whole saved steps, in order."""
        whole = [path for path in self.directory.glob("checkpoint-*") if read_record(path) is not None]
        return sorted(whole, key=step_of)

    def last_checkpoint(self) -> Path | None:
        """The last whole saved step; one that a killed process left half written is no checkpoint."""
        return next(reversed(self.checkpoints()), None)

    def begin(self) -> None:
        """Mark the directory as this stage's, and remove what a killed process left in it.

        That is half checkpoints, and logged steps after the last whole one.
        """
        write_json(self.directory / STAGE_FILE, dict(self.components))
        whole = set(self.checkpoints())
        for path in self.directory.glob("checkpoint-*"):
            if path not in whole:
                shutil.rmtree(path)
        log = self.directory / STEPS_FILE
        if not log.is_file():
            return
        last = self.last_checkpoint()
        last_step = step_of(last) if last else 0
        lines = [line for line in log.read_text(encoding="utf-8").splitlines() if _logged_step(line) <= last_step]
        log.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def step_of(checkpoint: Path) -> int:
    """The step of a folder `checkpoint-<n>`.

    >>> step_of(Path("plus/checkpoint-40"))
    40
    """
    return int(checkpoint.name.rpartition("-")[2])


def _logged_step(line: str) -> float:
    """The step of a logged line; a line that a killed process left unfinished comes after every step."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError):
        return float("inf")
