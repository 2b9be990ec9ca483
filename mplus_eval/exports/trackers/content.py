"""What is logged of a run, the same for every tracker.

Local paths are shortened to their last name, since a tracker may send what it gets to a server.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mplus_eval import __version__
from mplus_eval.exports.local_paths import without_local_paths
from mplus_eval.exports.tables import Row, Table, Value, along, decision, scalars
from mplus_eval.reports.text import visible

if TYPE_CHECKING:
    from mplus_eval.exports import StoredRun

PROJECT = "mplus-eval"
"""The project, or experiment, that runs are logged to."""


@dataclass(frozen=True)
class Logged:
    """What is logged of one run."""

    name: str
    directory: Path
    settings: Mapping[str, str | int | float]
    """What was compared, and how."""
    scalars: Mapping[str, float]
    """Figures by `model/task/figure`."""
    decision: Table
    """A row for each model and axis."""
    series: Mapping[str, list[tuple[int, dict[str, float]]]]
    """By training, the step and the figures that are known of it, from step 0, the baseline, on."""
    files: tuple[Path, ...]
    """The page, its Markdown and the comparison."""

    @classmethod
    def of(cls, run: StoredRun) -> Logged:
        """Gather it."""
        comparison, directory = run.comparison, run.directory.path
        given: dict[str, str | int | float | None] = {
            "mplus_eval": __version__,
            "suite": comparison.suite,
            "baseline": comparison.baseline,
            "seed": comparison.seed,
            "limit": comparison.limit,
            "budget": comparison.budget,
            "level": comparison.level,
            **{f"model/{name}": comparison.models[name].source for name in run.models},
        }
        known = {key: value for key, value in given.items() if value is not None}
        settings = {key: visible(value) if isinstance(value, str) else value for key, value in known.items()}
        return cls(
            name=directory.resolve().name,
            directory=directory,
            settings=without_local_paths(settings),
            scalars=scalars(run),
            decision=[_shown(row) for row in decision(run)],
            series={
                name: [(int(str(row["step"])), _numbers(row)) for row in steps]
                for name, steps in along(comparison).items()
            },
            files=tuple(
                path for name in ("report.html", "report.md", "comparison.json") if (path := directory / name).is_file()
            ),
        )

    @property
    def columns(self) -> list[str]:
        """Of the decision."""
        return list(dict.fromkeys(name for row in self.decision for name in row))

    def cells(self) -> list[list[Value]]:
        """The decision, row by row."""
        return [[row.get(name) for name in self.columns] for row in self.decision]


def plain_key(name: str) -> str:
    """A name as every tracker takes it: letters, digits, and `_ - . /` and space."""
    return re.sub(r"[^\w\-./ ]", "_", name)


def _shown(row: Row) -> Row:
    return {name: visible(value) if isinstance(value, str) else value for name, value in row.items()}


def _numbers(row: Row) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in row.items()
        if name != "step" and isinstance(value, int | float) and not isinstance(value, bool)
    }
