from math import nan

import pytest

from mplus_eval.records.comparison import Comparison
from mplus_eval.reports.figures.curves import CurveChart
from mplus_eval.reports.figures.figure import Figure
from mplus_eval.reports.figures.layers import layer_number, layers_figures
from tests.reports import build_toxicity
from tests.reports.figures.make import figures_of, table_texts


def with_models(**changed: object) -> Comparison:
    toxicity = build_toxicity.toxicity(**changed)
    return build_toxicity.harmless().model_copy(update={"toxicity": toxicity})


def figure_and_chart(comparison: Comparison) -> tuple[Figure, CurveChart]:
    (figure,) = figures_of(layers_figures, comparison).values()
    assert isinstance(figure.chart, CurveChart)
    return figure, figure.chart


@pytest.mark.parametrize(
    ("point", "place", "number"),
    [("layer 3, attention", 4, 2.5), ("layer 3, mlp", 5, 3.0), ("layer 12", 11, 12.0), ("ending", 4, 5.0)],
)
def test_attention_stands_half_a_layer_before_the_mlp(point: str, place: int, number: float) -> None:
    assert layer_number(point, place) == number


def test_layer_curves_say_where_the_last_layer_ends() -> None:
    figure, chart = figure_and_chart(build_toxicity.harmless())
    assert chart.curves[0].x == tuple(0.5 * step for step in range(1, 13))
    assert chart.is_logarithmic
    assert figure.title == "A bad word comes next with 1 % (base) to 5 % (mute) after the last layer"
    assert "Half a layer is after the attention" in figure.caption
    low, high = chart.curves[0].band[-1]
    assert (low, high) == pytest.approx((0.8, 1.2))


def test_points_without_a_value_are_left_out_and_dashed_in_the_table() -> None:
    layers = build_toxicity.layers(0.01, 3)
    lacking = layers.model_copy(update={"mean": (nan, *layers.mean[1:])})
    base = build_toxicity.model_toxicity("base").model_copy(update={"layers": lacking})
    figure, chart = figure_and_chart(with_models(models={"base": base}))
    assert len(chart.curves[0].x) == 5
    assert table_texts(figure)[0] == ["layer 1, attention", "–"]


def test_an_end_that_is_not_known_lies_at_the_value() -> None:
    layers = build_toxicity.layers(0.01, 3)
    lacking = layers.model_copy(update={"low": (nan, *layers.low[1:]), "high": (nan, *layers.high[1:])})
    base = build_toxicity.model_toxicity("base").model_copy(update={"layers": lacking})
    _, chart = figure_and_chart(with_models(models={"base": base}))
    assert chart.curves[0].band[0] == (chart.curves[0].y[0],) * 2


def test_no_layer_curve_of_fewer_than_three_points() -> None:
    base = build_toxicity.model_toxicity("base").model_copy(update={"layers": build_toxicity.layers(0.01, 1)})
    assert figures_of(layers_figures, with_models(models={"base": base})) == {}
