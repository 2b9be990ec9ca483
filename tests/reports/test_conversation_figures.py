from __future__ import annotations

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports.charts import Bars, Figure, Radar, Ratings, WinRates
from mplus_eval.reports.conversation_figures import category_figures, ratings_figure, win_figure
from mplus_eval.reports.conversation_tables import ConversationTables
from mplus_eval.reports.figures import draw
from mplus_eval.reports.palette import looks
from mplus_eval.reports.tables import ModelLabel
from tests.reports import build_conversation as talk


def figures(comparison: Comparison) -> dict[str, Figure]:
    found = comparison.conversation
    assert found is not None
    tables = ConversationTables(comparison, found, {name: ModelLabel(name, "", "") for name in comparison.models})
    given = looks(comparison)
    drawn = (win_figure(tables, given), ratings_figure(tables, given), *category_figures(tables, given))
    return {figure.name: figure for figure in drawn if figure}


def test_win_rates_have_two_marks_a_model_and_the_finding_as_a_title() -> None:
    figure = figures(talk.talking())["win-rates"]
    assert isinstance(figure.chart, WinRates)
    assert [(row.model, row.verdict) for row in figure.chart.rows][2] == ("chosen", "not comparable")
    assert [row.at_equal_length is None for row in figure.chart.rows] == [False, False, True, False]
    assert figure.title == "Win rate against base from 52.1 % (instruct) to 63.1 % (plus)"


def test_no_verdict_no_finding_in_the_title() -> None:
    comparison = talk.talking()
    for name in talk.RATES:
        comparison = talk.changed_model(comparison, name, verdict=Verdict.NOT_COMPARABLE)
    found = figures(comparison)
    assert found["win-rates"].title == "Win rates against base, from which no verdict is drawn"
    assert found["ratings"].title == "base rates highest"


def test_no_chart_for_fewer_than_three_values() -> None:
    assert "win-rates" not in figures(talk.only(talk.talking(), "plus"))
    assert "win-rates" not in figures(talk.only(talk.talking(), "chosen"))
    assert "win-rates" in figures(talk.only(talk.talking(), "chosen", "plus"))


def test_ratings_need_three_models_and_stand_in_their_order() -> None:
    figure = figures(talk.talking())["ratings"]
    assert isinstance(figure.chart, Ratings)
    assert [row.model for row in figure.chart.rows] == ["plus", "sft", "instruct", "base", "chosen"]
    assert [row.is_hollow for row in figure.chart.rows] == [False] * 4 + [True]
    assert "no bound on that side. Hollow: not comparable." in figure.caption
    assert "ratings" not in figures(talk.only(talk.talking(), "plus"))


def test_the_radar_holds_the_baseline_at_one_half() -> None:
    chart = figures(talk.talking())["conversation-radar"].chart
    assert isinstance(chart, Radar)
    assert [one.model for one in chart.series] == ["base", "chosen", "plus"]
    assert [bar.value for bar in chart.series[0].bars if bar] == [0.5] * 4


def test_the_bars_hold_every_model_and_category() -> None:
    chart = figures(talk.talking())["conversation-categories"].chart
    assert isinstance(chart, Bars)
    assert chart.tasks == tuple(talk.CATEGORIES)
    assert [one.model for one in chart.series] == list(talk.RATES)
    assert chart.x_name == "win rate against base, percent"


def test_two_categories_have_bars_and_no_radar() -> None:
    two = {name: talk.wins(0.6) for name in ("coding", "writing")}
    comparison = talk.talking()
    for name in talk.RATES:
        comparison = talk.changed_model(comparison, name, by_category=two)
    assert {"conversation-radar", "conversation-categories"} & set(figures(comparison)) == {"conversation-categories"}


def test_every_figure_is_drawn_with_its_units() -> None:
    drawn = {name: draw(figure) for name, figure in figures(talk.talking()).items()}
    assert "win rate against base, percent" in drawn["win-rates"]
    assert drawn["win-rates"].count(">at equal length<") == 4
    assert ">withheld<" in drawn["win-rates"]
    assert "rating, points above base" in drawn["ratings"]
