"""One thing that `gpu.py` measured: a number, what it is held against, and what else was seen beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Bench:
    """What a section measures on."""

    device: str
    tiny: bool
    """On a processor with a small model, where goals of speed say nothing."""
    ends: float
    """When the section must be done, in seconds since the epoch."""


@dataclass(frozen=True)
class Line:
    """One number."""

    name: str
    value: float | None = None
    unit: str = ""
    goal: float | None = None
    """It is to be this at least: missed where it is not."""
    limit: float | None = None
    """It may be this at most: a fault where it is more, or not a number."""
    note: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> Literal["ok", "MISSED", "FAULT", ""]:
        """How it stands to what it is held against; empty where nothing is asked of it."""
        if self.limit is not None:
            within = self.value is not None and not math.isnan(self.value) and self.value <= self.limit
            return "ok" if within else "FAULT"
        if self.goal is None:
            return ""
        return "ok" if self.value is not None and self.value >= self.goal else "MISSED"

    def row(self) -> str:
        """As the table shows it."""
        held = f"≥ {self.goal:g}" if self.goal is not None else f"≤ {self.limit:.3g}" if self.limit is not None else ""
        value = "" if self.value is None else f"{self.value:.3g} {self.unit}"
        return f"  {self.name:38}{value:>18}{held:>12}  {self.status:7}{self.note}".rstrip()
