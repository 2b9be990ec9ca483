"""The table of figures: a new one is a module of this folder and a line here.

Templates loop over the figures of a section, so a figure stands in the page as soon as it stands in the table.
"""

from __future__ import annotations

import matplotlib as mpl

from mplus_eval.reports.figures.categories import category_figures
from mplus_eval.reports.figures.dose import dose_figures
from mplus_eval.reports.figures.figure import Figure
from mplus_eval.reports.figures.forest import forest_figures
from mplus_eval.reports.figures.layers import layers_figures
from mplus_eval.reports.figures.ratings import rating_figures
from mplus_eval.reports.figures.refusals import refusal_figures
from mplus_eval.reports.figures.scores import score_figures
from mplus_eval.reports.figures.survival import survival_figures
from mplus_eval.reports.figures.svg import SETTINGS, to_svg
from mplus_eval.reports.figures.tax import tax_figures
from mplus_eval.reports.figures.tradeoff import tradeoff_figures
from mplus_eval.reports.figures.trajectory import trajectory_figures
from mplus_eval.reports.figures.win_rates import win_rate_figures

FIGURES = (
    forest_figures,
    tax_figures,
    tradeoff_figures,
    score_figures,
    survival_figures,
    layers_figures,
    refusal_figures,
    win_rate_figures,
    rating_figures,
    category_figures,
    dose_figures,
    trajectory_figures,
)
"""Each makes its figures, or none where there are too few values, from a `FigureData`; in the order of the page."""


def draw(figure: Figure) -> str:
    """Draw a figure as an SVG element with CSS variables for colours."""
    with mpl.rc_context(SETTINGS):
        return to_svg(figure.chart.draw(), figure.name, f"{figure.title}. {figure.description}")
