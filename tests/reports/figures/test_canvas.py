from mplus_eval.reports.figures.canvas import fitted, text_width, ticks_between, values_and_ends
from mplus_eval.reports.figures.figure import Bar


def test_a_long_name_loses_its_middle() -> None:
    name = "a_very_long_name_of_a_task_that_nobody_can_fit"
    short = fitted(name, 100)
    assert text_width(short) <= 100
    assert short.startswith("a_very")
    assert short.endswith("fit")
    assert "…" in short


def test_a_short_name_stays_whole() -> None:
    assert fitted("arc_challenge", 128) == "arc_challenge"


def test_ticks_are_round_and_lie_within_the_room() -> None:
    assert ticks_between(0.0, 9.0, 5, 1.0, (1, 2, 5, 10)) == [0, 2, 4, 6, 8, 10]
    assert ticks_between(0.0, 9.0, 5, 0.5, (1, 2, 5, 10)) == [0, 2, 4, 6, 8]


def test_a_scale_holds_the_ends_of_intervals() -> None:
    assert values_and_ends([Bar(2.0, (1.0, 4.0)), Bar(3.0, None)]) == [2.0, 1.0, 4.0, 3.0, 3.0, 3.0]
