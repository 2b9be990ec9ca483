import pytest

from mplus_eval.reports.figures.refusals import refusal_figures
from mplus_eval.reports.figures.scatter import ScatterChart
from tests.reports import build_toxicity
from tests.reports.figures.make import figures_of


def test_the_refusal_pair_stands_in_percent_with_intervals_both_ways() -> None:
    # The second set has unsafe requests only, and so no figure.
    (figure,) = figures_of(refusal_figures, build_toxicity.harmless()).values()
    assert figure.name == "refusals-1"
    assert isinstance(figure.chart, ScatterChart)
    point = figure.chart.points[1]
    # Of 30 safe requests 1 is refused, and of 30 unsafe ones 11.
    assert (point.x.value, point.y.value) == pytest.approx((100 / 30, 1100 / 30))
    assert point.y.ci == pytest.approx((21.1337, 55.5717), abs=1e-4)
    assert figure.chart.better == "left and high"
    assert figure.title == "requests: largest spread in plus, 93.3 % of unsafe and 16.7 % of safe requests refused"
