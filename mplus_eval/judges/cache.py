"""Verdicts on disk, found again by what was asked of whom, so that a run that died goes on where it stopped.

    DIRECTORY/5d/5d41402a….json    {"value": "A", "reason": "B is off the point.", "tokens_in": 412, "tokens_out": 31}

One file a verdict, written whole or not at all. Only verdicts are kept: what could not be judged is asked again.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from mplus_eval.store.files import write_whole


@dataclass(frozen=True)
class JudgeVerdict:
    """What a judge chose, why, and what it cost."""

    value: str | int
    reason: str
    tokens_in: int
    tokens_out: int


@dataclass(frozen=True)
class VerdictCache:
    """Verdicts in a directory; without one, nothing is kept."""

    directory: Path | None

    def get(self, key: str) -> JudgeVerdict | None:
        """The verdict that is kept under a key; None also when its file is damaged."""
        if self.directory is None:
            return None
        try:
            fields = json.loads(self._path(key).read_text(encoding="utf-8"))
            return JudgeVerdict(fields["value"], fields["reason"], int(fields["tokens_in"]), int(fields["tokens_out"]))
        except (FileNotFoundError, KeyError, TypeError, ValueError):
            return None

    def put(self, key: str, verdict: JudgeVerdict) -> None:
        """Keep a verdict."""
        if self.directory is None:
            return
        write_whole(self._path(key), json.dumps(asdict(verdict)) + "\n")

    def _path(self, key: str) -> Path:
        assert self.directory is not None
        return self.directory / key[:2] / f"{key}.json"
