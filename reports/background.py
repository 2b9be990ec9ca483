"""How the run was made: the methods in words, and the manifest. Every key of the manifest may be absent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mplus_eval.records.comparison import Comparison, ModelEntry
from mplus_eval.reports import formats
from mplus_eval.reports.conversation_method import conversation_method
from mplus_eval.reports.harmlessness_phrasing import harmlessness_method
from mplus_eval.reports.noise import noise_method
from mplus_eval.reports.tables import Cell, Column, Fact, Row, Table, number
from mplus_eval.reports.text import enumerated, one_line, visible

Json = Mapping[str, Any]

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
    facts: tuple[Fact, ...]
    tables: tuple[Table, ...]


def methods(comparison: Comparison) -> tuple[str, ...]:
    """The methods in paragraphs, from the margins, level and seed that this comparison used."""
    said = []
    if any(task.contrasts for task in comparison.tasks.values()):
        said += [_pairing(comparison), _verdicts(comparison)]
    elif (comparison.toxicity or comparison.conversation) and len(comparison.models) > 1:
        said += [_verdicts(comparison)]
    said += [_caution()] if said else []
    said += [_prompts(comparison), _scoring()] if comparison.tasks else []
    said += [noise_method(comparison), harmlessness_method(comparison), conversation_method(comparison)]
    return tuple(paragraph for paragraph in said if paragraph)


def _pairing(comparison: Comparison) -> str:
    confidence = formats.whole_percent(1 - comparison.level)
    return (
        "Every difference is paired by item. Subjects are fixed strata; items on one passage are clusters. Tasks "
        "scored 0 or 1 without clusters use the exact McNemar test; the others a sign-flip permutation by whole "
        f"cluster. Intervals are {confidence}, not adjusted. The difference tests and the non-inferiority tests of one "
        "model are two families, each Holm-adjusted over its tasks; the suite's verdict stands outside them. The "
        f"macro-average uses a stratified, clustered bootstrap, seed {comparison.seed}."
    )


def _verdicts(comparison: Comparison) -> str:
    task = sorted({contrast.margin for entry in comparison.tasks.values() for contrast in entry.contrasts.values()})
    suite = sorted({entry.margin for entry in comparison.summary.values() if entry.margin is not None})
    named = [f"{enumerated([formats.margin_in_points(m) for m in found])} for {what}"
             for found, what in ((suite, "the macro-average"), (task, "a task")) if found]  # fmt: skip
    margins = f"Margins: {', '.join(named)}. " if named else ""
    level, half = comparison.level, comparison.level / 2
    return (
        f"The first rule that holds gives the verdict. Improved: better, adjusted two-sided p below {level:g}. "
        f"Preserved: a loss over the margin is ruled out, adjusted one-sided p below {half:g}. "
        f"Degraded: worse, adjusted two-sided p below {level:g}. Undecided: none of these was shown. "
        f"{margins}A small difference alone is never called preserved."
    )


def _caution() -> str:
    return (
        "This run compares checkpoints, not methods: with one training seed a method, nothing is known of the spread "
        "between seeds."
    )


def _prompts(comparison: Comparison) -> str:
    own = [name for name, model in comparison.models.items() if model.chat_template != "plain"]
    if not own:
        return "Capability prompts are the same plain text for every model."
    return f"Capability prompts are plain text, except for {enumerated(own)}, asked through a chat template."


def _scoring() -> str:
    return "Tasks are asked and scored by lm-eval. A failed item is counted and shown, never averaged in as wrong."


def task_table(comparison: Comparison) -> Table:
    """Which definition stands behind each task."""
    headings = ("lm-eval task", "Version", "Metric", "Filter", "Kind")
    columns = (
        Column("Task", False),
        *(Column(heading, False) for heading in headings),
        Column("Shots"),
        Column("Items"),
    )
    rows = tuple(
        Row(
            Cell(name),
            (
                *(Cell(one_line(text)) for text in (task.lm_eval, task.version, task.metric, task.filter, task.kind)),
                number(str(task.n_shots), task.n_shots),
                number(formats.count(task.n_items), task.n_items),
            ),
        )
        for name, task in comparison.tasks.items()
    )
    return Table("Task definitions.", columns, rows)


def manifest(comparison: Comparison, stored: Json) -> Manifest:
    """What the manifest and the comparison say of models, time, versions and hardware."""
    tables = [_models(comparison, _mapping(stored, "models")), task_table(comparison), _times(stored)]
    return Manifest(
        visible(str(stored.get("command", ""))), _facts(stored), tuple(table for table in tables if table is not None)
    )


def _mapping(stored: Json, key: str) -> Json:
    value = stored.get(key)
    return value if isinstance(value, Mapping) else {}


def _facts(stored: Json) -> tuple[Fact, ...]:
    facts = [Fact("mplus-eval", one_line(str(stored["mplus_eval"])))] if "mplus_eval" in stored else []
    facts += [Fact(one_line(name), one_line(str(version))) for name, version in _mapping(stored, "versions").items()]
    facts += [Fact(f"seed, {one_line(name.replace('_', '-'))}", one_line(str(seed)))
              for name, seed in _mapping(stored, "seeds").items()]  # fmt: skip
    hardware = _mapping(stored, "hardware")
    units = {"memory_gib": ("memory", " GiB")}
    for key, value in hardware.items():
        name, unit = units.get(key, (key, ""))
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        facts.append(Fact(one_line(name), one_line(text) + unit))
    if isinstance(stored.get("seconds"), int | float):
        facts.append(Fact("time", formats.duration(stored["seconds"])))
    return tuple(facts)


def _models(comparison: Comparison, stored: Json) -> Table:
    known = {name: _mapping(stored, name) for name in comparison.models}
    shown = {
        key: title for key, title in _MODEL_COLUMNS.items() if key == "source" or any(key in k for k in known.values())
    }
    columns = (Column("Model", False), Column("Backend", False), Column("Precision", False),
               Column("Scoring", False), *(Column(title, False) for title in shown.values()))  # fmt: skip
    rows = []
    for name, entry in comparison.models.items():
        values = {"source": entry.source, "chat_template": entry.chat_template} | dict(known[name])
        cells = [Cell(one_line(entry.backend)), Cell(one_line(entry.dtype or "–")), Cell(_tier(entry))]
        cells += [_model_cell(key, str(values.get(key) or "–")) for key in shown]
        rows.append(Row(Cell(name), tuple(cells)))
    return Table("Models.", columns, tuple(rows))


def _tier(entry: ModelEntry) -> str:
    """The tier and what its check found; in 16 bits rounding depends on what is computed together."""
    if entry.scoring is None:
        return "–"
    exact = entry.dtype in ("float32", "float64")
    said = [
        f"{entry.scoring.name}, to {entry.scoring.difference:.0e} nats"
        if entry.scoring.difference
        else entry.scoring.name
    ]
    said += [] if exact else ["not exact item by item"]
    return ", ".join([*said, *([one_line(entry.scoring.why)] if entry.scoring.why else [])])


def _model_cell(key: str, value: str) -> Cell:
    text = one_line(value)
    return Cell(text[:_HASH_SHOWN] if key in _HASHES else text, css="code")


def _times(stored: Json) -> Table | None:
    cells = [cell for cell in stored.get("cells") or () if isinstance(cell, Mapping)]
    if not cells:
        return None
    columns = (Column("Cell", False), Column("Items"), Column("Time"), Column("Fingerprint", False))
    rows = tuple(
        Row(
            Cell(one_line(f"{cell.get('model', '–')} × {cell.get('task', '–')}")),
            (
                number(formats.count(cell["n_items"]), cell["n_items"])
                if isinstance(cell.get("n_items"), int)
                else Cell("–"),
                number(formats.duration(cell["seconds"]), cell["seconds"])
                if isinstance(cell.get("seconds"), int | float)
                else Cell("–"),
                Cell(one_line(str(cell.get("fingerprint") or "–"))[:_HASH_SHOWN], css="code"),
            ),
        )
        for cell in cells
    )
    return Table("Time by cell.", columns, rows)
