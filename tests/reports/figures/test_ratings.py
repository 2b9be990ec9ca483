from __future__ import annotations

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports.figures.figure import Figure
from mplus_eval.reports.figures.ratings import RatingChart, rating_figures
from mplus_eval.reports.figures.registry import draw
from tests.reports import build_conversation as talk
from tests.reports.figures.make import figures_of


def figures(comparison: Comparison) -> dict[str, Figure]:
    return figures_of(rating_figures, comparison)


def test_ratings_need_three_models_and_stand_in_their_order() -> None:
    figure = figures(talk.talking())["ratings"]
    assert isinstance(figure.chart, RatingChart)
    assert [row.model for row in figure.chart.rows] == ["plus", "sft", "instruct", "base", "chosen"]
    assert [row.is_hollow for row in figure.chart.rows] == [False] * 4 + [True]
    assert "no bound on that side." in figure.caption
    assert figure.caption.endswith("Hollow: not comparable.")
    assert "ratings" not in figures(talk.only(talk.talking(), "plus"))


def test_a_lead_that_is_not_shown_is_said() -> None:
    assert (
        "plus is not shown to be above sft: +2, above −38, no upper bound."
        in figures(talk.talking())["ratings"].caption
    )
    comparison = talk.talking()
    assert comparison.conversation is not None
    first, *others = comparison.conversation.rating_differences
    shown = first.model_copy(update={"ci": (1.0, 9.0)})
    talked = comparison.conversation.model_copy(update={"rating_differences": (shown, *others)})
    caption = figures(comparison.model_copy(update={"conversation": talked}))["ratings"].caption
    assert "not shown" not in caption


def test_a_model_that_is_not_comparable_is_never_called_the_highest() -> None:
    comparison = talk.talking()
    for name in talk.RATES:
        comparison = talk.changed_model(comparison, name, verdict=Verdict.NOT_COMPARABLE)
    assert figures(comparison)["ratings"].title == "Highest Bradley–Terry rating: base"


def test_ratings_are_drawn_with_their_units() -> None:
    assert "rating, points above base" in draw(figures(talk.talking())["ratings"])
