"""Figures drawn with matplotlib, 328 units wide, so that on a phone they stand at their own size."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import pi, sin
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Drawing
from matplotlib.path import Path as Outline
from matplotlib.textpath import TextPath
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from mplus_eval.reports import formats
from mplus_eval.reports.charts import Bar, Bars, Figure, Forest, ForestRow, Radar, Series, Tax
from mplus_eval.reports.palette import SHAPES, Look
from mplus_eval.reports.svg import SETTINGS, colour, to_svg

Side = Literal["left", "center", "right"]

WIDTH = 328
ROW = 21
SMALLEST_TEXT = 11
LABELS_AT_MOST = 128
MOST_LABELLED_BARS = 6
RADIUS = 80
DASHES = ((0, ()), (0, (5, 2)), (0, (1.5, 2)))

MARKERS = {"improved": "o", "preserved": "s", "degraded": "D", "undecided": "o", "not comparable": "s", "failed": "x"}
VERDICT_TOKENS = {"improved": "improved", "preserved": "preserved", "degraded": "degraded"}
_BARS = Outline([(-1, 0.35), (1, 0.35), (-1, -0.35), (1, -0.35)], [1, 2, 1, 2])
_SIGNS: dict[str, Any] = {"improved": "+", "degraded": "_", "preserved": _BARS, "not comparable": "x"}


def draw(figure: Figure) -> str:
    """Draw a figure as an SVG element with CSS variables for colours."""
    with mpl.rc_context(SETTINGS):
        match figure.chart:
            case Forest() as chart:
                drawing = _forest(chart)
            case Tax() as chart:
                drawing = _tax(chart)
            case Bars() as chart:
                drawing = _bars(chart)
            case Radar() as chart:
                drawing = _radar(chart)
        return to_svg(drawing, figure.name, f"{figure.title}. {figure.description}")


def _forest(chart: Forest) -> Drawing:
    names = [row.name for row in chart.rows]
    gap = 10 if chart.rows[-1].is_total else 0
    drawing, axes = _rows_canvas(names, len(names) * ROW + gap, top=18, right=44)
    places = [ROW * (index + 0.5) + (gap if row.is_total else 0) for index, row in enumerate(chart.rows)]
    _points_axis(axes, chart.scale, f"difference from {chart.baseline}, points")
    _row_labels(axes, names, places)
    for row, place in zip(chart.rows, places, strict=True):
        _forest_row(axes, row, place)
    above = 1 + 5 / (len(names) * ROW + gap)
    for at, text, side in ((0, "← worse", "left"), (1, "better →", "right")):
        axes.text(at, above, text, transform=axes.transAxes, color=colour("muted"), va="bottom", ha=side)
    return drawing


def _forest_row(axes: Axes, row: ForestRow, place: float) -> None:
    if row.bar is None:
        _note(axes, "no result", place, 0.5, 0, "center", colour("muted"))
        return
    ink = colour(VERDICT_TOKENS.get(row.verdict, "undecided"))
    axes.fill_betweenx([place - ROW / 2, place + ROW / 2], 0, row.margin, color=colour("surface"), lw=0, zorder=0)
    axes.plot(
        [row.margin] * 2, [place - ROW / 2, place + ROW / 2], color=colour("strong"), lw=1, dashes=(3, 2), zorder=1
    )
    _interval(axes, row.bar, place, ink)
    _verdict_mark(axes, row.bar.value, place, row.verdict, ink)
    _note(axes, formats.points(row.bar.value), place, 1, 43, "right", ink, weight="bold")


def _verdict_mark(axes: Axes, x: float, y: float, verdict: str, ink: str) -> None:
    """The verdict's shape: filled and signed, or open where nothing was shown."""
    marker, is_open = MARKERS[verdict], verdict in ("undecided", "not comparable")
    size = 8.5 if marker == "D" else 10
    face = colour("bg") if is_open else ink
    axes.plot([x], [y], marker, ms=size, mfc=face, mec=ink, mew=1.3 if is_open else 0, clip_on=False, zorder=4)
    if sign := _SIGNS.get(verdict):
        axes.plot([x], [y], marker=sign, ms=5.6, mec=ink if is_open else colour("bg"), mew=1.5, clip_on=False, zorder=5)


def _tax(chart: Tax) -> Drawing:
    names = [row.model for row in chart.rows]
    drawing, axes = _rows_canvas(names, len(names) * ROW, top=6, right=44)
    places = [ROW * (index + 0.5) for index in range(len(names))]
    ends = [end for row in chart.rows for end in (row.bar.ci or (row.bar.value,))]
    ends += [row.margin for row in chart.rows if row.margin is not None]
    _points_axis(axes, (min(0.0, *ends), max(0.0, *ends)), "alignment tax, points lost")
    _row_labels(axes, names, places, [row.look.token for row in chart.rows])
    for row, place in zip(chart.rows, places, strict=True):
        ink = colour(row.look.token)
        axes.barh(place, row.bar.value, height=9, color=ink, alpha=0.55, lw=0, zorder=2)
        _interval(axes, row.bar, place, colour("ink"))
        _model_mark(axes, row.bar.value, place, row.look)
        if row.margin is not None:
            edges = [place - ROW / 2, place + ROW / 2]
            axes.plot([row.margin] * 2, edges, color=colour("strong"), lw=1, dashes=(3, 2), zorder=1)
        _note(axes, formats.points(row.bar.value), place, 1, 43, "right", ink)
    return drawing


def _bars(chart: Bars) -> Drawing:
    is_labelled = len(chart.series) <= MOST_LABELLED_BARS
    thickness = 11 if is_labelled else 7
    group = thickness * len(chart.series) + 10
    legend = _legend_rows(chart.series)
    top = 16 * len(legend) + 4
    drawing, axes = _rows_canvas(list(chart.tasks), group * len(chart.tasks), top=top, right=36)
    axes.set_xlim(0, 1)
    _scale(axes, [0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100"], "score, percent")
    _row_labels(axes, list(chart.tasks), [group * (index + 0.5) for index in range(len(chart.tasks))])
    for number, series in enumerate(chart.series):
        for index, bar in enumerate(series.bars):
            place = group * index + 5 + thickness * (number + 0.5)
            _score_bar(axes, bar, place, thickness, series.look)
    for index, chance in enumerate(chart.chances):
        if chance > 0:
            edges = [group * index + 2, group * (index + 1) - 2]
            axes.plot([chance] * 2, edges, color=colour("ink"), lw=1, dashes=(3, 2), zorder=5)
    _legend(drawing, legend)
    return drawing


def _score_bar(axes: Axes, bar: Bar | None, place: float, thickness: float, look: Look) -> None:
    if bar is None:
        _note(axes, "×", place, 0, 4, "left", colour("muted"))
        return
    axes.barh(place, bar.value, height=thickness - 1.5, color=colour(look.token), alpha=0.55, lw=0, zorder=2)
    _interval(axes, bar, place, colour("ink"), width=1)
    _model_mark(axes, bar.value, place, look, size=5)
    if thickness >= SMALLEST_TEXT:
        _note(axes, formats.percent(bar.value), place, 1, 35, "right", colour("muted"))


def _radar(chart: Radar) -> Drawing:
    legend = _legend_rows(chart.series)
    height = 16 * len(legend) + 2 * RADIUS + 64
    drawing = _canvas(height)
    box = (WIDTH / 2 - RADIUS) / WIDTH, 28 / height, 2 * RADIUS / WIDTH, 2 * RADIUS / height
    axes = drawing.add_axes(box, projection="polar")
    angles = [2 * pi * index / len(chart.tasks) for index in range(len(chart.tasks))]
    _radar_grid(axes, chart.tasks, angles)
    for number, series in enumerate(chart.series):
        values = [bar.value for bar in series.bars if bar]
        ink, marker = colour(series.look.token), list(SHAPES[series.look.shape])
        dashes = DASHES[number % len(DASHES)]
        axes.plot([*angles, angles[0]], [*values, values[0]], color=ink, lw=1.7, ls=dashes)
        axes.plot(angles, values, ls="", marker=marker, ms=5.5, color=ink, mew=0)
    _legend(drawing, legend)
    return drawing


def _radar_grid(axes: Any, tasks: tuple[str, ...], angles: list[float]) -> None:
    axes.set_theta_zero_location("N")
    axes.set_theta_direction(-1)
    axes.set_ylim(0, 1)
    axes.set_facecolor("none")
    axes.grid(color=colour("line"), lw=1)
    axes.spines["polar"].set_color(colour("line"))
    axes.set_xticks(angles, [""] * len(angles))
    axes.set_yticks([0.25, 0.5, 0.75, 1], ["25", "50", "75", ""], color=colour("muted"), size=SMALLEST_TEXT)
    axes.set_rlabel_position(180 / len(angles))
    for task, angle in zip(tasks, angles, strict=True):
        aside = sin(angle)
        side = "center" if abs(aside) < 0.1 else "left" if aside > 0 else "right"
        room = WIDTH / 2 - 1.1 * RADIUS * abs(aside) if side != "center" else 120
        axes.text(angle, 1.1, fitted(task, room), ha=side, va="center", color=colour("ink"))


def _canvas(height: float) -> Drawing:
    drawing = Drawing(figsize=(WIDTH / 72, height / 72), dpi=72)
    FigureCanvasSVG(drawing)
    return drawing


def _rows_canvas(names: list[str], height: float, *, top: float, right: float) -> tuple[Drawing, Axes]:
    """A canvas with one pair of axes, a unit a pixel downwards, and room for row labels at the left."""
    left = min(LABELS_AT_MOST, max(map(text_width, names))) + 8
    whole = top + height + 36
    drawing = _canvas(whole)
    axes = drawing.add_axes((left / WIDTH, 36 / whole, (WIDTH - left - right) / WIDTH, height / whole))
    axes.set_ylim(height, 0)
    axes.set_facecolor("none")
    for spine in axes.spines.values():
        spine.set_visible(False)
    return drawing, axes


def _points_axis(axes: Axes, scale: tuple[float, float], label: str) -> None:
    room = 0.04 * (scale[1] - scale[0]) or 0.01
    axes.set_xlim(scale[0] - room, scale[1] + room)
    ticks = [tick for tick in MaxNLocator(4).tick_values(*scale) if scale[0] - room <= tick <= scale[1] + room]
    _scale(axes, ticks, [_tick(tick) for tick in ticks], label)
    axes.axvline(0, color=colour("strong"), lw=1, zorder=1)


def _tick(tick: float) -> str:
    if abs(tick) < 1e-9:
        return "0"
    return f"{tick * 100:+g}".replace("-", formats.MINUS)


def _scale(axes: Axes, ticks: list[float], labels: list[str], name: str) -> None:
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.set_xticklabels(labels, color=colour("muted"))
    axes.grid(axis="x", color=colour("line"), lw=1, zorder=0)
    axes.set_axisbelow(True)
    axes.tick_params(axis="x", length=0, pad=4)
    axes.set_xlabel(name, color=colour("muted"), labelpad=3)


def _row_labels(axes: Axes, names: list[str], places: list[float], tokens: list[str] | None = None) -> None:
    axes.yaxis.set_major_locator(NullLocator())
    for index, (name, place) in enumerate(zip(names, places, strict=True)):
        ink = colour(tokens[index] if tokens else "ink")
        _note(axes, fitted(name, LABELS_AT_MOST), place, 0, -8, "right", ink)


def _note(
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


def _interval(axes: Axes, bar: Bar, place: float, ink: str, width: float = 1.6) -> None:
    if bar.ci:
        axes.plot(bar.ci, [place, place], color=ink, lw=width, solid_capstyle="butt", zorder=3)


def _model_mark(axes: Axes, x: float, y: float, look: Look, size: float = 7) -> None:
    axes.plot(
        [x], [y], marker=list(SHAPES[look.shape]), ms=size, color=colour(look.token), mew=0, clip_on=False, zorder=4
    )


def _legend_rows(series: tuple[Series, ...]) -> list[list[tuple[float, str, Look]]]:
    """Place the models' names in rows that fit the width: x, name, look."""
    rows: list[list[tuple[float, str, Look]]] = [[]]
    x = 0.0
    for one in series:
        name = fitted(one.model, WIDTH - 30)
        width = text_width(name) + 26
        if rows[-1] and x + width > WIDTH:
            rows.append([])
            x = 0.0
        rows[-1].append((x, name, one.look))
        x += width
    return rows


def _legend(drawing: Drawing, rows: list[list[tuple[float, str, Look]]]) -> None:
    height = drawing.get_figheight() * 72
    axes = drawing.add_axes((0, 0, 1, 1), facecolor="none")
    axes.set_axis_off()
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(height, 0)
    for number, row in enumerate(rows):
        for x, name, look in row:
            _model_mark(axes, x + 5, 16 * number + 8, look)
            axes.text(x + 13, 16 * number + 8, name, color=colour(look.token), va="center")


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
