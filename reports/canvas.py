"""The ground that figures are drawn on: axes in units of pixels, row labels, notes, intervals and models' marks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Drawing
from matplotlib.textpath import TextPath
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from mplus_eval.reports import formats
from mplus_eval.reports.charts import Bar
from mplus_eval.reports.palette import SHAPES, Look
from mplus_eval.reports.svg import colour

Side = Literal["left", "center", "right"]

WIDTH = 328
ROW = 21
SMALLEST_TEXT = 11
LABELS_AT_MOST = 128


def blank_canvas(height: float) -> Drawing:
    """A drawing of the width that all figures share, without axes."""
    drawing = Drawing(figsize=(WIDTH / 72, height / 72), dpi=72)
    FigureCanvasSVG(drawing)
    return drawing


def rows_canvas(names: list[str], height: float, *, top: float, right: float) -> tuple[Drawing, Axes]:
    """A canvas with one pair of axes, a unit a pixel downwards, and room for row labels at the left."""
    left = min(LABELS_AT_MOST, max(map(text_width, names))) + 8
    whole = top + height + 36
    drawing = blank_canvas(whole)
    axes = drawing.add_axes((left / WIDTH, 36 / whole, (WIDTH - left - right) / WIDTH, height / whole))
    axes.set_ylim(height, 0)
    axes.set_facecolor("none")
    for spine in axes.spines.values():
        spine.set_visible(False)
    return drawing, axes


def points_axis(axes: Axes, scale: tuple[float, float], label: str) -> None:
    """The scale of differences, in points, with a line at zero."""
    room = 0.04 * (scale[1] - scale[0]) or 0.01
    axes.set_xlim(scale[0] - room, scale[1] + room)
    ticks = [tick for tick in MaxNLocator(4).tick_values(*scale) if scale[0] - room <= tick <= scale[1] + room]
    scale_axis(axes, ticks, [_tick(tick) for tick in ticks], label)
    axes.axvline(0, color=colour("strong"), lw=1, zorder=1)


def _tick(tick: float) -> str:
    if abs(tick) < 1e-9:
        return "0"
    return f"{tick * 100:+g}".replace("-", formats.MINUS)


def scale_axis(axes: Axes, ticks: list[float], labels: list[str], name: str) -> None:
    """Ticks, grid and name of the horizontal axis."""
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.set_xticklabels(labels, color=colour("muted"))
    axes.grid(axis="x", color=colour("line"), lw=1, zorder=0)
    axes.set_axisbelow(True)
    axes.tick_params(axis="x", length=0, pad=4)
    axes.set_xlabel(name, color=colour("muted"), labelpad=3)


def row_labels(axes: Axes, names: list[str], places: list[float], tokens: list[str] | None = None) -> None:
    """The names of the rows, left of the axes; `tokens` colours them."""
    axes.yaxis.set_major_locator(NullLocator())
    for index, (name, place) in enumerate(zip(names, places, strict=True)):
        ink = colour(tokens[index] if tokens else "ink")
        note(axes, fitted(name, LABELS_AT_MOST), place, 0, -8, "right", ink)


def note(
    axes: Axes, text: str, place: float, at: float, offset: float, side: Side, ink: str, weight: str = "normal"
) -> None:
    """Text in a row: `at` is 0 at the left end of the axes and 1 at the right, `offset` is in units from there."""
    axes.annotate(
        text,
        (at, place),
        (offset, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha=side,
        va="center",
        color=ink,
        weight=weight,
        annotation_clip=False,
    )


def interval_line(axes: Axes, bar: Bar, place: float, ink: str, width: float = 1.6) -> None:
    """A value's interval as a line, where it has one."""
    if bar.ci:
        axes.plot(bar.ci, [place, place], color=ink, lw=width, solid_capstyle="butt", zorder=3)


def model_mark(axes: Axes, x: float, y: float, look: Look, size: float = 7) -> None:
    """A model's shape in its colour."""
    axes.plot(
        [x], [y], marker=list(SHAPES[look.shape]), ms=size, color=colour(look.token), mew=0, clip_on=False, zorder=4
    )


def text_width(text: str) -> float:
    """The width of a text at 11 units, in the widest of the usual fonts."""
    if not text:
        return 0.0
    with _plain_font():
        return float(TextPath((0, 0), text, size=SMALLEST_TEXT).get_extents().width) + 2


def fitted(text: str, width: float) -> str:
    """The text, its middle left out where it is wider than the room for it."""
    if text_width(text) <= width:
        return text
    for kept in range(len(text) - 1, 1, -1):
        shorter = f"{text[: (kept + 1) // 2]}…{text[len(text) - kept // 2 :]}"
        if text_width(shorter) <= width:
            return shorter
    return "…"


@contextmanager
def _plain_font() -> Iterator[None]:
    with mpl.rc_context({"font.family": "DejaVu Sans", "text.usetex": False, "text.parse_math": False}):
        yield
