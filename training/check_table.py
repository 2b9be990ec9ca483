"""`train --check` on the terminal: a table with a column for each stage, what it rests on, and the notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mplus_eval.records.training import TrainingRecord
from mplus_eval.training.check import CheckedRecipe
from mplus_eval.training.estimate import StageEstimate

if TYPE_CHECKING:
    from rich.console import RenderableType


def render(checked: CheckedRecipe) -> RenderableType:
    """Show a table with a column for each stage, what it rests on, and the notes."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f"{checked.recipe.base}, in {checked.recipe.dtype}", title_justify="left")
    table.add_column()
    for stage in checked.estimates:
        table.add_column(stage.name, justify="right")
    columns = [_cells(stage) for stage in checked.estimates]
    if checked.records:
        for cells, stage in zip(columns, checked.estimates, strict=True):
            cells |= _measured(checked.records.get(stage.name))
    for heading in columns[0]:
        ends = heading in ("time", "measuring, GiB", "with checkpointing")
        table.add_row(heading, *(cells[heading] for cells in columns), end_section=ends)
    speed = checked.speed
    lines = [
        f"Time by operations at {speed.operations_per_second / 1e12:.3g} TFLOP/s of one {speed.device} "
        f"({speed.source}); without loading and communication.",
        f"Memory is that of each of {checked.recipe.n_processes} device(s).",
        "Memory is an upper bound, with every row as long as max_length allows; tokens and time are "
        + ("those of rows as long as they are." if checked.lengths_known else "upper bounds too."),
    ]
    for stage in checked.estimates:
        total = max(stage.memory.total, stage.memory.measuring)
        if speed.memory_gib is not None and total > speed.memory_gib:
            fits = f"{total:.1f} GiB may not fit into the {speed.memory_gib:.0f} GiB of one {speed.device}"
            lines.append(f"{stage.name}: {fits}")
    return Group(table, *(Text(line) for line in [*lines, *checked.notes, "No fault found."]))


def _cells(stage: StageEstimate) -> dict[str, str]:
    """What the table says of one stage, by the heading of the line."""
    memory = stage.memory
    used = memory.activations_checkpointed if memory.checkpointing else memory.activations
    by_step = "" if stage.steps is not None else " a step"
    tokens = stage.tokens if stage.tokens is not None else stage.tokens_per_step
    seconds = stage.seconds if stage.seconds is not None else stage.seconds_per_step
    return {
        "parameters": _short(stage.parameters),
        "trained": _short(stage.trainable),
        "steps": "?" if stage.steps is None else f"{stage.steps:,}",
        "tokens": _short(tokens) + by_step,
        "measuring": "?" if stage.measuring_seconds is None else _duration(stage.measuring_seconds),
        "time": _duration(seconds) + by_step,
        "weights, GiB": _gib(memory.weights),
        "gradients": _gib(memory.gradients),
        "AdamW's moments": _gib(memory.moments),
        "reference model": _gib(memory.reference),
        "reward models": _gib(memory.reward_models),
        "activations": _gib(used),
        "logits": _gib(memory.logits),
        "generation": _gib(memory.generation),
        "program": _gib(memory.process),
        "all at once": _gib(memory.total),
        "measuring, GiB": _gib(memory.measuring),
        "without checkpointing": _gib(memory.total - used + memory.activations),
        "with checkpointing": _gib(memory.total - used + memory.activations_checkpointed),
    }


def _measured(record: TrainingRecord | None) -> dict[str, str]:
    """What a trained stage took, as far as its record says."""
    trained, measured = (record.trained_in, record.measured_in) if record else (None, None)
    return {
        "took": _duration(trained.seconds) if trained else "-",
        "held, GiB": _gib(trained.peak_gib or 0.0) if trained else "-",
        "measuring it took": _duration(measured.seconds) if measured else "-",
        "held meanwhile": _gib(measured.peak_gib or 0.0) if measured else "-",
    }


def _short(number: float) -> str:
    """A number in three digits.

    >>> _short(7241732096)
    '7.24 B'
    >>> _short(512)
    '512'
    """
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g} {letter}"
    return f"{number:.0f}"


def _gib(value: float) -> str:
    return "-" if value == 0 else "<0.1" if value < 0.05 else f"{value:.1f}"


def _duration(seconds: float) -> str:
    """A time in its natural unit.

    >>> _duration(5400)
    '1.5 h'
    """
    if seconds >= 5400:
        return f"{seconds / 3600:.1f} h"
    if seconds >= 90:
        return f"{seconds / 60:.1f} min"
    return f"{seconds:.2g} s" if seconds >= 0.01 else "<0.01 s"
