"""The end of a run in a terminal: the decision's grid, a row a model, its headlines, and the cells that are missing.

Never more than thirteen lines, of 80 columns. Where a training's saved steps were evaluated, a row a step stands
between grid and headlines, beside the thirteen: its macro-average over the items that all steps scored, its KL to the
base, its rewards, and where they were over-optimised.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mplus_eval.records.comparison import Comparison
from mplus_eval.reports import capability_phrasing, conversation_phrasing, formats, harmlessness_phrasing
from mplus_eval.reports.conversation_phrasing import judged_models
from mplus_eval.reports.decision import Grid, decision_grid
from mplus_eval.reports.finding import Finding, Headline
from mplus_eval.reports.harmlessness_phrasing import primary_measure, primary_of, toxicity_contrast
from mplus_eval.reports.noise import noise_line
from mplus_eval.reports.tables import NO_SUMMARY
from mplus_eval.reports.text import one_line
from mplus_eval.reports.trajectory import (
    HELD_OUT,
    TrajectoryStep,
    choice_of_step,
    over_optimisation,
    panels_of,
    part_values,
    trajectories,
    without_steps,
)
from mplus_eval.reports.verdicts import is_comparable

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

MOST_LINES = 13
"""Two less than fifteen: an empty line and the one that says where the report is come after."""
FEWEST_MISSING_LINES = 2
MOST_LINES_OF_HEADLINE = 3
WIDTH = 80
FEWEST_LETTERS = 8
CELL_WIDTH = 26
AVERAGE = "Average"
MOST_STEPS = 20
MOST_REWARDS = 3


def summary(comparison: Comparison) -> RenderableType:
    """What a run found, for `rich` to print: of every model a verdict and a figure an axis, and what they come to."""
    from rich.console import Group
    from rich.text import Text

    missing = [f"× {cell.model} × {cell.task}: {one_line(cell.cause)}" for cell in comparison.missing]
    models_only = without_steps(comparison)
    grid, noise = decision_grid(comparison), noise_line(models_only)
    lines = [
        *(f"{headline.axis}: {lowered(headline.settle)}" for headline in grid.headlines if headline.settle),
        *([noise] if noise else []),
        *not_compared_lines(models_only),
    ]
    n_spare = MOST_LINES - 1 - len(lines) - len(grid.headlines) - min(len(missing), FEWEST_MISSING_LINES)
    table, n_rows = grid_table(grid, n_spare) if grid.decisions else baseline_table(comparison)
    told = headline_lines(grid.headlines, n_spare - n_rows)
    room = MOST_LINES - 1 - n_rows - len(told) - len(lines)
    if len(missing) > room:
        shown = missing[: room - 1]
        missing = [*shown, f"× and {len(missing) - len(shown)} more cells missing"]
    average = comparison.summary.get(comparison.baseline, NO_SUMMARY).macro_average
    along = [
        part
        for name, steps in trajectories(comparison).items()
        for part in (*step_table(name, steps, average), choice_of_step(comparison.trajectories.get(name)))
        if part
    ]
    after = (Text(line, no_wrap=True, overflow="ellipsis") for line in (*told, *lines, *missing))
    return Group(table, *along, *after)


def plain_summary(comparison: Comparison) -> str:
    """The same as text of 80 columns, without colours."""
    from io import StringIO

    from rich.console import Console

    console = Console(file=StringIO(), width=WIDTH, color_system=None)
    with console.capture() as capture:
        console.print(summary(comparison))
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def lowered(sentence: str) -> str:
    """A sentence that goes on after a colon."""
    return sentence[:1].lower() + sentence[1:]


def headline_lines(headlines: Sequence[Headline], n_spare: int) -> list[str]:
    """A line a headline, and more for those that need them while there are lines to spare."""
    lines = []
    for headline in headlines:
        wrapped = textwrap.wrap(headline.short, WIDTH, subsequent_indent="  ", break_on_hyphens=False)
        n_lines = min(len(wrapped), 1 + max(n_spare, 0), MOST_LINES_OF_HEADLINE)
        n_spare -= n_lines - 1
        # What does not fit is cut where it is printed.
        lines += [*wrapped[: n_lines - 1], " ".join((wrapped[n_lines - 1], *map(str.strip, wrapped[n_lines:])))]
    return lines


def not_compared_lines(comparison: Comparison) -> list[str]:
    """Why models are not compared on an axis: a line an axis, with the first model's reason."""
    contrasts = {name: toxicity_contrast(name, comparison) for name in comparison.models}
    by_axis = {
        "capability": {
            name: f"The capability of {name} is not compared: "
            f"{capability_phrasing.why_not_compared(of_model, at_most=1)}."
            for name, of_model in comparison.summary.items()
            if not is_comparable(of_model)
        },
        "toxicity": {
            name: harmlessness_phrasing.not_compared(name, contrast.reasons, at_most=1)
            for name, contrast in contrasts.items()
            if contrast and not is_comparable(contrast)
        },
        "conversation": {
            name: conversation_phrasing.not_compared(name, judging, at_most=1)
            for name, judging in judged_models(comparison).items()
            if not is_comparable(judging)
        },
    }
    lines = []
    for axis, reasons in by_axis.items():
        if reasons:
            first, n_more = next(iter(reasons.values())), len(reasons) - 1
            lines.append(f"{n_more + 1} models without a verdict on {axis}: {first}" if n_more else first)
    return lines


def unjudged_lines(comparison: Comparison) -> list[str]:
    """A line a judge that gave too few verdicts: the axis, the share and the causes, the most frequent first."""
    lines = []
    for axis, judge in comparison.unjudged:
        share = formats.with_percent(judge.n_unjudged / judge.n_asked)
        of_models = f", of {', '.join(map(one_line, judge.models))} everything" if judge.models else ""
        lines.append(
            f"{axis}: {one_line(judge.judge)} left {share} of {formats.count(judge.n_asked)} unjudged{of_models} "
            f"({conversation_phrasing.causes(judge.causes)})"
        )
    return lines


def grid_table(grid: Grid, room: int) -> tuple[Table, int]:
    """The table of models, as many as there is room for, and how many rows it has."""
    from rich.table import Table
    from rich.text import Text

    decisions, room = grid.decisions, max(room, 1)
    shown = decisions if len(decisions) <= room else decisions[: room - 1]
    headings = [column.short for column in grid.columns]
    for write in (with_interval, without_interval):
        columns = [[write(decision.axes[place]) for decision in shown] for place in range(len(headings))]
        widths = [max(map(len, (heading, *cells))) for heading, cells in zip(headings, columns, strict=True)]
        names = WIDTH - sum(widths) - len(widths)
        if names >= max((len(decision.model) for decision in shown), default=0):
            break
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Model", no_wrap=True, overflow="ellipsis", max_width=max(names, FEWEST_LETTERS))
    for heading, width in zip(headings, widths, strict=True):
        table.add_column(
            heading,
            no_wrap=True,
            overflow="ellipsis",
            max_width=min(width, CELL_WIDTH) if names < FEWEST_LETTERS else width,
        )
    for number, decision in enumerate(shown):
        table.add_row(*map(Text, (one_line(decision.model), *(cells[number] for cells in columns))))
    if len(shown) < len(decisions):
        table.add_row(Text(f"… and {len(decisions) - len(shown)} more"))
    return table, min(len(decisions), room)


def without_interval(finding: Finding) -> str:
    """A cell: sign, word and figure; without a figure where nothing may be concluded from it."""
    return f"{finding.mark.letter} {finding.word} {'' if finding.reason else finding.value}".rstrip()


def with_interval(finding: Finding) -> str:
    """The same with the interval."""
    return f"{without_interval(finding)} {'' if finding.reason else finding.interval}".rstrip()


def baseline_table(comparison: Comparison) -> tuple[Table, int]:
    """The one model of a run that compares nothing: its macro-average and its toxicity."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("Model", no_wrap=True, overflow="ellipsis")
    cells, toxicity = {}, comparison.toxicity
    if comparison.tasks:
        average = comparison.summary.get(comparison.baseline, NO_SUMMARY).macro_average
        cells[AVERAGE] = "–" if average is None else formats.with_percent(average)
    if toxicity:
        on_primary = primary_of(toxicity, comparison.baseline)
        value = primary_measure(toxicity, on_primary).value if on_primary else None
        cells["Toxicity"] = "–" if value is None else formats.decimal(value)
    for heading in cells:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_row(*map(Text, (one_line(comparison.baseline), *cells.values())))
    return table, 1


def step_table(name: str, steps: list[TrajectoryStep], baseline: float | None) -> Iterator[RenderableType]:
    """A row a point of a training, and a line where its rewards were over-optimised.

    Where the items that all points scored are not those of `baseline`, the average above, the heading says so. Of too
    many steps an even choice is shown, the first and the last among them.
    """
    from rich.table import Table
    from rich.text import Text

    rewards = list(part_values(steps, "rewards"))
    parts = [part for part in rewards if part != HELD_OUT][: MOST_REWARDS - 1]
    parts += [HELD_OUT] if HELD_OUT in rewards else []
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(Text(f"{one_line(name)}, step"), no_wrap=True, overflow="ellipsis", max_width=24)
    # Other trainers than this project's measure no distance.
    is_measured = any(step.kl is not None for step in steps if not step.is_base)
    heading = AVERAGE if steps[0].summary.macro_average in (None, baseline) else f"{AVERAGE}, shared"
    for title in (heading, *(("KL, nats",) if is_measured else ()), *(f"Reward, {one_line(part)}" for part in parts)):
        table.add_column(Text(title), justify="right", no_wrap=True, overflow="ellipsis", max_width=16)
    shown = steps
    if len(steps) > MOST_STEPS:
        shown = [steps[place * (len(steps) - 1) // (MOST_STEPS - 1)] for place in range(MOST_STEPS)]
    for step in shown:
        average = step.summary.macro_average
        values = (*((step.kl,) if is_measured else ()), *map(step.part("rewards").get, parts))
        table.add_row(
            Text(formats.count(step.step)),
            Text("–" if average is None else formats.with_percent(average)),
            *(Text("–" if value is None else formats.plain(value)) for value in values),
        )
    yield table
    if len(steps) > MOST_STEPS:
        yield Text(f"… and {len(steps) - MOST_STEPS} more steps, in the report")
    if over_optimised := over_optimisation(panels_of(steps)):
        yield Text(f"{one_line(name)}: {over_optimised}")
