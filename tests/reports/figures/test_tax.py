import pytest

from mplus_eval.reports.figures.tax import TaxChart, tax_figures
from tests.reports import build
from tests.reports.figures.make import figures_of


def test_tax_goes_from_least_to_most() -> None:
    figure = figures_of(tax_figures, build.full())["alignment-tax"]
    assert isinstance(figure.chart, TaxChart)
    assert [row.model for row in figure.chart.rows] == ["plus", "instruct", "sft"]
    assert figure.title == "Alignment tax from 0.0 points (plus) to −3.2 (sft)"


def test_a_loss_is_minus_in_bars_intervals_and_table() -> None:
    figure = figures_of(tax_figures, build.full())["alignment-tax"]
    assert isinstance(figure.chart, TaxChart)
    sft = figure.chart.rows[-1].bar
    assert (sft.value, sft.ci) == (pytest.approx(-0.032), pytest.approx((-0.038, -0.026)))
    assert figure.table is not None
    assert [cell.text for cell in figure.table.rows[-1].cells] == ["−3.2", "[−3.8, −2.6]", "1"]


def test_no_tax_figure_of_fewer_than_three_models() -> None:
    assert figures_of(tax_figures, build.of_size(3, 3)) == {}
