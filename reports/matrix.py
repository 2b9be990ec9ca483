"""The verdict matrix, tasks × models, what undecided contrasts could have detected, and the cells without a result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mplus_eval.records.comparison import Comparison, NoiseFloor, Pair, Summary, Task
from mplus_eval.records.contrast import Contrast
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports import formats
from mplus_eval.reports.anchors import anchor
from mplus_eval.reports.capability_phrasing import negated
from mplus_eval.reports.contamination import contamination_notes, seen_note
from mplus_eval.reports.noise import HEADING, noise_cell
from mplus_eval.reports.sequential import sequential_notes
from mplus_eval.reports.tables import (
    NO_NUMBER,
    NO_SUMMARY,
    Column,
    ModelLabel,
    Table,
    TableCell,
    TableRow,
    number,
    number_if_known,
)
from mplus_eval.reports.tasks import ITEMS_TO_SETTLE, MINIMUM_DETECTABLE, SMALLEST_MARGIN, task_note
from mplus_eval.reports.text import one_line, truncate_end
from mplus_eval.reports.units import FRACTION, TOXICITY, Unit
from mplus_eval.reports.verdicts import FAILED, MARKS, NO_VERDICT


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


def verdict_matrix(comparison: Comparison, labels: Mapping[str, ModelLabel], missing: Iterable[MissingCell]) -> Table:
    """One row a task: the baseline's score, then every model's score, verdict, difference and interval."""
    baseline, noise = comparison.baseline, comparison.noise_floor
    others = [name for name in labels if name != baseline]
    lost = {(cell.model, cell.task): cell for cell in missing}
    rows = [_matrix_row(name, task, comparison, others, lost) for name, task in comparison.tasks.items()]
    columns = (
        Column("Task", is_numeric=False),
        labels[baseline].column("base-column"),
        *(labels[name].column() for name in others),
        *((Column(HEADING),) if noise else ()),
    )
    caption = "Score in percent."
    if len(comparison.models) > 1:
        confidence = formats.whole_percent(1 - comparison.level)
        caption = (
            f"Score in percent, difference from {baseline} in points [{confidence} CI, not adjusted]. "
            "Verdicts are adjusted over the tasks of a model."
        )
    if noise:
        whole = ", in the last row of the items of all tasks" if len(rows) > 1 else ""
        flips = f"the share of items that flip when {baseline} is asked again in other batches{whole}"
        caption += f" {HEADING}: {flips}."
    margins = {summary.margin for summary in comparison.summary.values() if summary.margin is not None}
    note = f"margin {formats.margin(margins.pop())}" if len(margins) == 1 else ""
    base = comparison.summary.get(baseline, NO_SUMMARY)
    value = formats.percent(base.macro_average) if base.macro_average is not None else "–"
    heading = TableCell(strong="macro-average", note=note, text=f"{baseline} {value}")
    cells = [summary_cell(comparison.summary.get(name, NO_SUMMARY)) for name in others]
    floor = (noise_cell(noise, noise.suite),) if noise else ()
    total = TableRow(heading, (TableCell(value, css="n base-column"), *cells, *floor)) if len(rows) > 1 else None
    return Table(caption, columns, tuple(rows), total, is_sortable=True)


def _matrix_row(
    name: str,
    task: Task,
    comparison: Comparison,
    others: Iterable[str],
    lost: Mapping[tuple[str, str], MissingCell],
) -> TableRow:
    baseline, noise, unit = comparison.baseline, comparison.noise_floor, Unit.of(task)
    values = {model: score.value for model, score in task.scores.items() if score.value is not None}
    text = "none"
    cells = [_missing_cell(lost.get((baseline, name)), "base-column")]
    if baseline in values:
        text = unit.score(values[baseline])
        cells = [number(text, values[baseline], "n base-column")]
    for model in others:
        contrast, missing = task.contrasts.get(model), lost.get((model, name))
        if missing or model not in values:
            cells.append(_missing_cell(missing))
        elif contrast:
            cells.append(contrast_cell(contrast, unit, unit.score(values[model])))
        else:
            why = f"{baseline} has no score"
            cells.append(TableCell(unit.score(values[model]), NO_VERDICT, note=why, css="c-none v-none"))
    cells += [noise_cell(noise, noise.tasks.get(name))] if noise else []
    href = f"#{anchor('task', name)}"
    note = task_note(task) + seen_note(comparison, name)
    heading = TableCell(strong=name, note=note, text=f"{baseline} {text}", key=name, href=href)
    return TableRow(heading, tuple(cells), task=name)


def _missing_cell(missing: MissingCell | None, css: str = "") -> TableCell:
    cause = missing.cause if missing else "no result"
    short = cause if len(cause) <= 40 else f"{cause[:38].rstrip()} …"
    return TableCell(
        short, FAILED, href=f"#{missing.anchor}" if missing else "", css=f"c-failed v-failed {css}".strip()
    )


def contrast_cell(contrast: Contrast, unit: Unit, text: str = "") -> TableCell:
    """A cell that tells one contrast; a flagged one carries a dagger."""
    mark = MARKS[contrast.verdict]
    dagger = " †" if contrast.flags else ""
    return TableCell(
        text,
        mark,
        unit.difference(contrast.difference) + dagger,
        unit.interval(contrast.ci),
        f"{contrast.difference:.6f}",
        css=f"c-{mark.key} v-{mark.key}",
    )


def summary_cell(summary: Summary) -> TableCell:
    """A cell that tells a model's macro-average against another's."""
    value = "" if summary.macro_average is None else formats.percent(summary.macro_average)
    if summary.alignment_tax is None or summary.verdict is None:
        why = truncate_end(one_line(summary.withheld or "withheld"), 80)
        return TableCell(value, NO_VERDICT, note=why, css="c-failed v-none")
    mark = MARKS[summary.verdict]
    interval = summary.alignment_tax_ci
    note = formats.interval_of_points(negated(interval)) if interval else ""
    return TableCell(value, mark, formats.points(-summary.alignment_tax), note, css=f"c-{mark.key} v-{mark.key}")


def notes_on_cells(comparison: Comparison) -> tuple[str, ...]:
    """What must be known of single cells: flags, contamination, how verdicts were settled, failures, cut prompts."""
    flags: dict[tuple[str, str], list[str]] = {}
    for task, entry in comparison.tasks.items():
        for model, contrast in entry.contrasts.items():
            for flag in contrast.flags:
                flags.setdefault((model, one_line(flag)), []).append(task)
    for model, of_model in comparison.toxicity.models.items() if comparison.toxicity else ():
        for name, on_set in of_model.sets.items():
            for flag in on_set.contrast.flags if on_set.contrast else ():
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
    return (*flagged, *contamination_notes(comparison), *sequential_notes(comparison), *failed, *truncated)


def undecided_tables(comparison: Comparison) -> tuple[Table, ...]:
    """What the sample sizes of undecided contrasts can detect, and how many items would settle each where known.

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
        _power_row(f"{model} × {name}", on_set.contrast, TOXICITY)
        for model, of_model in toxicities.items()
        for name, on_set in of_model.sets.items()
        if on_set.contrast and on_set.contrast.verdict is Verdict.UNDECIDED
    ]
    headings = ("Margin", MINIMUM_DETECTABLE, SMALLEST_MARGIN, ITEMS_TO_SETTLE)
    columns = (Column("Undecided", is_numeric=False), *map(Column, headings))
    kinds = (("Points.", capability), ("Toxicity.", toxicity))
    return tuple(Table(unit, columns, tuple(rows)) for unit, rows in kinds if rows)


def _power_row(name: str, undecided: Contrast | Summary, unit: Unit) -> TableRow:
    sizes = (undecided.margin, undecided.smallest_detectable_difference, undecided.smallest_provable_margin)
    known = tuple(number_if_known(size, unit.size) for size in sizes)
    items = undecided.items_to_settle
    return TableRow(TableCell(name), (*known, NO_NUMBER if items is None else number(formats.about(items), items)))


def pair_table(pair: Pair, tasks: Mapping[str, Task], noise: NoiseFloor | None = None) -> Table:
    """One model against another that is not the baseline, task by task; the noise floor is the baseline's."""
    headings = ("Difference", "p, adjusted", "Lost", "Gained", *((HEADING,) if noise else ()))
    rows = [
        TableRow(
            TableCell(task),
            (
                contrast_cell(contrast, Unit.of(entry)),
                number(formats.probability(contrast.p_adjusted), contrast.p_adjusted),
                number(formats.count(contrast.lost), contrast.lost),
                number(formats.count(contrast.gained), contrast.gained),
                *((noise_cell(noise, noise.tasks.get(task), contrast),) if noise else ()),
            ),
            task=task,
        )
        for task, entry in tasks.items()
        if (contrast := pair.tasks.get(task))
    ]
    blank = (TableCell(), TableCell(), TableCell())
    floor = (noise_cell(noise, noise.suite, pair.summary),) if noise else ()
    total = TableRow(TableCell("macro-average"), (summary_cell(pair.summary), *blank, *floor))
    return Table(
        f"{pair.model} minus {pair.against}, points.",
        (Column("Task", False), *map(Column, headings)),
        tuple(rows),
        total if len(rows) > 1 else None,
    )
