from mplus_eval.reports import formats
from mplus_eval.reports.tables import (
    NO_NUMBER,
    TableCell,
    interval_if_known,
    number,
    number_if_known,
    number_with_interval,
)
from mplus_eval.reports.units import FRACTION, TOXICITY


def test_a_number_sorts_by_its_value_and_not_by_its_text() -> None:
    assert number("−3.1 †", -0.031) == TableCell("−3.1 †", key="-0.031000", css="n")


def test_what_is_not_known_is_a_dash_that_sorts_last() -> None:
    assert (NO_NUMBER.text, NO_NUMBER.key) == ("–", "")
    assert number_if_known(None, formats.percent) == NO_NUMBER
    assert interval_if_known(None, formats.interval_of_points) == NO_NUMBER
    assert number_with_interval(None, (0.0, 1.0), FRACTION) == NO_NUMBER


def test_what_is_known_is_written_as_asked() -> None:
    assert number_if_known(0.0, formats.percent) == TableCell("0.0", key="0.000000", css="n")
    assert interval_if_known((-0.007, 0.001), formats.interval_of_points).text == "[−0.7, +0.1]"


def test_an_interval_is_written_in_the_unit_of_its_value() -> None:
    cells = [number_with_interval(0.5, (0.25, 0.75), unit) for unit in (FRACTION, TOXICITY)]
    assert [(cell.text, cell.note) for cell in cells] == [("50.0", "[25.0, 75.0]"), ("0.500", "[0.250, 0.750]")]
    assert number_with_interval(0.5, None, FRACTION).note == ""
