"""Win rates against the baseline: two rows a model, over all pairs and at equal length."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from matplotlib.figure import Figure as Drawing

from mplus_eval.records.verdict import Verdict
from mplus_eval.reports import formats
from mplus_eval.reports.conversation_phrasing import first_judge, judged_models
from mplus_eval.reports.figures.canvas import (
    ROUND_STEPS,
    ROW,
    annotate,
    directions,
    interval_line,
    row_labels,
    rows_canvas,
    scale_axis,
    ticks_between,
    verdict_mark,
)
from mplus_eval.reports.figures.figure import FEWEST_VALUES, Bar, Figure, FigureData, Styled
from mplus_eval.reports.figures.svg import colour
from mplus_eval.reports.verdicts import MARKS, is_comparable

EQUAL_LENGTH = "length-controlled"
GROUP = 2 * ROW + 4
MIDDLE = 50.0


@dataclass(frozen=True)
class WinRow(Styled):
    """The win rate of one model in percent, and at equal length where there is one."""

    verdict: Verdict
    bar: Bar
    at_equal_length: Bar | None


@dataclass(frozen=True)
class WinRateChart:
    """Win rates against the baseline; `margin` is how many points below one half count as preserved."""

    baseline: str
    margin: float
    rows: tuple[WinRow, ...]

    def draw(self) -> Drawing:
        """Draw two rows a model, the second one fainter, on a scale around one half with the margin as a band."""
        height = GROUP * len(self.rows)
        names = [row.model for row in self.rows]
        drawing, axes = rows_canvas([*names, EQUAL_LENGTH], height, top=18, right=50)
        bars = [bar for row in self.rows for bar in (row.bar, row.at_equal_length) if bar]
        ends = [end for bar in bars for end in bar.ends]
        # The middle is always seen, and so is a range wide enough that small differences look small.
        low, high = min(*ends, MIDDLE - 10), max(*ends, MIDDLE + 10)
        room = 0.03 * (high - low)
        axes.set_xlim(low - room, high + room)
        ticks = ticks_between(low, high, 5, 0.0, ROUND_STEPS)
        scale_axis(axes, ticks, [f"{tick:g}" for tick in ticks], f"win rate against {self.baseline}, percent")
        axes.axvspan(MIDDLE - self.margin, MIDDLE, color=colour("surface"), lw=0, zorder=0)
        axes.axvline(MIDDLE - self.margin, color=colour("strong"), lw=1, dashes=(3, 2), zorder=1)
        axes.axvline(MIDDLE, color=colour("strong"), lw=1, zorder=1)
        places = [GROUP * number + 2 + ROW / 2 for number in range(len(self.rows))]
        row_labels(axes, names, places, [row.style.token for row in self.rows])
        for row, place in zip(self.rows, places, strict=True):
            mark, below, faint, equal = MARKS[row.verdict], place + ROW - 3, colour("muted"), row.at_equal_length
            ink = colour(mark.ink)
            interval_line(axes, row.bar, place, ink)
            verdict_mark(axes, row.bar.value, place, mark)
            annotate(axes, f"{row.bar.value:.1f} %", place, 1, 49, "right", ink, weight="bold")
            annotate(axes, EQUAL_LENGTH, below, 0, -8, "right", faint)
            if equal:
                interval_line(axes, equal, below, faint, width=1)
                axes.plot([equal.value], [below], marker="o", ms=4.5, color=faint, mew=0, clip_on=False, zorder=4)
            annotate(axes, f"{equal.value:.1f} %" if equal else "withheld", below, 1, 49, "right", faint)
        directions(axes, height, "← loses", "wins →")
        return drawing


def win_rate_figures(data: FigureData) -> Iterable[Figure]:
    """Win rates against the baseline with the margin as a band, where there are three values or more."""
    comparison, conversation = data.comparison, data.comparison.conversation
    rows = []
    for model, judging in judged_models(comparison).items():
        wins, at_equal_length = judging.win_rate, judging.length_controlled_win_rate
        if bar := Bar.known(wins.value, wins.ci, 100):
            equal = Bar.known(at_equal_length.value, at_equal_length.ci, 100)
            rows.append(WinRow(model, data.styles[model], judging.verdict or Verdict.UNDECIDED, bar, equal))
    n_values = len(rows) + sum(row.at_equal_length is not None for row in rows)
    if conversation is None or n_values < FEWEST_VALUES:
        return
    base, margin = comparison.baseline, conversation.margin
    title = f"Win rates compared with {base}, from which no verdict is drawn"
    if compared := [row for row in rows if is_comparable(row)]:
        low, high = (choose(compared, key=lambda row: row.bar.value) for choose in (min, max))
        title = f"Win rate compared with {base} from {low.bar.value:.1f} % ({low.model}) to "
        title += f"{high.bar.value:.1f} % ({high.model})"
        if low is high:
            title = f"{high.model} wins {high.bar.value:.1f} % against {base}"
    yield Figure(
        name="win-rates",
        section="conversation",
        title=title,
        description=f"Win rates against {base} with intervals, two rows per model: over all pairs, and "
        "length-controlled.",
        chart=WinRateChart(base, 100 * margin, tuple(rows)),
        caption=f"Judge: {first_judge(conversation)}. Ties count half; {data.confidence} clustered by dialogue. Band: "
        f"within {formats.margin_in_points(margin)} below 50 %. The verdict uses all dialogues; the fainter dot "
        "below it is the length-controlled rate.",
    )
