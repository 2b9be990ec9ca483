"""How the models were asked, and what of it differs from the baseline besides the weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mplus_eval.records.asking import AskedDifference, Asking
from mplus_eval.records.comparison import Comparison
from mplus_eval.reports import formats
from mplus_eval.reports.tables import Column, Table, TableCell, TableRow
from mplus_eval.reports.text import abridged, one_line

_MOST_PLACES = 3


def asking_tables(comparison: Comparison) -> tuple[Table, ...]:
    """One table of how each model was asked, and one of what differs; none where no model tells."""
    asked = {name: entry.asking for name, entry in comparison.models.items() if entry.asking is not None}
    tables = [_asked_table(asked)] if asked else []
    rows = tuple(_difference_rows(comparison))
    if rows:
        headings = ("Model", "What differs from the baseline", "Where", "What follows")
        tables.append(Table("Differences in asking.", tuple(Column(heading, False) for heading in headings), rows))
    return tuple(tables)


def same_weights(name: str, comparison: Comparison) -> Iterable[str]:
    """Say where a model's weights are the baseline's, so that nothing but the asking can differ."""
    own, other = comparison.models.get(name), comparison.models.get(comparison.baseline)
    if own and other and own.weights and own.weights == other.weights:
        yield (
            f"{name} has the same weights as {comparison.baseline}: whatever differs comes from how they were asked."
        )


def _asked_table(asked: dict[str, Asking]) -> Table:
    """What each model told of itself; a column stands where it says something of some model."""
    told = {name: _told(asking) for name, asking in asked.items()}
    headings = [heading for heading in next(iter(told.values())) if any(cells[heading] for cells in told.values())]
    rows = tuple(
        TableRow(TableCell(name), tuple(TableCell(cells[heading] or "–") for heading in headings))
        for name, cells in told.items()
    )
    return Table("How models were asked.", tuple(Column(heading, False) for heading in ("Model", *headings)), rows)


def _told(asking: Asking) -> dict[str, str]:
    length, thinking = asking.max_length, one_line(asking.thinking)
    if thinking and asking.thinking_tokens:
        thinking += f", up to {formats.counted(asking.thinking_tokens, 'token')}"
    return {
        "API": one_line(asking.api),
        "Longest sequence": formats.counted(length, "token") if length else "",
        "Prompts begin with": one_line(asking.begins_with),
        "Left off": one_line(asking.leaves_off),
        "Texts end with": _listed(asking.end_tokens),
        "Chat answers end with": _listed(asking.talk_ends),
        "Template says by itself": one_line(asking.template_system)[:80],
        "System message": "in the user’s first turn" if asking.folds_system else "",
        "Quantization": one_line(asking.quantization or ""),
        "Decoding of its own": _listed(f"{key} {value}" for key, value in asking.decoding.items()),
        "Ignored of generation_config": _listed(f"{key} {value}" for key, value in asking.ignored.items()),
        "Reasoning": thinking,
    }


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(one_line(repr(text)[1:-1]) for text in texts)


def _difference_rows(comparison: Comparison) -> Iterator[TableRow]:
    """What differs of each model: the same thing on several tasks is one row."""
    for model in comparison.models:
        places: dict[AskedDifference, list[str]] = {}
        for place, difference in _differences(model, comparison):
            places.setdefault(difference, []).append(place)
        for difference, names in places.items():
            where = abridged([one_line(name) for name in names], _MOST_PLACES, "places")
            cells = (TableCell(one_line(difference.says)), TableCell(where), TableCell(_follows(difference)))
            yield TableRow(TableCell(model), cells)


def _differences(model: str, comparison: Comparison) -> Iterator[tuple[str, AskedDifference]]:
    for task, entry in comparison.tasks.items():
        if model in entry.contrasts:
            yield from ((task, difference) for difference in entry.contrasts[model].differences)
    of_model = comparison.toxicity.models.get(model) if comparison.toxicity else None
    for name, on_set in of_model.sets.items() if of_model else ():
        yield from ((name, difference) for difference in (on_set.contrast.differences if on_set.contrast else ()))
    if comparison.conversation and (talk := comparison.conversation.models.get(model)):
        yield from ((comparison.conversation.name, difference) for difference in talk.differences)


def _follows(difference: AskedDifference) -> str:
    if difference.withholds:
        return f"no verdict (--allow {difference.name} accepts it)"
    return "accepted by name" if difference.allowed else "named"
