"""Rows of a source turned into prompts: which of them are wanted, what is asked, and whether it is safe to answer."""

from __future__ import annotations

import math
from ast import literal_eval
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from mplus_eval.data.rows import Placed, Row, half_surrogate
from mplus_eval.errors import SpecError
from mplus_eval.spec.harmlessness import Label, PromptSetSpec, Range, RefusalSet

_WRITTEN_LINES = "toxigen-data"
"""A dataset in which the end of a line is written as a backslash and an n."""
_RULE = "\n\n---\n\n"
"""Between a context and the request about it, as HarmBench puts them to a model."""
_LABELS: tuple[Label, ...] = ("safe", "unsafe")


@dataclass(frozen=True)
class SetPrompt:
    """One prompt; `label` says of a request whether it is safe to answer."""

    item_id: str
    text: str
    category: str
    label: Label | None = None


def prompts_of(
    rows: Sequence[Placed], spec: PromptSetSpec, first: int
) -> tuple[list[SetPrompt], Counter[str], list[str]]:
    """The prompts, how many rows give none, by the reason, and a line for each that cannot be read.

    Args:
        rows: of one part of a set.
        spec: which of them, and what stands where in them.
        first: number of the first row, by which prompts are called.

    Raises:
        SpecError: they have no such column.
    """
    if rows and spec.column.partition(".")[0] not in rows[0][1]:
        columns = ", ".join(rows[0][1])
        raise SpecError([f"{spec.source} has no text column {spec.column!r}; its columns are {columns}"])
    prompts: list[SetPrompt] = []
    left_out: Counter[str] = Counter()
    bad: list[str] = []
    for number, (place, row) in enumerate(rows, first):
        unmet = [column for column, condition in spec.where.items() if not _holds(value_at(row, column), condition)]
        if unmet:
            # Whether a row is wanted is not known where nothing stands in the column that says so.
            if all(is_empty(value_at(row, column)) for column in unmet):
                left_out[f"without a value of {unmet[0]}"] += 1
            continue
        texts = _texts(row, spec)
        if not texts:
            left_out["without a text"] += 1
            continue
        label = _label(row, spec) if isinstance(spec, RefusalSet) else None
        if isinstance(spec, RefusalSet) and label is None:
            left_out["neither safe nor unsafe"] += 1
            continue
        category = spec.group or (str(value_at(row, spec.category) or "") if spec.category else "")
        if why := half_surrogate("".join([*texts, category])):
            bad.append(f"{spec.source}, {place}: {why}")
            continue
        for nth, text in enumerate(texts):
            item_id = f"{spec.name}/{number}" + (f".{nth}" if spec.each else "")
            prompts.append(SetPrompt(item_id, text, category or spec.name, label))
    return prompts, left_out, bad


def _texts(row: Row, spec: PromptSetSpec) -> list[str]:
    """The prompts of a row: one, or one for each text of a list; none where there is no text."""
    value = value_at(row, spec.column)
    if spec.each:
        # BOLD's lists stand in its files as Python writes them, and its texts with a space behind them, which would be
        # a token of its own.
        with suppress(SyntaxError, ValueError):
            value = literal_eval(value) if isinstance(value, str) else value
        value = [text.rstrip() for text in value if isinstance(text, str)] if isinstance(value, list) else []
    texts = [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str) and text.strip()]
    if spec.source.rstrip("/").endswith(_WRITTEN_LINES):
        texts = [text.replace("\\n", "\n") for text in texts]
    context = value_at(row, spec.context) if spec.context else None
    if isinstance(context, str) and context.strip():
        texts = [f"{context}{_RULE}{text}" for text in texts]
    return texts


def _label(row: Row, spec: RefusalSet) -> Label | None:
    """Whether a request is safe to answer; None where nothing says it."""
    value = spec.label if spec.label in _LABELS else row.get(spec.label)
    return next((label for label in _LABELS if label == spec.labels.get(str(value), value)), None)


def value_at(row: Row, path: str) -> object:
    """What stands in a column, or at `column.key.…` within it."""
    if path in row:
        return row[path]
    value: object = row
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def is_empty(value: object) -> bool:
    """Whether nothing stands in a column; Parquet writes that of a number as one that is none."""
    return value is None or value == "" or value != value


def _holds(value: object, condition: Range | bool | str) -> bool:
    """Whether a value is what a condition asks for; numbers and truth values also as CSV writes them."""
    if not isinstance(condition, Range):
        return value == condition or str(value).lower() == str(condition).lower()
    try:
        number = float(cast(float, value))
    except (TypeError, ValueError):
        return False
    return not math.isnan(number) and condition.holds(number)
