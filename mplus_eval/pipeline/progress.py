"""Progress: one line that says where a run is and how long it will take, on a terminal; plain lines elsewhere.

    plus · hellaswag  412/900 items  ▕██████▌   ▏ 2 of 4 models · 6 min left
    4 workers         5,230/9,000 items  ▕████▌ ▏ 7 of 12 cells · 6 min left

The time left does not count items alone, since a generated answer takes many times as long as a scored choice: every
task left is weighed by the seconds that an item of it took with another model, else by those of its kind.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

if TYPE_CHECKING:
    from mplus_eval.models.cells import Cell, Part

_DULL_TERMINAL_STEPS = 4


class RunProgress:
    """What a run tells of itself while it goes on; by itself it says nothing."""

    def prepare(self, what: str, done: int, total: int) -> None:
        """Say how far one preparation is: a download, hashes of weights, the training of a demo model."""

    def say(self, sentence: str) -> None:
        """Say something before it begins, such as what it will cost."""

    def detail(self, sentence: str) -> None:
        """Say what only those want to know who asked for everything."""

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Say that something goes on that has no items, such as statistics, for as long as the block lasts."""
        yield

    def start(self, missing: Sequence[tuple[Cell, Sequence[Part]]], n_models: int) -> None:
        """Say what is to be computed, cell by cell."""

    def share(self, n_workers: int) -> None:
        """Say that so many workers compute cells at the same time."""

    def start_cell(self, cell: Cell, model_number: int) -> None:
        """Say which cell is being computed."""

    def advance(self, n_items: int) -> None:
        """Say that so many more items of this cell are done."""

    def advance_cell(self, cell: Cell, n_items: int, seconds: float) -> None:
        """Say that a worker did so many more items of a cell in so many seconds."""

    def finish_cell(self, cell: Cell, cause: str | None) -> None:
        """Say that a cell is done, or why it failed."""


class TimeLeft:
    """Estimates the seconds left from the seconds that items of each task and kind have taken so far."""

    def __init__(self, items: Mapping[tuple[str, str, str], int]) -> None:
        """Take the items to compute by (model, task, kind)."""
        self._left = dict(items)
        self._seconds: dict[str, float] = defaultdict(float)
        self._done: dict[str, int] = defaultdict(int)

    def record(self, key: tuple[str, str, str], n_items: int, seconds: float) -> None:
        """Count items that are done and the time that they took."""
        self._left[key] = max(0, self._left.get(key, 0) - n_items)
        for name in (f"task {key[1]}", f"kind {key[2]}", "all"):
            self._seconds[name] += seconds
            self._done[name] += n_items

    def drop(self, key: tuple[str, str, str]) -> None:
        """Count a cell's remaining items as not to be computed."""
        self._left[key] = 0

    def seconds(self) -> float | None:
        """Seconds left, or None before anything was measured."""
        if not self._done["all"]:
            return None
        seconds = 0.0
        for (_, task, kind), n_items in self._left.items():
            measured = next(name for name in (f"task {task}", f"kind {kind}", "all") if self._done[name])
            seconds += n_items * (self._seconds[measured] / self._done[measured])
        return seconds


class ConsoleProgress(RunProgress):
    """One live line on a terminal; a plain line for each finished cell where there is none."""

    def __init__(self, console: Console, *, verbose: bool = False) -> None:
        """Draw on a console, usually that of standard error; with details where `verbose`."""
        self._console = console
        self._verbose = verbose
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            TextColumn("{task.fields[count]}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[rest]}", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._line: TaskID | None = None
        self._time_left = TimeLeft({})
        self._cell: Cell | None = None
        self._cell_items = self._cell_done = self._n_models = self._model_number = 0
        self._items: dict[str, int] = {}
        self._last = 0.0
        self._n_workers = 1
        self._done = self._n_done = 0
        self._started: dict[str, float] = {}
        self._announced: set[tuple[str, int]] = set()
        self._causes: set[tuple[str, str]] = set()

    @contextmanager
    def shown(self) -> Iterator[ConsoleProgress]:
        """Draw for as long as the block lasts."""
        with self._bar:
            yield self

    def prepare(self, what: str, done: int, total: int) -> None:
        """Show a preparation."""
        self._draw(what, f"{done}/{total}", done, total, "")
        step = done * _DULL_TERMINAL_STEPS // max(total, 1)
        if (what, step) not in self._announced:
            self._announced.add((what, step))
            self._say(f"{what}  {done}/{total}")

    def say(self, sentence: str) -> None:
        """Leave a line above the bar."""
        self._console.print(sentence, markup=False, highlight=False, soft_wrap=True)

    def detail(self, sentence: str) -> None:
        """Leave a line, where details are wanted."""
        if self._verbose:
            self.say(sentence)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Show a phase by its name; with its seconds once it is over, where details are wanted."""
        started = time.monotonic()
        self._draw(name, "", None, None, "")
        self._say(name)
        yield
        self.detail(f"{name}  {time.monotonic() - started:.1f} s")

    def start(self, missing: Sequence[tuple[Cell, Sequence[Part]]], n_models: int) -> None:
        """Take the list of what is to be computed."""
        self._n_models, self._done, self._n_done = n_models, 0, 0
        self._started.clear()
        self._items = {cell.name: sum(len(part.items) for part in parts) for cell, parts in missing}
        self._time_left = TimeLeft({_key(cell): self._items[cell.name] for cell, _ in missing})

    def share(self, n_workers: int) -> None:
        """Show what all of them do together."""
        self._n_workers = n_workers

    def start_cell(self, cell: Cell, model_number: int) -> None:
        """Show a new cell."""
        self._started.setdefault(cell.name, time.monotonic())
        self._cell, self._model_number = cell, model_number
        self._cell_items, self._cell_done = self._items.get(cell.name, 0), 0
        self._last = time.monotonic()
        self._draw_cell()

    def advance(self, n_items: int) -> None:
        """Move the bar on."""
        now = time.monotonic()
        self._cell_done += n_items
        if self._cell is not None:
            self._time_left.record(_key(self._cell), n_items, now - self._last)
        self._last = now
        self._draw_cell()

    def advance_cell(self, cell: Cell, n_items: int, seconds: float) -> None:
        """Move the bar of all workers on."""
        self._done += n_items
        self._time_left.record(_key(cell), n_items, seconds)
        self._draw_cell()

    def finish_cell(self, cell: Cell, cause: str | None) -> None:
        """Leave a plain line where no bar can be shown, and a failure's cause everywhere; once a model in full."""
        self._time_left.drop(_key(cell))
        n_items = self._items.get(cell.name, 0)
        self._n_done += n_items > 0
        if cause is not None:
            told = (cell.model.spec.name, cause)
            self.say(f"{_title(cell)}  failed{' in the same way' if told in self._causes else f': {cause}'}")
            self._causes.add(told)
        elif n_items:
            seconds = time.monotonic() - self._started.get(cell.name, time.monotonic())
            self._say(f"{_title(cell)}  {n_items} items in {seconds:.0f} s{self._left(', ')}")

    def _draw_cell(self) -> None:
        if self._n_workers > 1:
            n_items = sum(self._items.values())
            rest = f"{self._n_done} of {len(self._items)} cells{self._left(' · ')}"
            count = f"{self._done:,}/{n_items:,} items"
            self._draw(f"{self._n_workers} workers", count, self._done, n_items, rest)
        elif self._cell is not None:
            count = f"{self._cell_done}/{self._cell_items} items"
            rest = f"{self._model_number} of {self._n_models} models{self._left(' · ')}"
            self._draw(_title(self._cell), count, self._cell_done, self._cell_items, rest)

    def _draw(self, description: str, count: str, done: int | None, total: int | None, rest: str) -> None:
        if self._line is None:
            self._line = self._bar.add_task(description, total=total, count=count, rest=rest)
        self._bar.update(self._line, description=description, total=total, completed=done, count=count, rest=rest)

    def _say(self, text: str) -> None:
        if not self._console.is_terminal:
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _left(self, separator: str) -> str:
        seconds = self._time_left.seconds()
        return "" if seconds is None else f"{separator}{duration(seconds / self._n_workers)} left"


def duration(seconds: float) -> str:
    """Put a duration into one unit that suits it.

    >>> duration(42), duration(380), duration(9000)
    ('42 s', '6 min', '2 h 30 min')
    """
    if seconds < 100:
        return f"{max(seconds, 0):.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def _key(cell: Cell) -> tuple[str, str, str]:
    return cell.model.spec.name, cell.task, cell.kind


def _title(cell: Cell) -> str:
    return f"{cell.model.spec.name} · {cell.task}"
