"""The end of a run in a terminal: a row a model, then the cells that are missing; never more than fourteen lines.

Where a training's saved steps were evaluated, a row a step stands between the two, beside the fourteen: its
macro-average over the items that all steps scored, its KL to the base, its rewards, and where they were over-optimised.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports import formats
from mplus_eval.reports.conversation_phrasing import conversation_short, not_judged, talked
from mplus_eval.reports.harmlessness_phrasing import measured, not_compared, primary_of, toxicity_contrast
from mplus_eval.reports.noise import noise_line
from mplus_eval.reports.tables import NO_SUMMARY
from mplus_eval.reports.text import one_line
from mplus_eval.reports.trajectory import (
    REFEREE,
    Step,
    distance,
    over_optimisation,
    panels_of,
    part_of,
    reward_names,
    trajectories,
    without_steps,
)

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

MOST_LINES = 14
"""One less than fifteen: the line that says where the report is comes after."""
FEWEST_MISSING_LINES = 2
MOST_NOT_COMPARED = 3
WIDTH = 80
NAME_WIDTH = 24
FEWEST_LETTERS = 6
WORDS_WIDTH = 22
TIGHT_WORDS_WIDTH = 14
MOST_ROOMY_COLUMNS = 4
AVERAGE, TAX = "Average", "Tax, points"
MOST_STEPS = 20
MOST_REWARDS = 3


def summary(comparison: Comparison) -> RenderableType:
    """What a run found, for `rich` to print: average, alignment tax with interval, and verdict of every model."""
    from rich.console import Group
    from rich.text import Text

    n_missing = len(comparison.missing)
    for_missing = min(n_missing, FEWEST_MISSING_LINES)
    models_only = without_steps(comparison)
    said = [*([noise] if (noise := noise_line(models_only)) else []), *_not_compared_lines(models_only)]
    room = MOST_LINES - 1 - len(said)
    table, n_rows = _table(models_only, room - for_missing)
    lines = [*said, *_missing_lines(comparison, room - n_rows)]
    average = comparison.summary.get(comparison.baseline, NO_SUMMARY).macro_average
    along = [part for name, steps in trajectories(comparison).items() for part in _trajectory(name, steps, average)]
    return Group(table, *along, *(Text(line, no_wrap=True, overflow="ellipsis") for line in lines))


def _not_compared_lines(comparison: Comparison) -> list[str]:
    """Why models' toxicity or conversation is not compared; of many models the first are told."""
    toxicity = {name: toxicity_contrast(name, comparison) for name in comparison.models}
    toxic = [
        not_compared(name, contrast.reasons, at_most=1)
        for name, contrast in toxicity.items()
        if contrast and contrast.verdict is Verdict.NOT_COMPARABLE
    ]
    talk = {name: talked(name, comparison) for name in comparison.models}
    talking = [
        not_judged(name, found, at_most=1)
        for name, found in talk.items()
        if found and found.verdict is Verdict.NOT_COMPARABLE
    ]
    return [*_first_lines(toxic, "toxicity"), *_first_lines(talking, "conversation")]


def _first_lines(lines: list[str], axis: str) -> list[str]:
    if len(lines) <= MOST_NOT_COMPARED:
        return lines
    shown = lines[: MOST_NOT_COMPARED - 1]
    return [*shown, f"… and {len(lines) - len(shown)} more models whose {axis} is not compared"]


def _table(comparison: Comparison, room: int) -> tuple[Table, int]:
    from rich.table import Table
    from rich.text import Text

    names = list(comparison.models)
    shown = names if len(names) <= room else names[: room - 1]
    columns = _columns(comparison, shown)
    # With three axes a row is just as wide as a terminal; what is left is for the names.
    is_tight = len(columns) > MOST_ROOMY_COLUMNS
    gap, words = (1, TIGHT_WORDS_WIDTH) if is_tight else (2, WORDS_WIDTH)
    most = {heading: WIDTH if heading in (AVERAGE, TAX) else words for heading in columns}
    widths = [min(max(map(len, (heading, *cells))), most[heading]) + gap for heading, cells in columns.items()]
    name_width = max(WIDTH - sum(widths), FEWEST_LETTERS) if is_tight else NAME_WIDTH
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0))
    table.add_column("Model", no_wrap=True, overflow="ellipsis", max_width=name_width)
    for heading in columns:
        side: Literal["left", "right"] = "right" if heading == AVERAGE else "left"
        table.add_column(heading, justify=side, no_wrap=True, overflow="ellipsis", max_width=most[heading])
    for name, *cells in zip(shown, *columns.values(), strict=True):
        table.add_row(*map(Text, (name, *cells)))
    if len(shown) < len(names):
        table.add_row(Text(f"… and {len(names) - len(shown)} more"))
    return table, min(len(names), room)


def _columns(comparison: Comparison, names: Sequence[str]) -> dict[str, list[str]]:
    """The cells of every axis that was evaluated, by their heading."""
    columns: dict[str, list[str]] = {}
    if comparison.tasks:
        capability = [_cells(name, comparison)[1:] for name in names]
        headings = (AVERAGE, TAX, "Verdict") if len(comparison.models) > 1 else (AVERAGE,)
        columns |= {heading: [cells[place] for cells in capability] for place, heading in enumerate(headings)}
    if comparison.toxicity is not None:
        columns["Toxicity"] = [_toxicity_cell(name, comparison) for name in names]
    if comparison.conversation is not None:
        columns["Conversation"] = [conversation_short(name, comparison) for name in names]
    return columns


def _cells(name: str, comparison: Comparison) -> tuple[str, str, str, str]:
    found = comparison.summary.get(name, NO_SUMMARY)
    average = "–" if found.macro_average is None else formats.with_percent(found.macro_average)
    if name == comparison.baseline:
        return name, average, "", "baseline"
    if found.alignment_tax is None or found.verdict is None:
        return name, average, "–", f"no verdict: {one_line(found.withheld or 'withheld')}"
    interval = f" {formats.interval_of_points(found.alignment_tax_ci)}" if found.alignment_tax_ci else ""
    return name, average, f"{formats.points(found.alignment_tax)}{interval}", found.verdict.value


def _toxicity_cell(name: str, comparison: Comparison) -> str:
    """The primary measure and its verdict."""
    toxicity = comparison.toxicity
    found = primary_of(toxicity, name) if toxicity else None
    value = measured(toxicity, found).value if toxicity and found else None
    shown = "–" if value is None else formats.toxicity(value)
    contrast = toxicity_contrast(name, comparison)
    if contrast:
        return f"{shown} {contrast.verdict.value}"
    return shown if name == comparison.baseline else f"{shown} no verdict"


def _trajectory(name: str, steps: list[Step], baseline: float | None) -> Iterator[RenderableType]:
    """A row a point of a training, and a line where its rewards were over-optimised.

    Where the items that all points scored are not those of `baseline`, the average above, the heading says so.
    """
    from rich.table import Table
    from rich.text import Text

    rewards = reward_names(steps)
    shown = [*(part for part in rewards if part != REFEREE)][: MOST_REWARDS - 1]
    shown += [REFEREE] if REFEREE in rewards else []
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(Text(f"{one_line(name)}, step"), no_wrap=True, overflow="ellipsis", max_width=24)
    average = "Average" if steps[0].summary.macro_average in (None, baseline) else "Average, shared"
    for title in (average, "KL, nats", *(f"Reward, {one_line(part)}" for part in shown)):
        table.add_column(Text(title), justify="right", no_wrap=True, overflow="ellipsis", max_width=16)
    for step in _spread(steps):
        table.add_row(*map(Text, _step_cells(step, shown)))
    yield table
    if len(steps) > MOST_STEPS:
        yield Text(f"… and {len(steps) - MOST_STEPS} more steps, in the report")
    if found := over_optimisation(panels_of(steps)):
        yield Text(f"{one_line(name)}: {found}")


def _spread(steps: list[Step]) -> list[Step]:
    """All steps, or of too many an even choice with the first and the last."""
    if len(steps) <= MOST_STEPS:
        return steps
    return [steps[place * (len(steps) - 1) // (MOST_STEPS - 1)] for place in range(MOST_STEPS)]


def _step_cells(step: Step, rewards: Sequence[str]) -> Iterator[str]:
    average, kl, found = step.summary.macro_average, distance(step), part_of(step, "rewards")
    yield formats.count(step.step)
    yield "–" if average is None else formats.with_percent(average)
    yield "–" if kl is None else formats.plain(kl)
    yield from ("–" if part not in found else formats.plain(found[part]) for part in rewards)


def _missing_lines(comparison: Comparison, room: int) -> list[str]:
    lines = [f"× {cell.model} × {cell.task}: {one_line(cell.cause)}" for cell in comparison.missing]
    if len(lines) <= room:
        return lines
    shown = lines[: room - 1]
    return [*shown, f"× and {len(lines) - len(shown)} more cells missing"]
