from mplus_eval.reports.figures.bars import Series, radar_choice, spread_title
from mplus_eval.reports.figures.figure import Bar
from mplus_eval.reports.palette import ModelStyle

STYLE = ModelStyle("base", "base")


def series(model: str, *values: float | None) -> Series:
    return Series(model, STYLE, tuple(Bar.known(value, None) for value in values))


def test_the_average_leaves_holes_out() -> None:
    assert series("a", 0.25, None, 0.75).average == 0.5


def test_of_many_models_the_baseline_the_best_and_the_worst_are_chosen_in_their_order() -> None:
    models = [series("best", 0.9), series("base", 0.5), series("middle", 0.6), series("worst", 0.1)]
    assert [chosen.model for chosen in radar_choice(models, "base")] == ["best", "base", "worst"]
    assert radar_choice(models[:3], "base") == models[:3]


def test_the_title_names_the_task_with_the_widest_span_and_passes_over_holes() -> None:
    models = [series("a", 0.5, None, 0.2), series("b", 0.6, 0.9, 0.4)]
    assert spread_title(("x", "y", "z"), models) == "Largest spread: z, 20.0 to 40.0 %"
    assert spread_title(("x", "y", "z"), models[1:]) == "From 40.0 % (z) to 90.0 % (y)"
