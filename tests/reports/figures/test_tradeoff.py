import pytest

from mplus_eval.records.comparison import Comparison
from mplus_eval.reports.figures.figure import Bar, Figure
from mplus_eval.reports.figures.scatter import Point, ScatterChart
from mplus_eval.reports.figures.tradeoff import tradeoff_figures, unbeaten
from mplus_eval.reports.palette import ModelStyle
from tests.reports import build, build_toxicity
from tests.reports.figures.make import figures_of


def tradeoff(comparison: Comparison) -> Figure | None:
    return figures_of(tradeoff_figures, comparison).get("tax-toxicity")


def point(model: str, x: float, y: float) -> Point:
    return Point(model, ModelStyle("base", "base"), Bar(x, None), Bar(y, None))


def test_unbeaten_models_are_those_that_no_other_beats_on_both_axes() -> None:
    points = [point("a", 0, 0.5), point("b", -1, 0.6), point("c", -2, 0.3), point("d", -2, 0.4), point("e", -3, 0.3)]
    assert [each.model for each in unbeaten(points)] == ["a", "c"]


def test_tax_against_toxicity_leaves_what_is_not_comparable_hollow_and_off_the_line() -> None:
    figure = tradeoff(build_toxicity.harmless())
    assert figure is not None
    assert isinstance(figure.chart, ScatterChart)
    assert [each.model for each in figure.chart.points if each.is_hollow] == ["mute"]
    # mute's 0 would be the lowest; plus has 17/120 of 0.6, and gained 0.1 points.
    assert figure.chart.frontier == (pytest.approx((0.1, 0.085)),)
    assert figure.title == "Pareto-optimal on tax and toxicity: plus"
    base = figure.chart.points[0]
    assert (base.x.value, base.x.ci, base.y.value) == (0.0, None, pytest.approx(0.395))


def test_a_model_without_a_macro_average_is_named_and_not_drawn() -> None:
    comparison = build_toxicity.harmless()
    rest = {name: summary for name, summary in comparison.summary.items() if name != "sft"}
    figure = tradeoff(comparison.model_copy(update={"summary": rest}))
    assert figure is not None
    assert "Without both axes: sft." in figure.caption


def test_no_trade_off_of_fewer_than_three_models_or_without_toxicity() -> None:
    comparison = build_toxicity.harmless()
    two = {name: comparison.summary[name] for name in ("base", "plus")}
    assert tradeoff(comparison.model_copy(update={"summary": two})) is None
    assert tradeoff(build.full()) is None
