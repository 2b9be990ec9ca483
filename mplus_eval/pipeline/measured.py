"""How long items of finished cells took, in this run's directory or in another run's manifest."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from mplus_eval.errors import UsageError
from mplus_eval.models.cells import Cell
from mplus_eval.pipeline.plan import Plan
from mplus_eval.pipeline.speed import Span
from mplus_eval.pipeline.stored import stored_parts
from mplus_eval.store.run_directory import RunDirectory

_SAME, _SAME_TASK, _SAME_KIND = 1.15, 1.5, 3.0
"""Factors by which seconds an item may be off: of the same cell, another model's, another task's of the kind."""


@dataclass(frozen=True)
class Measured:
    """Items and seconds by model, task and kind of task; the kind is empty where it is not known."""

    cells: Mapping[tuple[str, str, str], tuple[int, float]]

    @classmethod
    def of_run(cls, path: Path, kinds: Mapping[str, str]) -> Self:
        """Read a run's manifest.

        Args:
            path: the run directory.
            kinds: of the tasks that will be asked, by name.

        Raises:
            UsageError: there is none.
        """
        RunDirectory(path).refuse_foreign()
        manifest = RunDirectory(path).manifest
        try:
            cells = {
                (str(cell["model"]), str(cell["task"]), kinds.get(str(cell["task"]), "")): (
                    int(cell["n_items"]),
                    float(cell["seconds"]),
                )
                for cell in json.loads(manifest.read_text(encoding="utf-8"))["cells"]
            }
            return cls({key: (n, took) for key, (n, took) in cells.items() if n > 0 and 0 <= took < math.inf})
        except OSError:
            accepted = "the directory of a finished run is accepted"
            raise UsageError(f"--from-run {path}: holds no manifest.json; {accepted}") from None
        except (ValueError, TypeError, LookupError, OverflowError, RecursionError):
            raise UsageError(f"--from-run {path}: its manifest.json is none of a run's") from None

    @classmethod
    def of_plan(cls, plan: Plan, directory: RunDirectory) -> Self:
        """What is stored of a plan's cells."""
        cells = {}
        for cell in plan.cells:
            stored = [
                (len(part.items), info.seconds)
                for part, info in zip(cell.parts, stored_parts(cell, directory), strict=True)
                if info
            ]
            if stored:
                cells[cell.model.spec.name, cell.task, cell.kind] = (
                    sum(items for items, _ in stored),
                    sum(seconds for _, seconds in stored),
                )
        return cls(cells)

    @property
    def models_and_tasks(self) -> set[tuple[str, str]]:
        """The cells."""
        return {(model, task) for model, task, _ in self.cells}

    def over(self, other: Measured) -> Measured:
        """These, and the other's cells besides."""
        return Measured({**other.cells, **self.cells})

    def seconds(self, cell: Cell, n_items: float) -> Span | None:
        """How long items of a cell take, by what is most like it; None where nothing is."""
        model = cell.model.spec.name
        if (own := self._per_item(key for key in self.cells if key[:2] == (model, cell.task))) is not None:
            return Span.around(n_items * own, _SAME)
        if (others := self._per_item(key for key in self.cells if key[1] == cell.task)) is not None:
            return Span.around(n_items * others * self._slowness(model, cell.task), _SAME_TASK)
        if (of_kind := self._per_item(key for key in self.cells if key[2] == cell.kind)) is not None:
            return Span.around(n_items * of_kind, _SAME_KIND)
        return None

    def _slowness(self, model: str, task: str) -> float:
        """How many times as long as the models that did a task this one takes, over what both did; 1 where nothing."""
        others = {name for name, done, _ in self.cells if done == task}
        shared = {done for name, done, _ in self.cells if name == model}
        shared &= {done for name, done, _ in self.cells if name in others}
        own = theirs = 0.0
        for each in shared:
            own += self._per_item(key for key in self.cells if key[:2] == (model, each)) or 0.0
            theirs += self._per_item(key for key in self.cells if key[0] in others and key[1] == each) or 0.0
        return own / theirs if own and theirs else 1.0

    def _per_item(self, keys: Iterable[tuple[str, str, str]]) -> float | None:
        done = [self.cells[key] for key in keys]
        items = sum(n_items for n_items, _ in done)
        return sum(seconds for _, seconds in done) / items if items else None
