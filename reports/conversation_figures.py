"""Figures of conversation: win rates, ratings, and win rates by category as a radar beside readable bars."""

from __future__ import annotations

from collections.abc import Mapping

from mplus_eval.records.conversation import LengthControl, ModelConversation, WinRecord
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports import formats
from mplus_eval.reports.charts import (
    FEWEST_VALUES,
    Bar,
    Bars,
    Figure,
    Radar,
    RatingRow,
    Ratings,
    Series,
    WinRates,
    WinRow,
)
from mplus_eval.reports.conversation_phrasing import first_judge, rating_points
from mplus_eval.reports.conversation_tables import ConversationTables
from mplus_eval.reports.palette import Look
from mplus_eval.reports.scores import MOST_RADAR_AXES, radar_choice, spread_title
from mplus_eval.reports.text import enumerated, head, one_line

MOST_CATEGORIES = 24
LABEL_LENGTH = 40
HOLLOW = " Hollow: not comparable."


def win_figure(tables: ConversationTables, looks: Mapping[str, Look]) -> Figure | None:
    """Win rates against the baseline with the margin as a band, where there are three values or more."""
    rows = [row for model, found in tables.models.items() if (row := _win_row(model, found, looks))]
    if len(rows) + sum(row.at_equal_length is not None for row in rows) < FEWEST_VALUES:
        return None
    base, margin = tables.comparison.baseline, tables.conversation.margin
    caption = (
        f"Judge: {first_judge(tables.conversation)}. Ties count half; intervals clustered by dialogue. Band: within "
        f"{formats.margin_in_points(margin)} below 50 %. The verdict uses all dialogues; the fainter dot below it is "
        "the rate had both answers been equally long."
    )
    return Figure(
        "win-rates",
        _win_title(rows, base),
        "",
        f"Win rates against {base} with intervals, a model in two rows: over all pairs, and at equal length.",
        caption,
        WinRates(base, margin, tuple(rows)),
        None,
    )


def _win_row(model: str, found: ModelConversation, looks: Mapping[str, Look]) -> WinRow | None:
    bar = _bar(found.win_rate)
    if bar is None:
        return None
    verdict = found.verdict.value if found.verdict else "undecided"
    return WinRow(model, looks[model], verdict, bar, _bar(found.length_controlled_win_rate))


def _bar(found: WinRecord | LengthControl | None) -> Bar | None:
    return Bar(found.value, found.ci) if found and found.value is not None else None


def _win_title(rows: list[WinRow], baseline: str) -> str:
    compared = [row for row in rows if row.verdict != Verdict.NOT_COMPARABLE.value]
    if not compared:
        return f"Win rates against {baseline}, from which no verdict is drawn"
    low, high = (choose(compared, key=lambda row: row.bar.value) for choose in (min, max))
    if low is high:
        return f"{high.model} wins {formats.with_percent(high.bar.value)} against {baseline}"
    return (
        f"Win rate against {baseline} from {formats.with_percent(low.bar.value)} ({low.model}) to "
        f"{formats.with_percent(high.bar.value)} ({high.model})"
    )


def ratings_figure(tables: ConversationTables, looks: Mapping[str, Look]) -> Figure | None:
    """Ratings as dots, for three models or more, the baseline among them."""
    base = tables.comparison.baseline
    rows = [
        RatingRow(model, looks[model], rating.value, rating.ci, found.verdict is Verdict.NOT_COMPARABLE)
        for model, found in tables.models.items()
        if (rating := found.rating) and rating.value is not None
    ]
    rows = sorted([*rows, RatingRow(base, looks[base], 0.0, None)], key=lambda row: -row.value)
    if len(rows) < FEWEST_VALUES:
        return None
    best = next(row for row in rows if not row.is_hollow)
    title = (
        f"{base} rates highest" if best.model == base else f"{best.model} rates highest, {rating_points(best.value)}"
    )
    caption = "Bradley–Terry on all judged pairs; bootstrap intervals over dialogues."
    if any(None in (row.ci or ()) for row in rows):
        caption += " An arrow: no bound on that side."
    caption += HOLLOW if any(row.is_hollow for row in rows) else ""
    description = f"Bradley–Terry ratings with intervals, {base} at 0, a dot a model."
    return Figure("ratings", title, "", description, caption, Ratings(base, tuple(rows)), tables.ratings())


def category_figures(tables: ConversationTables, looks: Mapping[str, Look]) -> tuple[Figure, ...]:
    """The radar by category, and the bars beside it, which are the ones to read."""
    names = list(dict.fromkeys(name for found in tables.models.values() for name in found.by_category))
    if not 2 <= len(names) <= MOST_CATEGORIES:
        return ()
    series = [
        Series(model, looks[model], tuple(_bar(found.by_category.get(name)) for name in names))
        for model, found in tables.models.items()
    ]
    labels = tuple(head(one_line(name), LABEL_LENGTH) or "–" for name in names)
    figures = (_radar(labels, series, tables, looks), _bars(labels, series, tables))
    return tuple(figure for figure in figures if figure)


def _radar(
    labels: tuple[str, ...], series: list[Series], tables: ConversationTables, looks: Mapping[str, Look]
) -> Figure | None:
    base = tables.comparison.baseline
    whole = [one for one in series if all(one.bars)]
    if not FEWEST_VALUES <= len(labels) <= MOST_RADAR_AXES or not whole:
        return None
    even = Series(base, looks[base], (Bar(0.5, None),) * len(labels))
    chosen = tuple(radar_choice([even, *whole], base))
    names = enumerated([one.model for one in chosen if one is not even])
    caption = (
        f"Percent, rings at 25, 50, 75 and 100; {base} is 50 by definition. Area means nothing, the order of "
        "categories changes the shape: read the bars."
    )
    if len(chosen) <= len(whole):
        caption = f"The best and the worst on average. {caption}"
    title = f"Win rate of {names} by category, for shape only"
    return Figure(
        "conversation-radar", title, "", f"Radar of win rates of {names} by category.", caption,
        Radar(labels, chosen), None,
    )  # fmt: skip


def _bars(labels: tuple[str, ...], series: list[Series], tables: ConversationTables) -> Figure | None:
    if sum(bar is not None for one in series for bar in one.bars) < FEWEST_VALUES:
        return None
    base = tables.comparison.baseline
    caption = f"Percent, with intervals; dashed: 50, as often as {base}."
    if len(series) > 1:
        caption = (
            f"Percent, with intervals; bars in the order {', '.join(one.model for one in series)}. Dashed: 50, as "
            f"often as {base}."
        )
    chart = Bars(labels, (0.5,) * len(labels), tuple(series), f"win rate against {base}, percent")
    description = f"Win rates against {base} by category as bars, with intervals."
    title = spread_title(labels, series)
    title = f"By category, {title[:1].lower()}{title[1:]}"
    return Figure("conversation-categories", title, "", description, caption, chart, None)
