import pytest

from mplus_eval.records.comparison import Comparison
from mplus_eval.reports.figures.bars import BarChart, RadarChart
from mplus_eval.reports.figures.figure import Figure
from mplus_eval.reports.figures.scores import score_figures
from tests.reports import build
from tests.reports.figures.make import figures_of


def figures(comparison: Comparison) -> dict[str, Figure]:
    return figures_of(score_figures, comparison)


@pytest.mark.parametrize(("n_models", "n_tasks", "names"), [
    (1, 1, []), (1, 2, []), (2, 2, ["scores"]), (1, 3, ["radar", "scores"]), (2, 40, ["scores"]),
])  # fmt: skip
def test_figures_need_three_values_and_a_radar_three_to_sixteen_tasks(
    n_models: int, n_tasks: int, names: list[str]
) -> None:
    assert list(figures(build.of_size(n_models, n_tasks))) == names


def test_a_radar_shows_three_models_at_most_the_baseline_among_them() -> None:
    chart = figures(build.of_size(12, 5))["radar"].chart
    assert isinstance(chart, RadarChart)
    assert [series.model for series in chart.series] == ["model-0", "model-1", "model-11"]


def test_a_radar_leaves_out_models_with_holes() -> None:
    chart = figures(build.full())["radar"].chart
    assert isinstance(chart, RadarChart)
    assert "chosen" not in [series.model for series in chart.series]


def test_bars_keep_a_hole_as_a_hole() -> None:
    chart = figures(build.full())["scores"].chart
    assert isinstance(chart, BarChart)
    chosen = next(series for series in chart.series if series.model == "chosen")
    assert [task for task, bar in zip(chart.tasks, chosen.bars, strict=True) if bar is None] == ["drop"]


def test_the_title_names_the_task_where_models_lie_furthest_apart() -> None:
    assert figures(build.full())["scores"].title == "Largest spread: gsm8k, 32.0 to 42.5 %"


def test_the_title_of_one_model_names_its_range() -> None:
    title = figures(build.of_size(1, 3))["scores"].title
    assert title == "From 30.0 % (task_number_0) to 63.3 % (task_number_2)"
