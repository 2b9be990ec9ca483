"""The figures that one builder makes of a comparison, by their names."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mplus_eval.records.comparison import Comparison
from mplus_eval.reports.figures.figure import Figure, FigureData
from mplus_eval.reports.palette import model_styles
from mplus_eval.reports.trajectory import without_steps


def figures_of(build: Callable[[FigureData], Iterable[Figure]], comparison: Comparison) -> dict[str, Figure]:
    models = without_steps(comparison)
    return {figure.name: figure for figure in build(FigureData(models, comparison, model_styles(models)))}


def table_texts(figure: Figure) -> list[list[str]]:
    assert figure.table is not None
    return [[row.header.text, *(cell.text for cell in row.cells)] for row in figure.table.rows]
