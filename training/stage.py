"""A stage: one model that is trained, the directory it is trained in, and whether that directory may be used.

OUTPUT/<name>/stage.json        what the stage depends on; another run in the same place is refused by it
OUTPUT/<name>/checkpoint-<n>/   saved steps, each with the state to go on from and a `training.json`, written last
OUTPUT/<name>/steps.jsonl       what was logged, a line a step
OUTPUT/<name>/                  the final checkpoint, with its `training.json`
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mplus_eval.records.training import RECORD_FILE, TrainingRecord, damage_of, read_record
from mplus_eval.store.files import clear_leftovers, set_aside, write_whole
from mplus_eval.store.hashes import hash_components
from mplus_eval.store.sealed import DamagedFileError, read_sealed, write_sealed

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
        """The final checkpoint's record, once the stage is complete and as long as nothing that it left has changed."""
        record = read_record(self.directory)
        if record is None or record.stage_hash != self.hash or record.damage(self.directory):
            return None
        return record

    def fault(self) -> str | None:
        """Why the directory cannot be used, or None: it is new, or holds this very stage."""
        if not self.directory.is_dir() or not any(self.directory.iterdir()):
            return None
        try:
            stored = read_sealed(self.directory / STAGE_FILE)
        except DamagedFileError:
            # Whose it is, its checkpoints say too.
            if any(self._is_own(path) for path in (self.directory, *self.directory.glob("checkpoint-*"))):
                return None
            return f"{self.directory} holds something else; name another output, or remove that directory"
        if stored == dict(self.components):
            return None
        different = ", ".join(sorted(key for key in self.components if stored.get(key) != self.components[key]))
        return f"{self.directory} holds another run, with different {different}; name another output, or remove it"

    def checkpoints(self) -> list[Path]:
        """The whole saved steps of this stage, in order, whose models can be used."""
        whole = [path for path in self.directory.glob("checkpoint-*") if self._is_own(path) and not damage_of(path)]
        return sorted(whole, key=step_of)

    def last_checkpoint(self) -> Path | None:
        """The last saved step that training can go on from.

        One that a killed process left half written is none, nor is one of which a file is not what was saved.
        """
        for path in reversed(self.checkpoints()):
            record = read_record(path)
            if record is not None and not record.damage(path, with_state=True):
                return path
        return None

    def begin(self, say: Callable[[str], None] = lambda _: None) -> None:
        """Mark the directory as this stage's, and remove what cannot be used in it.

        That is what a killed process left, half checkpoints among it, checkpoints that are not what was saved, all
        after the last one that training can go on from, and logged steps after that.

        Args:
            say: told of what is damaged.
        """
        last = self.last_checkpoint()
        last_step = step_of(last) if last else 0
        whole = {path for path in self.checkpoints() if step_of(path) <= last_step}
        others = [path for path in self.directory.glob("checkpoint-*") if path not in whole]
        goes_on = f"training goes on from {last.name}" if last else "training begins anew"
        for path in (self.directory, *others):
            record = read_record(path)
            if record is not None and (damage := record.damage(path, with_state=True)):
                say(f"{self.name}: {path} is damaged, so it is made again ({damage}); {goes_on}")
        write_sealed(self.directory / STAGE_FILE, self.components)
        # Without its record, the final checkpoint is one that is still to be made.
        (self.directory / RECORD_FILE).unlink(missing_ok=True)
        clear_leftovers([self.directory])
        for path in others:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        self._cut_log(last_step)

    def _is_own(self, path: Path) -> bool:
        record = read_record(path)
        return record is not None and record.stage_hash == self.hash

    def _cut_log(self, last_step: int) -> None:
        """Drop the logged steps after the last one that training goes on from."""
        log = self.directory / STEPS_FILE
        if log.is_symlink() or (log.exists() and not log.is_file()):
            set_aside(log)
        if log.is_file():
            text = log.read_text(encoding="utf-8", errors="replace")
            lines = [line for line in text.splitlines() if _logged_step(line) <= last_step]
            write_whole(log, "".join(f"{line}\n" for line in lines))


def step_of(checkpoint: Path) -> int:
    """The step of a folder `checkpoint-<n>`.

    >>> step_of(Path("plus/checkpoint-40"))
    40
    """
    return int(checkpoint.name.rpartition("-")[2])


def _logged_step(line: str) -> float:
    """The step of a logged line; one that was left unfinished, or is damaged, comes after every step."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return float("inf")
