"""The ground that figures are drawn on: axes in units of pixels, row labels, notes, intervals and models' marks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Drawing
from matplotlib.path import Path as Outline
from matplotlib.textpath import TextPath
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from mplus_eval.reports import formats
from mplus_eval.reports.figures.figure import Bar, Styled
from mplus_eval.reports.figures.svg import colour
from mplus_eval.reports.palette import SHAPES, ModelStyle
from mplus_eval.reports.verdicts import Mark

Side = Literal["left", "center", "right"]

WIDTH = 328
ROW = 21
SMALLEST_TEXT = 11
LABELS_AT_MOST = 128
ROUND_STEPS = (1, 2, 5, 10)


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
    ticks = ticks_between(*scale, 4, room)
    labels = ["0" if abs(tick) < 1e-9 else f"{tick * 100:+g}".replace("-", formats.MINUS) for tick in ticks]
    scale_axis(axes, ticks, labels, label)
    axes.axvline(0, color=colour("strong"), lw=1, zorder=1)


def ticks_between(low: float, high: float, most: int, room: float, steps: Sequence[float] | None = None) -> list[float]:
    """Round places between two values and in the room beside them, about so many; `steps` are the distances allowed."""
    ticks = MaxNLocator(most, steps=steps).tick_values(low, high)
    return [tick for tick in ticks if low - room <= tick <= high + room]


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
        annotate(axes, fitted(name, LABELS_AT_MOST), place, 0, -8, "right", ink)


def annotate(
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


def margin_line(axes: Axes, margin: float, place: float) -> None:
    """A margin as a dashed line over the height of a row."""
    edges = [place - ROW / 2, place + ROW / 2]
    axes.plot([margin] * 2, edges, color=colour("strong"), lw=1, dashes=(3, 2), zorder=1)


def directions(axes: Axes, height: float, left: str, right: str) -> None:
    """Words above rows of a height that say which way is which."""
    above = 1 + 5 / height
    axes.text(0, above, left, transform=axes.transAxes, color=colour("muted"), va="bottom", ha="left")
    axes.text(1, above, right, transform=axes.transAxes, color=colour("muted"), va="bottom", ha="right")


def model_mark(axes: Axes, x: float, y: float, style: ModelStyle, size: float = 7, *, is_hollow: bool = False) -> None:
    """A model's shape in its colour; hollow where it is shown and not to be compared."""
    ink = colour(style.token)
    face: Any = {"mfc": colour("bg"), "mew": 1.4} if is_hollow else {"mew": 0}
    corners = SHAPES[style.shape]
    axes.plot([x], [y], marker=[*corners, corners[0]], ms=size, color=ink, clip_on=False, zorder=4, **face)


def verdict_mark(axes: Axes, x: float, y: float, mark: Mark) -> None:
    """A verdict's shape: filled and signed, or open where nothing was shown; the same as in the page's tables."""
    ink, ground = colour(mark.ink), colour("bg")
    face, sign_ink, edge = (ground, ink, 1.3) if mark.is_open else (ink, ground, 0)
    shared: Any = {"ls": "", "color": ink, "clip_on": False}
    # A square on its corner is wider than the other shapes of its size.
    size = 8.5 if mark.marker == "D" else 10
    axes.plot([x], [y], marker=mark.marker, ms=size, mfc=face, mec=ink, mew=edge, zorder=4, **shared)
    sign: str | Outline
    if isinstance(mark.sign, str):
        sign, size = mark.sign, 5.6
    else:
        sign, size = Outline([end for line in mark.sign for end in line], [1, 2] * len(mark.sign)), 4.4
    if mark.sign:
        axes.plot([x], [y], marker=sign, ms=size, mfc="none", mec=sign_ink, mew=1.3, zorder=5, **shared)


def plain_axes(drawing: Drawing, top: float, height: float, whole: float) -> Axes:
    """Axes at a distance from the top, with room for values at the left."""
    left, right = 44, 14
    box = left / WIDTH, (whole - top - height) / whole, (WIDTH - left - right) / WIDTH, height / whole
    axes = drawing.add_axes(box, facecolor="none")
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes


def values_and_ends(bars: Iterable[Bar]) -> list[float]:
    """The values, and the ends of their intervals."""
    return [value for bar in bars for value in (bar.value, *bar.ends)]


def value_axis(axes: Axes, values: list[float]) -> None:
    """The vertical scale, with room for the values that it is to hold."""
    low, high = min(values), max(values)
    room = 0.08 * (high - low) or 0.5
    axes.set_ylim(low - room, high + room)
    ticks = ticks_between(low, high, 3, room)
    value_ticks(axes, ticks, [formats.plain(round(tick, 9)) for tick in ticks])


def value_ticks(axes: Axes, ticks: list[float], labels: list[str]) -> None:
    """Ticks and grid of the vertical axis."""
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.set_yticklabels(labels, color=colour("muted"))
    axes.grid(axis="y", color=colour("line"), lw=1, zorder=0)
    axes.tick_params(axis="y", length=0, pad=6)


def horizontal_axis(axes: Axes, most: float, name: str, *, is_labelled: bool = True) -> None:
    """A horizontal scale from 0."""
    axes.set_xlim(-0.03 * most, 1.03 * most)
    ticks = [tick for tick in MaxNLocator(4).tick_values(0, most) if 0 <= tick <= 1.03 * most]
    scale_axis(axes, ticks, [f"{tick:g}" if is_labelled else "" for tick in ticks], name)


def legend_rows(series: Sequence[Styled]) -> list[list[tuple[float, str, ModelStyle]]]:
    """Place the models' names in rows that fit the width: x, name, style."""
    rows: list[list[tuple[float, str, ModelStyle]]] = [[]]
    x = 0.0
    for entry in series:
        name = fitted(entry.model, WIDTH - 30)
        width = text_width(name) + 26
        if rows[-1] and x + width > WIDTH:
            rows.append([])
            x = 0.0
        rows[-1].append((x, name, entry.style))
        x += width
    return rows


def draw_legend(drawing: Drawing, rows: list[list[tuple[float, str, ModelStyle]]]) -> None:
    """Draw the models' marks and names at the top."""
    height = drawing.get_figheight() * 72
    axes = drawing.add_axes((0, 0, 1, 1), facecolor="none")
    axes.set_axis_off()
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(height, 0)
    for number, row in enumerate(rows):
        for x, name, style in row:
            model_mark(axes, x + 5, 16 * number + 8, style)
            axes.text(x + 13, 16 * number + 8, name, color=colour(style.token), va="center")


@cache
def text_width(text: str) -> float:
    """The width of a text at 11 units, in the widest of the usual fonts."""
    if not text:
        return 0.0
    with mpl.rc_context({"font.family": "DejaVu Sans", "text.usetex": False, "text.parse_math": False}):
        return float(TextPath((0, 0), text, size=SMALLEST_TEXT).get_extents().width) + 2


def fitted(text: str, width: float) -> str:
    """The text, its middle left out where it is wider than the room for it."""
    if text_width(text) <= width:
        return text
    for n_letters in range(len(text) - 1, 1, -1):
        shorter = f"{text[: (n_letters + 1) // 2]}…{text[len(text) - n_letters // 2 :]}"
        if text_width(shorter) <= width:
            return shorter
    return "…"
