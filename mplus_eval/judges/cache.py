"""Verdicts on disk, found again by what was asked of whom, so that a run that died goes on where it stopped.

    DIRECTORY/5d/5d41402a….json    {"value": "A", "reason": "B is off the point.", "tokens_in": 412, "tokens_out": 31,
                                    "sha256": "…"}

One file a verdict, written whole or not at all. Only verdicts are kept: what could not be judged is asked again.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from mplus_eval.store.sealed import recall, write_sealed


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
        """The verdict that is kept under a key; None also when its file is damaged, which is set aside."""
        if self.directory is None or (fields := recall(self._path(key))) is None:
            return None
        value, reason = fields.get("value"), fields.get("reason")
        tokens_in, tokens_out = fields.get("tokens_in"), fields.get("tokens_out")
        if not isinstance(value, str | int) or isinstance(value, bool) or not isinstance(reason, str):
            return None
        if not isinstance(tokens_in, int) or not isinstance(tokens_out, int):
            return None
        # An earlier version kept halves of surrogate pairs, which no encoding has.
        reason = reason.encode("utf-8", "replace").decode("utf-8")
        return JudgeVerdict(value, reason, tokens_in, tokens_out)

    def put(self, key: str, verdict: JudgeVerdict) -> None:
        """Keep a verdict."""
        if self.directory is None:
            return
        write_sealed(self._path(key), asdict(verdict))

    def _path(self, key: str) -> Path:
        assert self.directory is not None
        return self.directory / key[:2] / f"{key}.json"
