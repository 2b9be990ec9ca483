from mplus_eval.reports.figures.tax import TaxChart, tax_figures
from tests.reports import build
from tests.reports.figures.make import figures_of


def test_tax_goes_from_least_to_most() -> None:
    figure = figures_of(tax_figures, build.full())["alignment-tax"]
    assert isinstance(figure.chart, TaxChart)
    assert [row.model for row in figure.chart.rows] == ["plus", "instruct", "sft"]
    assert figure.title == "Alignment tax from ±0.0 points (plus) to +3.2 (sft)"


def test_no_tax_figure_of_fewer_than_three_models() -> None:
    assert figures_of(tax_figures, build.of_size(3, 3)) == {}
