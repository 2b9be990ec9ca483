"""What a task's numbers are written in: percent and points, or its own unit with changes in that or in percent."""

from __future__ import annotations

from dataclasses import dataclass

from mplus_eval.records.base import Interval
from mplus_eval.records.comparison import Task
from mplus_eval.reports import formats


@dataclass(frozen=True)
class Unit:
    """How one task's scores and differences are written, and which direction is a gain.

    With `decimals` it stays a fraction, as a toxicity does; where it is relative, differences are shares of the value.
    """

    is_fraction: bool
    higher_is_better: bool = True
    decimals: int | None = None
    is_relative: bool = False

    @classmethod
    def of(cls, task: Task) -> Unit:
        """The unit of a task: fractions where every score is one."""
        if task.relative:
            return cls(False, task.higher_is_better, is_relative=True)
        values = [score.value for score in task.scores.values() if score.value is not None]
        return cls(all(0 <= value <= 1 for value in values), task.higher_is_better)

    def score(self, value: float) -> str:
        """Write a score."""
        if self.decimals is not None:
            return formats.decimal(value, self.decimals)
        return formats.percent(value) if self.is_fraction else formats.plain(value)

    def score_interval(self, interval: Interval) -> str:
        """Write an interval of scores."""
        return f"[{self.score(interval[0])}, {self.score(interval[1])}]"

    def difference(self, value: float) -> str:
        """Write a difference, signed."""
        if self.decimals is not None:
            return formats.signed_decimal(value, self.decimals)
        if self.is_relative:
            return f"{formats.points(value)} %"
        return formats.points(value) if self.is_fraction else formats.signed(value)

    def interval(self, interval: Interval) -> str:
        """Write an interval of differences."""
        if self.is_relative:
            return f"{formats.interval_of_points(interval)} %"
        return f"[{self.difference(interval[0])}, {self.difference(interval[1])}]"

    def size(self, value: float) -> str:
        """Write the size of a difference or of a margin."""
        if self.decimals is not None:
            return formats.decimal(abs(value), self.decimals)
        if self.is_relative:
            return f"{formats.size_in_points(value)} %"
        return formats.size_in_points(value) if self.is_fraction else formats.plain(abs(value))

    def gain(self, difference: float) -> float:
        """The difference turned so that more is better."""
        return difference if self.higher_is_better else -difference


FRACTION = Unit(True)
TOXICITY = Unit(False, higher_is_better=False, decimals=3)
