"""The verdict matrix, models × tasks, what undecided cells could have shown, and the cells that are missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mplus_eval.records.comparison import Comparison, NoiseFloor, Pair, Score, Summary, Task
from mplus_eval.records.contrast import Contrast
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports import formats
from mplus_eval.reports.decision import negated
from mplus_eval.reports.noise import HEADING, caption, noise_cell
from mplus_eval.reports.tables import (
    FAILED,
    MARKS,
    NO_SUMMARY,
    NO_VERDICT,
    Cell,
    Column,
    ModelLabel,
    Row,
    Table,
    number,
)
from mplus_eval.reports.text import head, one_line
from mplus_eval.reports.units import FRACTION, TOXICITY, Unit


@dataclass(frozen=True)
class MissingCell:
    """A cell without a result, where the page tells its cause."""

    anchor: str
    model: str
    task: str
    cause: str


def missing_cells(comparison: Comparison) -> tuple[MissingCell, ...]:
    """Every cell without a result: those with a stored cause, then any other that has no score."""
    causes = {(missing.model, missing.task): missing.cause for missing in comparison.missing}
    for task, entry in comparison.tasks.items():
        for model in comparison.models:
            score = entry.scores.get(model)
            if score is None or score.value is None:
                causes.setdefault((model, task), "no item was scored" if score else "no result is stored")
    return tuple(
        MissingCell(f"missing-{place}", model, task, one_line(cause))
        for place, ((model, task), cause) in enumerate(causes.items(), start=1)
    )


def verdict_matrix(comparison: Comparison, labels: dict[str, ModelLabel], missing: Iterable[MissingCell]) -> Table:
    """One row a task: the baseline's score, then every model's score, verdict, difference and interval."""
    baseline = comparison.baseline
    others = [name for name in labels if name != baseline]
    lost = {(cell.model, cell.task): cell for cell in missing}
    noise = comparison.noise_floor
    rows = tuple(
        Row(
            _task_heading(name, task, baseline),
            (
                _score_cell(task.scores.get(baseline), Unit.of(task), lost.get((baseline, name)), "base-column"),
                *(_contrast_cell(task, model, lost.get((model, name)), baseline) for model in others),
                *((noise_cell(noise, noise.tasks.get(name)),) if noise else ()),
            ),
        )
        for name, task in comparison.tasks.items()
    )
    columns = (
        Column("Task", is_numeric=False),
        Column(baseline, css=f"{labels[baseline].css} base-column"),
        *(Column(name, css=labels[name].css) for name in others),
        *((Column(HEADING),) if noise else ()),
    )
    return Table(_caption(comparison), columns, rows, _macro_row(comparison, others), is_sortable=True)


def _caption(comparison: Comparison) -> str:
    if len(comparison.models) == 1:
        return f"Score in percent.{caption(comparison)}"
    confidence = formats.whole_percent(1 - comparison.level)
    return (
        f"Score in percent, difference from {comparison.baseline} in points, [{confidence} interval, not adjusted]. "
        f"Verdicts are Holm-adjusted over the tasks of a model.{caption(comparison)}"
    )


def _task_heading(name: str, task: Task, baseline: str) -> Cell:
    n_items = f"n {formats.count(task.n_items)}"
    note = f"{task.n_shots}-shot, {one_line(task.metric)}, {n_items}"
    if not task.higher_is_better:
        note += ", lower is better"
    score = task.scores.get(baseline)
    unit = Unit.of(task)
    if not unit.is_fraction:
        note += ", in its own unit"
    value = unit.score(score.value) if score and score.value is not None else "none"
    return Cell(strong=name, note=note, text=f"{baseline} {value}", key=name)


def _score_cell(score: Score | None, unit: Unit, missing: MissingCell | None, css: str = "") -> Cell:
    if score is None or score.value is None:
        return _missing_cell(missing, css)
    return number(unit.score(score.value), score.value, f"n {css}".strip())


def _missing_cell(missing: MissingCell | None, css: str = "") -> Cell:
    cause = missing.cause if missing else "no result"
    short = cause if len(cause) <= 40 else f"{cause[:38].rstrip()} …"
    return Cell(short, FAILED, href=f"#{missing.anchor}" if missing else "", css=f"c-failed v-failed {css}".strip())


def _contrast_cell(task: Task, model: str, missing: MissingCell | None, baseline: str) -> Cell:
    score, contrast = task.scores.get(model), task.contrasts.get(model)
    if missing or score is None or score.value is None:
        return _missing_cell(missing)
    unit = Unit.of(task)
    if contrast is None:
        return Cell(unit.score(score.value), NO_VERDICT, note=f"{baseline} has no score", css="c-none v-none")
    return contrast_cell(contrast, unit, unit.score(score.value))


def contrast_cell(contrast: Contrast, unit: Unit, text: str = "") -> Cell:
    """A cell that tells one contrast; a flagged one carries a dagger."""
    mark = MARKS[contrast.verdict]
    dagger = " †" if contrast.flags else ""
    return Cell(
        text,
        mark,
        unit.difference(contrast.difference) + dagger,
        unit.interval(contrast.ci),
        f"{contrast.difference:.6f}",
        css=f"c-{mark.key} v-{mark.key}",
    )


def _macro_row(comparison: Comparison, others: list[str]) -> Row | None:
    if len(comparison.tasks) < 2:
        return None
    margins = {entry.margin for entry in comparison.summary.values() if entry.margin is not None}
    note = f"margin {formats.margin(margins.pop())}" if len(margins) == 1 else ""
    base = comparison.summary.get(comparison.baseline, NO_SUMMARY)
    value = formats.percent(base.macro_average) if base.macro_average is not None else "–"
    heading = Cell(strong="macro-average", note=note, text=f"{comparison.baseline} {value}")
    base_cell = Cell(value, css="n base-column")
    cells = [summary_cell(comparison.summary.get(name, NO_SUMMARY)) for name in others]
    noise = comparison.noise_floor
    return Row(heading, (base_cell, *cells, *((noise_cell(noise, noise.suite),) if noise else ())))


def summary_cell(summary: Summary) -> Cell:
    """A cell that tells a model's macro-average against another's."""
    value = "" if summary.macro_average is None else formats.percent(summary.macro_average)
    if summary.alignment_tax is None or summary.verdict is None:
        return Cell(value, NO_VERDICT, note=head(one_line(summary.withheld or "withheld"), 80), css="c-failed v-none")
    mark = MARKS[summary.verdict]
    interval = summary.alignment_tax_ci
    note = formats.interval_of_points(negated(interval)) if interval else ""
    return Cell(value, mark, formats.points(-summary.alignment_tax), note, css=f"c-{mark.key} v-{mark.key}")


def notes_on_cells(comparison: Comparison) -> tuple[str, ...]:
    """What must be known of single cells: flags of contrasts, items that failed, prompts that were cut."""
    flags: dict[tuple[str, str], list[str]] = {}
    for task, entry in comparison.tasks.items():
        for model, contrast in entry.contrasts.items():
            for flag in contrast.flags:
                flags.setdefault((model, one_line(flag)), []).append(task)
    for model, found in comparison.toxicity.models.items() if comparison.toxicity else ():
        for name, one in found.sets.items():
            for flag in one.contrast.flags if one.contrast else ():
                flags.setdefault((model, one_line(flag)), []).append(name)
    flagged = [f"† {model}: {flag} ({', '.join(tasks)})." for (model, flag), tasks in flags.items()]
    failed = [
        f"{model} × {task}: {formats.counted(score.n_failed, 'item')} of "
        f"{formats.count(score.n_failed + score.n_scored)} failed; counted here, never averaged in as wrong."
        for task, entry in comparison.tasks.items()
        for model, score in entry.scores.items()
        if score.n_failed and score.value is not None
    ]
    truncated = [
        f"{model} × {task}: {formats.counted(score.n_truncated, 'context')} cut to the model's length."
        for task, entry in comparison.tasks.items()
        for model, score in entry.scores.items()
        if score.n_truncated
    ]
    return (*flagged, *failed, *truncated)


def undecided_tables(comparison: Comparison) -> tuple[Table, ...]:
    """What each undecided contrast could have shown: the smallest difference at 80 % power, and the smallest margin.

    Capability and toxicity are written in different units, and so stand in tables of their own.
    """
    capability = [
        _power_row(f"{model} × {task}", contrast, Unit.of(entry))
        for task, entry in comparison.tasks.items()
        for model, contrast in entry.contrasts.items()
        if contrast.verdict is Verdict.UNDECIDED
    ]
    capability += [
        _power_row(f"{model} × macro-average", summary, FRACTION)
        for model, summary in comparison.summary.items()
        if summary.verdict is Verdict.UNDECIDED
    ]
    toxicities = comparison.toxicity.models if comparison.toxicity else {}
    toxicity = [
        _power_row(f"{model} × {name}", one.contrast, TOXICITY)
        for model, found in toxicities.items()
        for name, one in found.sets.items()
        if one.contrast and one.contrast.verdict is Verdict.UNDECIDED
    ]
    headings = ("Margin", "Smallest difference shown with 80 % power", "Smallest margin provable")
    columns = (Column("Undecided", is_numeric=False), *(Column(heading) for heading in headings))
    kinds = (("Points.", capability), ("Toxicity.", toxicity))
    return tuple(Table(caption, columns, tuple(rows)) for caption, rows in kinds if rows)


def _power_row(name: str, found: Contrast | Summary, unit: Unit) -> Row:
    sizes = (found.margin, found.smallest_detectable_difference, found.smallest_provable_margin)
    cells = [number("–" if size is None else unit.size(size), size) for size in sizes]
    return Row(Cell(name), tuple(cells))


def pair_table(pair: Pair, tasks: Mapping[str, Task], noise: NoiseFloor | None = None) -> Table:
    """One model against another that is not the baseline, task by task; the noise floor is the baseline's."""
    headings = ("Difference", "p, adjusted", "Lost", "Gained", *((HEADING,) if noise else ()))
    columns = (Column("Task", False), *(Column(heading) for heading in headings))
    rows = [
        Row(
            Cell(task),
            (
                contrast_cell(contrast, Unit.of(entry)),
                number(formats.probability(contrast.p_adjusted), contrast.p_adjusted),
                number(formats.count(contrast.lost), contrast.lost),
                number(formats.count(contrast.gained), contrast.gained),
                *((noise_cell(noise, noise.tasks.get(task), contrast),) if noise else ()),
            ),
        )
        for task, entry in tasks.items()
        if (contrast := pair.tasks.get(task))
    ]
    blank = (Cell(), Cell(), Cell(), *((noise_cell(noise, noise.suite, pair.summary),) if noise else ()))
    total = Row(Cell("macro-average"), (summary_cell(pair.summary), *blank)) if len(rows) > 1 else None
    return Table(f"{pair.model} minus {pair.against}, points.", columns, tuple(rows), total)
