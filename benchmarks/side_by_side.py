"""Rows of a simulation that print what a method finds beside what the method before it found."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import goals
import numpy as np
from goals import Status
from numpy.typing import ArrayLike

QUICK = 5
HEADING = f"{'what':34s} {'of':40s} {'n':>5s}  {'now ± error':>16s} {'before':>8s} {'width':>6s}"


@dataclass(frozen=True)
class Row:
    """One line: a rate over replications, its simulation error, and whether it meets its goal.

    Attributes:
        kind: what was simulated, in words.
        n: dialogues, or prompts.
        rate: of samples, as coverage or errors.
        before: the same of the method before, where there was one.
        width: of the median interval, in units of the one that whoever knew the estimate's variance would take.
    """

    what: str
    kind: str
    n: int
    rate: float
    error: float
    before: float | None
    width: float | None
    status: Status


def simulation_error(rate: float, n_replications: int) -> float:
    """Of a rate that was found in so many replications; not 0 where every one agreed."""
    return float(np.sqrt(max(rate * (1 - rate), 1 / n_replications) / n_replications))


def row_of(
    what: str,
    kind: str,
    n: int,
    events: ArrayLike,
    *,
    before: ArrayLike | None = None,
    width: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Row:
    """Judge the rate of events, shape (replications,), by its goal, within two standard errors of the simulation."""
    hits = np.asarray(events, dtype=float)
    rate = float(hits.mean())
    error = simulation_error(rate, hits.size)
    status: Status = "shown" if at_least is None and at_most is None else "ok"
    if (at_least is not None and rate < at_least - 2 * error) or (at_most is not None and rate > at_most + 2 * error):
        status = "MISSED"
    old = None if before is None else float(np.mean(np.asarray(before, dtype=float)))
    return Row(what, kind, n, rate, error, old, width, status)


def line(row: Row) -> str:
    """A row of the table."""
    before = "–" if row.before is None else f"{100 * row.before:.2f} %"
    width = "–" if row.width is None else f"{row.width:.2f}"
    now = f"{100 * row.rate:.2f} ± {100 * row.error:.2f} %"
    return f"{row.what:34s} {row.kind:40s} {row.n:5d}  {now:>16s} {before:>8s} {width:>6s}  {row.status}"


run = partial(goals.run, heading=HEADING, line=line, quick=QUICK)
"""`goals.run` of such rows."""
