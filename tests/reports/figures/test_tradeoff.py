import pytest

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports.figures.figure import Bar, Figure
from mplus_eval.reports.figures.scatter import Point, ScatterChart
from mplus_eval.reports.figures.tradeoff import tradeoff_figures, unbeaten
from mplus_eval.reports.palette import ModelStyle
from tests.reports import build, build_toxicity
from tests.reports.figures.make import figures_of, table_texts
from tests.reports.figures.test_trajectory import toxic_steps


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


def test_every_saved_step_is_a_point_on_the_line_of_its_training() -> None:
    figure = tradeoff(toxic_steps(Verdict.IMPROVED))
    assert figure is not None
    assert isinstance(figure.chart, ScatterChart)
    (path,) = figure.chart.paths
    # KL of 3 and 7 costs 0.3 and 0.7 points of the average; the ends are the baseline and the final model.
    assert path.places[1:3] == [pytest.approx((-0.3, 0.3)), pytest.approx((-0.7, 0.2))]
    assert path.start == pytest.approx((0.0, 0.395))
    assert path.end == pytest.approx((-0.02, 0.085))
    assert [row[0] for row in table_texts(figure)] == ["base", "plus", "plus@10", "plus@20"]
    assert "A coloured line is a training, with a dot for each saved step" in figure.caption


def test_saved_steps_are_never_called_pareto_optimal() -> None:
    figure = tradeoff(toxic_steps(Verdict.IMPROVED))
    assert figure is not None
    assert "@" not in figure.title


def test_a_saved_step_that_is_not_comparable_is_hollow() -> None:
    figure = tradeoff(toxic_steps(Verdict.NOT_COMPARABLE))
    assert figure is not None
    assert isinstance(figure.chart, ScatterChart)
    assert [step.is_hollow for step in figure.chart.paths[0].steps] == [False, True]
    assert "Hollow: not comparable." in figure.caption
