from math import nan

import pytest

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports.charts import Bar, Curves, Figure, Scatter, Spot
from mplus_eval.reports.harmlessness_figures import (
    layer_number,
    layers_figure,
    refusal_figure,
    survival_figure,
    tradeoff_figure,
    unbeaten,
)
from mplus_eval.reports.palette import Look, looks
from tests.reports import build, build_toxicity

LOOK = Look("base", "base")


def survival(comparison: Comparison | None = None) -> Figure:
    comparison = comparison or build_toxicity.harmless()
    assert comparison.toxicity is not None
    figure = survival_figure("provoking", 1, comparison.toxicity, looks(comparison))
    assert figure is not None
    return figure


def curves(figure: Figure | None) -> Curves:
    assert figure is not None
    assert isinstance(figure.chart, Curves)
    return figure.chart


def table_texts(figure: Figure) -> list[list[str]]:
    assert figure.table is not None
    return [[row.header.text, *(cell.text for cell in row.cells)] for row in figure.table.rows]


def test_the_distribution_has_a_curve_a_model_from_all_prompts_downwards() -> None:
    chart = curves(survival())
    assert [curve.model for curve in chart.curves] == ["base", "instruct", "sft", "plus", "mute"]
    first = chart.curves[0]
    assert (first.x[0], first.y[0], first.x[-1], len(first.x)) == (0.0, 100.0, 1.0, 101)


def test_a_model_that_is_not_comparable_is_dashed_and_no_part_of_the_finding() -> None:
    figure = survival()
    assert [curve.model for curve in curves(figure).curves if curve.is_dashed] == ["mute"]
    # exp(−0.5/0.21) = 0.092 and exp(−0.5/0.62) = 0.446.
    assert figure.title == "provoking: the worst of 25 answers reaches 0.5 on 9.2 (plus) to 44.6 % of prompts (sft)"
    assert "Dashed: not comparable." in figure.caption


def test_the_distributions_table_holds_every_tenth() -> None:
    rows = table_texts(survival())
    assert [row[0] for row in rows] == [f"{step / 10:.1f}" for step in range(11)]
    assert rows[0] == ["0.0"] + ["100.0"] * 5


def test_no_distribution_without_a_curve() -> None:
    comparison = build_toxicity.harmless()
    for model in build_toxicity.MAXIMUM:
        comparison = build_toxicity.changed_set(comparison, model, "provoking", survival=None)
    assert comparison.toxicity is not None
    assert survival_figure("provoking", 1, comparison.toxicity, looks(comparison)) is None


@pytest.mark.parametrize(
    ("point", "place", "number"),
    [("layer 3, attention", 4, 2.5), ("layer 3, mlp", 5, 3.0), ("layer 12", 11, 12.0), ("ending", 4, 5.0)],
)
def test_attention_stands_half_a_layer_before_the_mlp(point: str, place: int, number: float) -> None:
    assert layer_number(point, place) == number


def test_layer_curves_say_where_the_last_layer_ends() -> None:
    comparison = build_toxicity.harmless()
    assert comparison.toxicity is not None
    figure = layers_figure(comparison.toxicity, looks(comparison))
    chart = curves(figure)
    assert chart.curves[0].x == tuple(0.5 * step for step in range(1, 13))
    assert chart.is_logarithmic
    assert figure is not None
    # At the last point 0.02 times 0.02 of mute, and 0.62 times 0.02 of sft.
    assert figure.title == "A bad word comes next with 0.04 % (mute) to 1.24 % (sft) after the last layer"
    assert "Half a layer is after the attention" in figure.caption
    low, high = chart.curves[0].band[-1]
    assert (low, high) == pytest.approx((0.8 * 1.16, 1.2 * 1.16))


def test_points_without_a_value_are_left_out_and_dashed_in_the_table() -> None:
    comparison = build_toxicity.harmless()
    assert comparison.toxicity is not None
    found = build_toxicity.layers(0.01, 3)
    lacking = found.model_copy(update={"mean": (nan, *found.mean[1:])})
    models = {"base": comparison.toxicity.models["base"].model_copy(update={"layers": lacking})}
    figure = layers_figure(build_toxicity.toxicity(models=models), looks(comparison))
    assert len(curves(figure).curves[0].x) == 5
    assert figure is not None
    assert table_texts(figure)[0] == ["layer 1, attention", "–"]


def test_no_layer_curve_of_fewer_than_three_points() -> None:
    comparison = build_toxicity.harmless()
    assert comparison.toxicity is not None
    one = comparison.toxicity.models["base"].model_copy(update={"layers": build_toxicity.layers(0.01, 1)})
    assert layers_figure(build_toxicity.toxicity(models={"base": one}), looks(comparison)) is None


def test_the_refusal_pair_stands_in_percent_with_intervals_both_ways() -> None:
    comparison = build_toxicity.harmless()
    assert comparison.toxicity is not None
    figure = refusal_figure("requests", 1, comparison.toxicity, looks(comparison))
    assert figure is not None
    assert isinstance(figure.chart, Scatter)
    spot = figure.chart.spots[1]
    assert (spot.x.value, spot.y.value) == pytest.approx((5.0, 30.0))
    assert spot.y.ci == pytest.approx((25.0, 35.0))
    assert figure.chart.better == "left and high"
    assert figure.title == "requests: widest apart in mute, 90.0 % of unsafe and 14.0 % of safe requests refused"


def test_no_refusal_figure_where_only_unsafe_requests_were_asked() -> None:
    comparison = build_toxicity.harmless()
    assert comparison.toxicity is not None
    assert refusal_figure("unsafe", 2, comparison.toxicity, looks(comparison)) is None


def spot(model: str, x: float, y: float) -> Spot:
    return Spot(model, LOOK, Bar(x, None), Bar(y, None))


def test_unbeaten_models_are_those_that_no_other_beats_on_both_axes() -> None:
    spots = [spot("a", 0, 0.5), spot("b", 1, 0.6), spot("c", 2, 0.3), spot("d", 2, 0.4), spot("e", 3, 0.3)]
    assert [one.model for one in unbeaten(spots)] == ["a", "c"]


def test_tax_against_toxicity_leaves_what_is_not_comparable_hollow_and_off_the_line() -> None:
    comparison = build_toxicity.harmless()
    figure = tradeoff_figure(comparison, looks(comparison))
    assert figure is not None
    assert isinstance(figure.chart, Scatter)
    assert [one.model for one in figure.chart.spots if one.is_hollow] == ["mute"]
    # mute's 0.02 would be the lowest; plus has 0.21 at a tax of −0.1 points.
    assert figure.chart.frontier == (pytest.approx((-0.1, 0.21)),)
    assert figure.title == "Beaten by no other on both tax and toxicity: plus"
    base = figure.chart.spots[0]
    assert (base.x.value, base.x.ci, base.y.value) == (0.0, None, 0.58)


def test_a_model_without_a_macro_average_is_named_and_not_drawn() -> None:
    comparison = build_toxicity.harmless()
    rest = {name: found for name, found in comparison.summary.items() if name != "sft"}
    figure = tradeoff_figure(comparison.model_copy(update={"summary": rest}), looks(comparison))
    assert figure is not None
    assert "Without both axes: sft." in figure.caption


def test_no_trade_off_of_fewer_than_three_models_or_without_toxicity() -> None:
    comparison = build_toxicity.harmless()
    two = {name: comparison.summary[name] for name in ("base", "plus")}
    assert tradeoff_figure(comparison.model_copy(update={"summary": two}), looks(comparison)) is None
    assert tradeoff_figure(build.full(), looks(build.full())) is None


def test_all_models_but_none_comparable_have_no_finding() -> None:
    comparison = build_toxicity.harmless()
    withheld = build_toxicity.contrast(-0.1, 0.1, Verdict.NOT_COMPARABLE)
    for model in build_toxicity.VERDICTS:
        comparison = build_toxicity.changed_set(comparison, model, "provoking", contrast=withheld)
    comparison = build_toxicity.without_set(comparison, "base", "provoking", "out of memory")
    assert (
        survival(comparison).title == "provoking: distribution of maximum toxicity, of models that are not comparable"
    )
