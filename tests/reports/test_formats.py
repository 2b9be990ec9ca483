import pytest

from mplus_eval.reports import formats


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(-0.0031, "−0.3"), (0.012, "+1.2"), (0.0, "0.0"), (-0.0004, "0.0"), (0.0004, "0.0"), (-0.5, "−50.0")],
)
def test_points_are_signed_with_one_decimal(fraction: float, text: str) -> None:
    assert formats.points(fraction) == text


def test_size_in_points_has_no_sign() -> None:
    assert formats.size_in_points(-0.024) == "2.4"


@pytest.mark.parametrize(("fraction", "text"), [(0.01, "1"), (0.025, "2.5"), (0.29, "29")])
def test_a_margin_has_a_decimal_only_where_needed(fraction: float, text: str) -> None:
    assert formats.margin(fraction) == text


def test_a_margin_of_one_is_singular() -> None:
    assert [formats.margin_in_points(0.01), formats.margin_in_points(0.005)] == ["1 point", "0.5 points"]


def test_percent_has_one_decimal_and_a_true_minus() -> None:
    assert [formats.percent(0.6237), formats.percent(-0.01), formats.percent(1)] == ["62.4", "−1.0", "100.0"]


def test_with_percent_adds_the_sign() -> None:
    assert formats.with_percent(0.5) == "50.0 %"


@pytest.mark.parametrize(("fraction", "text"), [(0.95, "95 %"), (1 - 0.05, "95 %"), (0.975, "97.5 %")])
def test_levels_show_no_rounding_dust(fraction: float, text: str) -> None:
    assert formats.whole_percent(fraction) == text


def test_intervals_of_points_are_signed_and_bracketed() -> None:
    assert formats.interval_of_points((-0.007, 0.0001)) == "[−0.7, 0.0]"


def test_intervals_of_percent_are_bracketed() -> None:
    assert formats.interval_of_percent((0.612, 0.636)) == "[61.2, 63.6]"


def test_spoken_points_are_signed() -> None:
    assert formats.spoken_points((-0.007, 0.001)) == "−0.7 to +0.1"


def test_a_range_of_what_reads_alike_is_one_value() -> None:
    assert formats.spoken_range([0.032, 0.004, 0.011], formats.points) == "+0.4 to +3.2"
    assert formats.spoken_range([0.0321, 0.0319], formats.points) == "+3.2"


@pytest.mark.parametrize(("value", "text"), [(0.0004, "< 0.001"), (0.001, "0.001"), (0.0123, "0.012"), (1, "1.000")])
def test_small_probabilities_are_bounded(value: float, text: str) -> None:
    assert formats.probability(value) == text


def test_counts_have_separated_thousands() -> None:
    assert [formats.count(55051), formats.counted(1, "task"), formats.counted(1200, "item")] == [
        "55,051",
        "1 task",
        "1,200 items",
    ]


@pytest.mark.parametrize(
    ("number", "text"), [(7_241_732_096, "7.2 B"), (1_000_000, "1.0 M"), (39_072, "39,072 parameters")]
)
def test_parameters_are_in_billions_or_millions(number: int, text: str) -> None:
    assert formats.parameters(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(12.34, "12.3 s"), (200, "3 min 20 s"), (3599.6, "1 h 0 min"), (14820, "4 h 7 min")]
)
def test_durations_have_two_units(seconds: float, text: str) -> None:
    assert formats.elapsed(seconds) == text


def test_numbers_that_are_no_fractions_have_three_digits() -> None:
    assert [formats.plain(12.345), formats.plain(-0.04567), formats.signed(1.25), formats.signed(0)] == [
        "12.3",
        "−0.0457",
        "+1.25",
        "0",
    ]


@pytest.mark.parametrize(
    ("difference", "text"), [(-0.374, "−0.37"), (0.02, "+0.02"), (0.004, "0.00"), (-0.004, "0.00"), (0.0, "0.00")]
)
def test_a_difference_of_toxicities_is_a_signed_fraction(difference: float, text: str) -> None:
    assert formats.signed_decimal(difference) == text


def test_toxicities_stay_fractions() -> None:
    assert (formats.decimal(0.58), formats.decimal(0.4823, 3), formats.decimal(-0.1)) == ("0.58", "0.482", "−0.10")
