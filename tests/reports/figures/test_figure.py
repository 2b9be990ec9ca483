from mplus_eval.reports.figures.figure import Bar


def test_a_value_that_is_not_known_has_no_bar() -> None:
    assert Bar.known(None, (0.0, 1.0)) is None


def test_a_value_and_its_interval_are_scaled_together() -> None:
    assert Bar.known(0.25, (0.125, 0.5), 100) == Bar(25.0, (12.5, 50.0))
    assert Bar.known(0.25, None, 100) == Bar(25.0, None)


def test_without_an_interval_both_ends_are_the_value() -> None:
    assert (Bar(2.0, None).ends, Bar(2.0, (1.0, 4.0)).ends) == ((2.0, 2.0), (1.0, 4.0))
