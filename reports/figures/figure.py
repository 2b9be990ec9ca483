"""What every figure is made of: a chart, a title that says the finding, and the same data as a table.

A figure is made only where it holds three values or more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from mplus_eval.records.base import Interval
from mplus_eval.records.comparison import Comparison
from mplus_eval.reports import formats
from mplus_eval.reports.palette import ModelStyle
from mplus_eval.reports.tables import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

FEWEST_VALUES = 3
HOLLOW = " Hollow: not comparable."


class Chart(Protocol):
    """What a figure shows, all numbers already found."""

    def draw(self) -> Drawing:
        """Draw it on a canvas, in the colours that stand for tokens."""


@dataclass(frozen=True)
class Bar:
    """A value with its interval."""

    value: float
    ci: Interval | None

    @classmethod
    def known(cls, value: float | None, ci: Interval | None, scale: float = 1.0) -> Bar | None:
        """A value that may be unknown, with its interval, both times `scale`; None where it is."""
        if value is None:
            return None
        return cls(value * scale, (ci[0] * scale, ci[1] * scale) if ci else None)

    @property
    def ends(self) -> Interval:
        """The ends of the interval, or twice the value."""
        return self.ci or (self.value, self.value)


@dataclass(frozen=True)
class Styled:
    """Whatever is drawn of one model: its name, and how it looks."""

    model: str
    style: ModelStyle


FigureSection = Literal["tax", "differences", "scores", "trajectory", "training", "harmlessness", "conversation"]
"""The sections whose templates show figures; those of `scores` stand in the section on tasks."""


@dataclass(frozen=True)
class Figure:
    """A figure.

    `name` is its file's, `title` the finding, and `description` is for who cannot see it. It stands in the section
    `section` of the page, within the part of it that `part` names, such as a prompt set; `heading` is put
    above it in Markdown, and its table below it if `has_markdown_table`. `model` is whose it is, if of one alone.
    """

    name: str
    section: FigureSection
    title: str
    description: str
    chart: Chart
    caption: str = ""
    table: Table | None = None
    has_markdown_table: bool = True
    model: str = ""
    part: str = ""
    heading: str = ""


@dataclass(frozen=True)
class FigureData:
    """What figures are made from: the comparison without the saved steps of a training, all of it, and styles."""

    comparison: Comparison
    with_steps: Comparison
    styles: Mapping[str, ModelStyle]

    @property
    def confidence(self) -> str:
        """What the intervals are: `95 % CI`."""
        return f"{formats.whole_percent(1 - self.comparison.level)} CI"
