from __future__ import annotations

from mplus_eval.records.comparison import Comparison
from mplus_eval.reports.figures.bars import BarChart, RadarChart
from mplus_eval.reports.figures.categories import category_figures
from mplus_eval.reports.figures.figure import Figure
from tests.reports import build_conversation as talk
from tests.reports.figures.make import figures_of


def figures(comparison: Comparison) -> dict[str, Figure]:
    return figures_of(category_figures, comparison)


def test_the_radar_holds_the_baseline_at_one_half() -> None:
    chart = figures(talk.talking())["conversation-radar"].chart
    assert isinstance(chart, RadarChart)
    assert [series.model for series in chart.series] == ["base", "chosen", "plus"]
    assert [bar.value for bar in chart.series[0].bars if bar] == [0.5] * 4


def test_the_bars_hold_every_model_and_category() -> None:
    chart = figures(talk.talking())["conversation-categories"].chart
    assert isinstance(chart, BarChart)
    assert chart.tasks == tuple(talk.CATEGORIES)
    assert [series.model for series in chart.series] == list(talk.RATES)
    assert chart.x_name == "win rate against base, percent"


def test_two_categories_have_bars_and_no_radar() -> None:
    two = {name: talk.wins(0.6) for name in ("coding", "writing")}
    comparison = talk.talking()
    for name in talk.RATES:
        comparison = talk.changed_model(comparison, name, by_category=two)
    assert {"conversation-radar", "conversation-categories"} & set(figures(comparison)) == {"conversation-categories"}
