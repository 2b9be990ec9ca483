from __future__ import annotations

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports.figures.figure import Figure
from mplus_eval.reports.figures.registry import draw
from mplus_eval.reports.figures.win_rates import WinRateChart, win_rate_figures
from tests.reports import build_conversation as talk
from tests.reports.figures.make import figures_of


def figures(comparison: Comparison) -> dict[str, Figure]:
    return figures_of(win_rate_figures, comparison)


def test_win_rates_have_two_marks_a_model_and_the_finding_as_a_title() -> None:
    figure = figures(talk.talking())["win-rates"]
    assert isinstance(figure.chart, WinRateChart)
    assert [(row.model, row.verdict) for row in figure.chart.rows][2] == ("chosen", Verdict.NOT_COMPARABLE)
    assert [row.at_equal_length is None for row in figure.chart.rows] == [False, False, True, False]
    assert figure.title == "Win rate compared with base from 52.1 % (instruct) to 63.1 % (plus)"


def test_no_verdict_no_finding_in_the_title() -> None:
    comparison = talk.talking()
    for name in talk.RATES:
        comparison = talk.changed_model(comparison, name, verdict=Verdict.NOT_COMPARABLE)
    assert figures(comparison)["win-rates"].title == "Win rates compared with base, from which no verdict is drawn"


def test_no_chart_for_fewer_than_three_values() -> None:
    assert "win-rates" not in figures(talk.only(talk.talking(), "plus"))
    assert "win-rates" not in figures(talk.only(talk.talking(), "chosen"))
    assert "win-rates" in figures(talk.only(talk.talking(), "chosen", "plus"))


def test_both_rates_are_drawn_with_their_units_and_what_is_withheld_is_said() -> None:
    svg = draw(figures(talk.talking())["win-rates"])
    assert "win rate against base, percent" in svg
    assert svg.count(">length-controlled<") == 4
    assert ">withheld<" in svg
