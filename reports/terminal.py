"""The end of a run in a terminal: a row a model, then the cells that are missing; never more than fourteen lines.

Where a training's saved steps were evaluated, a row a step stands between the two, beside the fourteen: its
macro-average over the items that all steps scored, its KL to the base, its rewards, and where they were over-optimised.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mplus_eval.records.comparison import Comparison
from mplus_eval.reports import capability_phrasing, conversation_phrasing, formats, harmlessness_phrasing
from mplus_eval.reports.conversation_phrasing import conversation_short, judged_models
from mplus_eval.reports.harmlessness_phrasing import primary_measure, primary_of, toxicity_contrast
from mplus_eval.reports.noise import noise_line
from mplus_eval.reports.tables import NO_SUMMARY
from mplus_eval.reports.text import abridged, one_line
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
AVERAGE, TAX, VERDICT, TOXICITY, CONVERSATION = "Average", "Tax, points", "Verdict", "Toxicity", "Conversation"
MOST_STEPS = 20
MOST_REWARDS = 3


def summary(comparison: Comparison) -> RenderableType:
    """What a run found, for `rich` to print: average, alignment tax with interval, and verdict of every model."""
    from rich.console import Group
    from rich.text import Text

    missing = [f"× {cell.model} × {cell.task}: {one_line(cell.cause)}" for cell in comparison.missing]
    models_only = without_steps(comparison)
    noise = noise_line(models_only)
    lines = [*settling_lines(models_only), *([noise] if noise else []), *not_compared_lines(models_only)]
    room = MOST_LINES - 1 - len(lines)
    table, n_rows = model_table(models_only, room - min(len(missing), FEWEST_MISSING_LINES))
    room -= n_rows
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
    return Group(table, *along, *(Text(line, no_wrap=True, overflow="ellipsis") for line in (*lines, *missing)))


def settling_lines(comparison: Comparison) -> list[str]:
    """How many items would settle the suite's verdict on all models on which it is undecided and that is known."""
    needs = {
        name: of_model.items_to_settle
        for name, of_model in comparison.summary.items()
        if of_model.items_to_settle is not None
    }
    if not needs:
        return []
    names = abridged([one_line(name) for name in needs], 3, "models")
    return [f"About {formats.about(max(needs.values()))} items would settle {names}."]


def not_compared_lines(comparison: Comparison) -> list[str]:
    """Why models are not compared on an axis; of many models the first are told."""
    contrasts = {name: toxicity_contrast(name, comparison) for name in comparison.models}
    by_axis = {
        "capability": [
            f"The capability of {name} is not compared: {capability_phrasing.why_not_compared(of_model, at_most=1)}."
            for name, of_model in comparison.summary.items()
            if not is_comparable(of_model)
        ],
        "toxicity": [
            harmlessness_phrasing.not_compared(name, contrast.reasons, at_most=1)
            for name, contrast in contrasts.items()
            if contrast and not is_comparable(contrast)
        ],
        "conversation": [
            conversation_phrasing.not_compared(name, judging, at_most=1)
            for name, judging in judged_models(comparison).items()
            if not is_comparable(judging)
        ],
    }
    for axis, lines in by_axis.items():
        if len(lines) > MOST_NOT_COMPARED:
            n_left = len(lines) - (MOST_NOT_COMPARED - 1)
            lines[MOST_NOT_COMPARED - 1 :] = [f"… and {n_left} more models whose {axis} is not compared"]
    return [line for lines in by_axis.values() for line in lines]


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


def model_table(comparison: Comparison, room: int) -> tuple[Table, int]:
    """The table of models, as many as there is room for, and how many rows it has."""
    from rich.table import Table
    from rich.text import Text

    names = list(comparison.models)
    shown = names if len(names) <= room else names[: room - 1]
    columns = cells_by_heading(comparison, shown)
    # With three axes a row is just as wide as a terminal; what is left is for the names.
    is_tight = len(columns) > MOST_ROOMY_COLUMNS
    gap, words = (1, TIGHT_WORDS_WIDTH) if is_tight else (2, WORDS_WIDTH)
    most = {heading: WIDTH if heading in (AVERAGE, TAX) else words for heading in columns}
    widths = [min(max(map(len, (heading, *cells))), most[heading]) + gap for heading, cells in columns.items()]
    name_width = max(WIDTH - sum(widths), FEWEST_LETTERS) if is_tight else NAME_WIDTH
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0))
    table.add_column("Model", no_wrap=True, overflow="ellipsis", max_width=name_width)
    for heading in columns:
        table.add_column(
            heading,
            justify="right" if heading == AVERAGE else "left",
            no_wrap=True,
            overflow="ellipsis",
            max_width=most[heading],
        )
    for name, *cells in zip(shown, *columns.values(), strict=True):
        table.add_row(*map(Text, (name, *cells)))
    if len(shown) < len(names):
        table.add_row(Text(f"… and {len(names) - len(shown)} more"))
    return table, min(len(names), room)


def cells_by_heading(comparison: Comparison, names: Sequence[str]) -> dict[str, list[str]]:
    """The cells of every axis that was evaluated, by their heading: a measure and its verdict."""
    toxicity = comparison.toxicity
    columns: dict[str, list[str]] = {AVERAGE: [], TAX: [], VERDICT: [], TOXICITY: [], CONVERSATION: []}
    for name in names:
        is_base, summary = name == comparison.baseline, comparison.summary.get(name, NO_SUMMARY)
        columns[AVERAGE].append("–" if summary.macro_average is None else formats.with_percent(summary.macro_average))
        tax, verdict = "", "baseline"
        if not is_base:
            tax, verdict = "–", f"no verdict: {one_line(summary.withheld or 'withheld')}"
            if summary.alignment_tax is not None and summary.verdict is not None:
                interval = summary.alignment_tax_ci
                tax, verdict = formats.points(summary.alignment_tax), summary.verdict.value
                tax += f" {formats.interval_of_points(interval)}" if interval else ""
        columns[TAX].append(tax)
        columns[VERDICT].append(verdict)
        on_primary = primary_of(toxicity, name) if toxicity else None
        value = primary_measure(toxicity, on_primary).value if toxicity and on_primary else None
        contrast = on_primary.contrast if on_primary else None
        word = contrast.verdict.value if contrast else "" if is_base else "no verdict"
        columns[TOXICITY].append(f"{'–' if value is None else formats.decimal(value)} {word}".rstrip())
        columns[CONVERSATION].append(conversation_short(name, comparison))
    headings = [AVERAGE, TAX, VERDICT] if len(comparison.models) > 1 else [AVERAGE]
    headings = headings if comparison.tasks else []
    headings += [TOXICITY] if toxicity else []
    headings += [CONVERSATION] if comparison.conversation else []
    return {heading: columns[heading] for heading in headings}


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
