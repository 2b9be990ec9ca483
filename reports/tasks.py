"""Each task with all that was measured of it: scores, differences, tests, flips and power, models side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mplus_eval.records.comparison import Comparison, Task
from mplus_eval.records.contrast import Contrast
from mplus_eval.reports import formats
from mplus_eval.reports.anchors import anchor, items_link
from mplus_eval.reports.contamination import seen_cells, seen_note
from mplus_eval.reports.selection import items_of
from mplus_eval.reports.tables import (
    NO_NUMBER,
    ModelLabel,
    Table,
    TableCell,
    by_measure,
    number,
    number_if_known,
    number_with_interval,
)
from mplus_eval.reports.text import one_line
from mplus_eval.reports.units import Unit
from mplus_eval.reports.verdicts import MARKS, Mark

MINIMUM_DETECTABLE = "Minimum detectable difference (80 % power)"
SMALLEST_MARGIN = "Smallest margin that could be ruled out"
ITEMS_TO_SETTLE = "Items that would settle it"


@dataclass(frozen=True)
class TaskVerdict:
    """One model's verdict on a task, for the line above its table."""

    model: str
    mark: Mark
    difference: str


@dataclass(frozen=True)
class TaskView:
    """One task, the baseline's column first. `subjects` is the id of its subjects, where it has any."""

    name: str
    anchor: str
    note: str
    verdicts: tuple[TaskVerdict, ...]
    table: Table
    subjects: str


def task_note(task: Task) -> str:
    """How a task is measured, in a line."""
    unit = Unit.of(task)
    note = f"{task.n_shots}-shot, {one_line(task.metric)}, {items_of(task)}"
    note += "" if task.higher_is_better else ", lower is better"
    note += "" if unit.is_fraction else ", in its own unit"
    note += ", compared in percent of it" if unit.is_relative else ""
    return note + (", not in the macro-average" if task.outside else "")


def task_views(comparison: Comparison, labels: Mapping[str, ModelLabel], *, has_items: bool) -> Iterable[TaskView]:
    """Every task; what was lost and gained leads to the items where there are any."""
    for name, task in comparison.tasks.items():
        unit = Unit.of(task)
        contrasts = {model: found for model in labels if (found := task.contrasts.get(model))}
        yield TaskView(
            name=name,
            anchor=anchor("task", name),
            note=task_note(task) + seen_note(comparison, name),
            verdicts=tuple(
                TaskVerdict(model, MARKS[found.verdict], unit.difference(found.difference))
                for model, found in contrasts.items()
            ),
            table=task_table(name, task, comparison, labels, has_items=has_items),
            subjects=anchor("subjects", name) if task.subjects else "",
        )


def task_table(
    name: str, task: Task, comparison: Comparison, labels: Mapping[str, ModelLabel], *, has_items: bool
) -> Table:
    """One task's measures × models; what nobody has a value of is left out."""
    unit, confidence = Unit.of(task), formats.whole_percent(1 - comparison.level)
    cells = {}
    for model in labels:
        links = {show: items_link(name, model, show) for show in ("lost", "gained")} if has_items else {}
        contrast = contrast_cells(task.contrasts.get(model), unit, links)
        cells[model] = score_cells(task, model, unit) | contrast | seen_cells(comparison, name, model)
    known = [
        measure for measure in next(iter(cells.values())) if any(of[measure] != NO_NUMBER for of in cells.values())
    ]
    compared = (
        f" Differences from {comparison.baseline} in {'points' if unit.is_fraction else 'its unit'} with their "
        f"{confidence} CI, not adjusted; verdicts stand on adjusted p-values."
        if task.contrasts
        else ""
    )
    caption = f"Score {'in percent ' if unit.is_fraction else ''}with its {confidence} CI.{compared}"
    return by_measure(caption, known, {model: [of[m] for m in known] for model, of in cells.items()}, labels)


def score_cells(task: Task, model: str, unit: Unit) -> dict[str, TableCell]:
    """What one model scored, by measure."""
    score = task.scores.get(model)
    if score is None:
        return dict.fromkeys(("Score", "Items scored", "Failed", "Truncated"), NO_NUMBER)
    return {
        "Score": number_with_interval(score.value, score.ci, unit),
        "Items scored": number(formats.count(score.n_scored), score.n_scored),
        "Failed": number(formats.count(score.n_failed), score.n_failed) if score.n_failed else NO_NUMBER,
        "Truncated": number(formats.count(score.n_truncated), score.n_truncated) if score.n_truncated else NO_NUMBER,
    }


def contrast_cells(contrast: Contrast | None, unit: Unit, links: Mapping[str, str]) -> dict[str, TableCell]:
    """What one contrast found, by measure, with links to the items that were lost and gained; dashes without one."""
    if contrast is None:
        return dict.fromkeys(_CONTRAST_MEASURES, NO_NUMBER)
    mark = MARKS[contrast.verdict]
    flipped = {"lost": contrast.lost, "gained": contrast.gained}
    cells = (
        TableCell(mark=mark, css=f"v-{mark.key}"),
        TableCell(unit.difference(contrast.difference), note=unit.interval(contrast.ci), css="n"),
        number(formats.probability(contrast.p_adjusted), contrast.p_adjusted),
        number(formats.probability(contrast.p_non_inferiority_adjusted), contrast.p_non_inferiority_adjusted),
        *(TableCell(formats.count(n), href=links.get(show, "") if n else "", css="n") for show, n in flipped.items()),
        number(formats.count(contrast.wrong_to_other_wrong), contrast.wrong_to_other_wrong),
        number(unit.size(contrast.margin), contrast.margin),
        number_if_known(contrast.smallest_detectable_difference, unit.size),
        number_if_known(contrast.smallest_provable_margin, unit.size),
        number_if_known(contrast.items_to_settle, lambda n: formats.about(int(n))),
    )
    return dict(zip(_CONTRAST_MEASURES, cells, strict=True))


_CONTRAST_MEASURES = (
    "Verdict",
    "Difference",
    "p, adjusted",
    "p at the margin, adjusted",
    "Items lost",
    "Items gained",
    "Wrong to another wrong",
    "Margin",
    MINIMUM_DETECTABLE,
    SMALLEST_MARGIN,
    ITEMS_TO_SETTLE,
)
