"""How numbers are written: the one place where fractions become points and percent.

Points and percent have one decimal and a true minus sign. What rounds to zero has no sign.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mplus_eval.records.base import Interval

MINUS = "−"


def points(fraction: float) -> str:
    """Write a difference in points, signed but for zero.

    >>> points(-0.0031), points(0.012), points(-0.0004)
    ('−0.3', '+1.2', '0.0')
    """
    size = f"{abs(fraction) * 100:.1f}"
    if size == "0.0":
        return size
    return (MINUS if fraction < 0 else "+") + size


def size_in_points(fraction: float) -> str:
    """Write the size of a difference in points, without its sign."""
    return f"{abs(fraction) * 100:.1f}"


def margin(fraction: float) -> str:
    """Write a margin in points, with a decimal only where it has one.

    >>> margin(0.01), margin(0.025)
    ('1', '2.5')
    """
    return f"{round(fraction * 100, 4):g}"


def margin_in_points(fraction: float) -> str:
    """Write a margin with its unit: `1 point`, `2 points`."""
    size = margin(fraction)
    return f"{size} point" if size == "1" else f"{size} points"


def percent(fraction: float) -> str:
    """Write a score in percent, without the sign."""
    return f"{fraction * 100:.1f}".replace("-", MINUS)


def with_percent(fraction: float) -> str:
    """Write a score in percent, with the sign."""
    return f"{percent(fraction)} %"


def whole_percent(fraction: float) -> str:
    """Write a level such as 0.95 in percent: `95 %`, `97.5 %`."""
    return f"{round(fraction * 100, 4):g} %"


def plain(number: float) -> str:
    """Write a number that is no fraction, to three digits: `12.3`, `0.0457`."""
    return f"{number:.3g}".replace("-", MINUS)


def signed(number: float) -> str:
    """Write a difference of numbers that are no fractions: `+1.25`, `0`."""
    return "0" if number == 0 else f"{number:+.3g}".replace("-", MINUS)


def decimal(value: float, places: int = 2) -> str:
    """Write a number that stays a fraction, such as a toxicity or a coefficient: `0.58`."""
    return f"{value:.{places}f}".replace("-", MINUS)


def signed_decimal(difference: float, places: int = 2) -> str:
    """Write a difference of such numbers, signed but for zero.

    >>> signed_decimal(-0.374), signed_decimal(0.02), signed_decimal(0.001)
    ('−0.37', '+0.02', '0.00')
    """
    size = f"{abs(difference):.{places}f}"
    if not float(size):
        return size
    return (MINUS if difference < 0 else "+") + size


def interval_of_points(interval: Interval) -> str:
    """Write an interval of differences: `[−0.7, +0.1]`."""
    return f"[{points(interval[0])}, {points(interval[1])}]"


def interval_of_percent(interval: Interval) -> str:
    """Write an interval of scores: `[61.2, 63.6]`."""
    return f"[{percent(interval[0])}, {percent(interval[1])}]"


def spoken_points(interval: Interval) -> str:
    """Write an interval of differences for a sentence: `−0.7 to +0.1`."""
    return f"{points(interval[0])} to {points(interval[1])}"


def spoken_range(values: Sequence[float], write: Callable[[float], str]) -> str:
    """Write from where to where values reach: `0.4 to 1.1`, or `0.4` where they read alike."""
    low, high = write(min(values)), write(max(values))
    return low if low == high else f"{low} to {high}"


def probability(value: float) -> str:
    """Write a p-value: three decimals, or `< 0.001`."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def count(number: int) -> str:
    """Write a count with thousands separated: `55,051`."""
    return f"{number:,}"


def about(number: int) -> str:
    """Write a count that is an estimate with two digits, rounded up.

    >>> about(3140), about(191), about(7)
    ('3,200', '200', '7')
    """
    unit = 10 ** max(len(str(number)) - 2, 0)
    return count(-(-number // unit) * unit)


def to_settle(number: int | None, noun: str) -> str:
    """Say how many items would settle what is undecided, after a space; empty where that is not known."""
    return "" if number is None else f" About {about(number)} {noun}s would settle it."


def counted(number: int, noun: str) -> str:
    """Write a count with its noun: `1 task`, `11 tasks`."""
    return f"{count(number)} {noun}" if number == 1 else f"{count(number)} {noun}s"


def parameters(number: int) -> str:
    """Write a number of parameters: `7.2 B`, `1.0 M`, `39,072 parameters`."""
    for size, letter in ((10**9, "B"), (10**6, "M")):
        if number >= size:
            return f"{number / size:.1f} {letter}"
    return counted(number, "parameter")


def elapsed(seconds: float) -> str:
    """Write a time that was taken with its two largest units: `4 h 7 min`, `3 min 20 s`, `12.3 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"
