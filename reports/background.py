"""How the run was made: the methods in words, and the manifest. Every key of the manifest may be absent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mplus_eval.records.comparison import Comparison, ModelEntry
from mplus_eval.reports import formats
from mplus_eval.reports.asking import asking_tables
from mplus_eval.reports.conversation_method import conversation_method
from mplus_eval.reports.harmlessness_method import harmlessness_method
from mplus_eval.reports.noise import noise_method
from mplus_eval.reports.selection import selection_method
from mplus_eval.reports.sequential import sequential_method
from mplus_eval.reports.tables import Column, Field, Table, TableCell, TableRow, number
from mplus_eval.reports.text import enumerated, one_line, visible
from mplus_eval.reports.verdicts import VERDICTS

Json = Mapping[str, object]
"""A part of the stored manifest, of which nothing is sure but that it came from JSON."""

_MODEL_COLUMNS = {
    "source": "Source",
    "weights": "Weights",
    "tokenizer": "Tokenizer",
    "chat_template": "Template",
    "device": "Device",
}
_HASHES = ("weights", "tokenizer")
_HASH_SHOWN = 12


@dataclass(frozen=True)
class Manifest:
    """What is known of how the run was made."""

    command: str
    fields: tuple[Field, ...]
    tables: tuple[Table, ...]


def methods(comparison: Comparison) -> tuple[str, ...]:
    """The methods in paragraphs, from the margins, level and seed that this comparison used."""
    paragraphs = []
    has_contrasts = any(task.contrasts for task in comparison.tasks.values())
    if has_contrasts:
        confidence = formats.whole_percent(1 - comparison.level)
        paragraphs.append(
            "Every difference is paired by item. Subjects are fixed strata; items on one passage are clusters. Tasks "
            "scored 0 or 1 without clusters use the exact McNemar test; the others a sign-flip permutation by whole "
            f"cluster. Intervals are {confidence}, not adjusted. {adjustment(comparison)} The suite's variance is the "
            "sum of its tasks'. A verdict of difference needs the test and an interval without 0; what a model failed "
            "to answer counts as lost where a gain or no loss is claimed." + clustering(comparison)
        )
    if has_contrasts or ((comparison.toxicity or comparison.conversation) and len(comparison.models) > 1):
        paragraphs.append(verdict_rules(comparison))
        paragraphs.append(
            "This run compares checkpoints, not methods: with one training seed per method, nothing is known of the "
            "spread between seeds."
        )
    if outside := without_average(comparison):
        paragraphs.append(outside)
    if comparison.tasks:
        own = [name for name, model in comparison.models.items() if model.chat_template != "plain"]
        paragraphs.append(
            f"Capability prompts are plain text, except for {enumerated(own)}, asked through a chat template."
            if own
            else "Capability prompts are the same plain text for every model."
        )
        paragraphs.append(
            "Tasks are asked and scored by lm-eval. A failed item is counted and shown, never averaged in as wrong."
            + departures(comparison)
        )
    paragraphs += [
        selection_method(comparison),
        sequential_method(comparison),
        noise_method(comparison),
        harmlessness_method(comparison),
        conversation_method(comparison),
    ]
    return tuple(paragraph for paragraph in paragraphs if paragraph)


def adjustment(comparison: Comparison) -> str:
    """Which tests are one family."""
    over = "each model's tasks" if comparison.adjust == "model" else "the tasks of all models"
    suite = (
        "the suite's verdict stands outside them."
        if comparison.adjust == "model"
        else "the suite's verdicts are adjusted over the models by Dunnett's procedure."
    )
    return (
        f"Difference tests and non-inferiority tests over {over} are two families, each adjusted step-down (Holm's, "
        f"with the p-values that an exact test can give); {suite}"
    )


def clustering(comparison: Comparison) -> str:
    """How alike the items of a cluster are supposed to be, where there are clusters."""
    contrasts = [contrast for task in comparison.tasks.values() for contrast in task.contrasts.values()]
    supposed = {each.icc for each in contrasts if each.icc is not None and each.n_clusters < each.n_pairs}
    if not supposed:
        return ""
    listed = enumerated([f"{icc:g}" for icc in sorted(supposed)])
    return f" Where few items differ, those of one cluster are taken to have a correlation of {listed}."


def without_average(comparison: Comparison) -> str:
    """Which tasks are no part of the macro-average, and how ratios are compared; empty where there are none."""
    outside = {name: one_line(task.outside) for name, task in comparison.tasks.items() if task.outside}
    if not outside:
        return ""
    told = "; ".join(f"{name}: {reason}" for name, reason in outside.items())
    relative = [name for name, task in comparison.tasks.items() if task.relative]
    how = ""
    if relative:
        how = (
            f" Differences, intervals and margins of {enumerated(relative)} are in percent of the value: bits per byte "
            "and perplexities are ratios of sums over texts, compared on the logarithm."
        )
    return f"The macro-average is taken over the other tasks ({told}).{how}"


def departures(comparison: Comparison) -> str:
    """Where tasks are asked otherwise than lm-eval asks them, in sentences; empty where that is nowhere."""
    settings: dict[tuple[str, ...], list[str]] = {}
    for name, task in comparison.tasks.items():
        if task.departs:
            settings.setdefault(task.departs, []).append(name)
    examples = [
        f"{formats.counted(task.n_shots_replaced, 'item')} of {name}"
        for name, task in comparison.tasks.items()
        if task.n_shots_replaced
    ]
    told = ""
    if settings:
        listed = [
            f"{enumerated(names)}: {enumerated(list(map(one_line, departs)))}" for departs, names in settings.items()
        ]
        told = (
            f" Departing from lm-eval, by the suite: {'; '.join(listed)}. These scores can be compared among the "
            "models of this run, not with published numbers."
        )
    if examples:
        told += (
            " Departing from lm-eval, other few-shot examples stand where one that was drawn was the item itself or of "
            f"its cluster: {enumerated(examples)}."
        )
    return told


def margins_by_scope(comparison: Comparison) -> list[str]:
    """The margins that were used, each with what it is for: `1 point (average)`, `2 points (one task)`."""
    suite = {summary.margin for summary in comparison.summary.values() if summary.margin is not None}
    tasks = [(entry.relative, each.margin) for entry in comparison.tasks.values() for each in entry.contrasts.values()]
    in_points = ((suite, "average"), ({margin for is_relative, margin in tasks if not is_relative}, "one task"))
    margins = [
        f"{enumerated([formats.margin_in_points(size) for size in sorted(sizes)])} ({what})"
        for sizes, what in in_points
        if sizes
    ]
    relative = sorted({margin for is_relative, margin in tasks if is_relative})
    if relative:
        margins.append(f"{enumerated([formats.whole_percent(size) for size in relative])} of the value (ratios)")
    return margins


def verdict_rules(comparison: Comparison) -> str:
    """The rule of every verdict that has one, and the margins."""
    level = comparison.level
    rules = [
        f"{told.mark.word.capitalize()}: {told.rule.format(level=level, half=level / 2)}."
        for told in VERDICTS.values()
        if told.rule
    ]
    margins = margins_by_scope(comparison)
    used = f"Margins: {', '.join(margins)}. " if margins else ""
    return (
        f"The first rule that holds gives the verdict. {' '.join(rules)} "
        f"{used}A small difference alone is never called preserved."
    )


def manifest(comparison: Comparison, stored: Json) -> Manifest:
    """What the manifest and the comparison say of models, time, versions and hardware."""
    cells, times = stored.get("cells"), []
    for cell in cells if isinstance(cells, list) else ():
        if isinstance(cell, Mapping):
            n_items, seconds = cell.get("n_items"), cell.get("seconds")
            texts = (
                number(formats.count(n_items), n_items) if isinstance(n_items, int) else TableCell("–"),
                number(formats.elapsed(seconds), seconds) if isinstance(seconds, int | float) else TableCell("–"),
                TableCell(one_line(str(cell.get("fingerprint") or "–"))[:_HASH_SHOWN], css="code"),
            )
            name = one_line(f"{cell.get('model', '–')} × {cell.get('task', '–')}")
            times.append(TableRow(TableCell(name), texts))
    columns = (Column("Cell", False), Column("Items"), Column("Time"), Column("Fingerprint", False))
    tables = (
        model_table(comparison, _mapping(stored, "models")),
        *asking_tables(comparison),
        task_table(comparison),
        *((Table("Cells.", columns, tuple(times)),) if times else ()),
    )
    return Manifest(visible(str(stored.get("command", ""))), run_fields(stored), tables)


def _mapping(stored: Json, key: str) -> Json:
    value = stored.get(key)
    return value if isinstance(value, Mapping) else {}


def run_fields(stored: Json) -> tuple[Field, ...]:
    """Versions, seeds, hardware and time."""
    fields = [Field("mplus-eval", one_line(str(stored["mplus_eval"])))] if "mplus_eval" in stored else []
    fields += [Field(one_line(name), one_line(str(version))) for name, version in _mapping(stored, "versions").items()]
    fields += [
        Field(f"seed, {one_line(name.replace('_', '-'))}", one_line(str(seed)))
        for name, seed in _mapping(stored, "seeds").items()
    ]
    units = {"memory_gib": ("memory", " GiB")}
    for key, value in _mapping(stored, "hardware").items():
        name, unit = units.get(key, (key, ""))
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        fields.append(Field(one_line(name), one_line(text) + unit))
    seconds = stored.get("seconds")
    if isinstance(seconds, int | float):
        fields.append(Field("time", formats.elapsed(seconds)))
    return tuple(fields)


def model_table(comparison: Comparison, stored: Json) -> Table:
    """How each model was loaded, and of which files it is made."""
    known = {name: _mapping(stored, name) for name in comparison.models}
    shown = {
        key: title
        for key, title in _MODEL_COLUMNS.items()
        if key == "source" or any(key in of_model for of_model in known.values())
    }
    rows = []
    for name, entry in comparison.models.items():
        values = {"source": entry.source, "chat_template": entry.chat_template} | dict(known[name])
        cells = [TableCell(one_line(entry.backend)), TableCell(one_line(entry.dtype or "–")), TableCell(tier(entry))]
        for key in shown:
            text = one_line(str(values.get(key) or "–"))
            cells.append(TableCell(text[:_HASH_SHOWN] if key in _HASHES else text, css="code"))
        rows.append(TableRow(TableCell(name), tuple(cells)))
    headings = ("Model", "Backend", "Precision", "Scoring", *shown.values())
    return Table("Models.", tuple(Column(heading, False) for heading in headings), tuple(rows))


def tier(entry: ModelEntry) -> str:
    """The tier and what its check found; in 16 bits rounding depends on what is computed together."""
    scoring = entry.scoring
    if scoring is None:
        return "–"
    parts = [f"{scoring.name}, to {scoring.difference:.0e} nats" if scoring.difference else scoring.name]
    parts += [] if entry.dtype in ("float32", "float64") else ["not exact item by item"]
    parts += [one_line(scoring.why)] if scoring.why else []
    return ", ".join(parts)


def task_table(comparison: Comparison) -> Table:
    """Which definition stands behind each task."""
    headings = ("Task", "lm-eval task", "Version", "Metric", "Filter", "Kind")
    rows = tuple(
        TableRow(
            TableCell(name),
            (
                *map(TableCell, map(one_line, (task.lm_eval, task.version, task.metric, task.filter, task.kind))),
                number(str(task.n_shots), task.n_shots),
                number(formats.count(task.n_items), task.n_items),
            ),
        )
        for name, task in comparison.tasks.items()
    )
    columns = (*(Column(heading, False) for heading in headings), Column("Shots"), Column("Items"))
    return Table("Task definitions.", columns, rows)
