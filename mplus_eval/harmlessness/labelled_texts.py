"""Texts with labels of toxicity, from rows: what a scorer is fitted on, or two scorers are compared on.

    {"text": "You fool.", "label": 0.83, "author": "a17"}      one's own: --text text --label label --group author
    {"filename": "0000836-….txt", "prompt": {"text": "He was", "toxicity": 0.1}, "continuation": {…}}
                                                               RealToxicityPrompts: two texts a row, by web page

Texts of one row, of rows that share a group, and that say the same (whatever case and spaces) stand or fall together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from mplus_eval.data.files import file_hashes
from mplus_eval.data.rows import Placed, Row, half_surrogate, leave_out, read_rows, source_files
from mplus_eval.errors import SpecError
from mplus_eval.harmlessness.prompt_rows import is_empty, value_at
from mplus_eval.harmlessness.text_measures import normalised

REAL_TOXICITY_PROMPTS = "allenai/real-toxicity-prompts"
UNREADABLE = "that cannot be read"
_TRUTH = {"true": 1.0, "false": 0.0}


@dataclass(frozen=True)
class TextColumns:
    """Where texts stand in a row, their labels in the same order, and what rows stand or fall together.

    Attributes:
        texts: columns; `prompt.text` is the key `text` of the column `prompt`.
        labels: of each text column its label's; empty where labels are not asked for.
        group: a column of the row; None where each row stands alone.
    """

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    group: str | None = None


USUAL = TextColumns(("text",), ("label",))
OF_REAL_TOXICITY = TextColumns(
    ("prompt.text", "continuation.text"), ("prompt.toxicity", "continuation.toxicity"), "filename"
)


@dataclass(frozen=True, eq=False)
class LabelledTexts:
    """What was read.

    Attributes:
        texts: none of them empty.
        labels: shape (texts,), 0 to 1; NaN where labels were not asked for.
        groups: shape (texts,), what texts stand or fall together, numbered from 0.
        columns: of each text, the column that it stood in.
        n_rows: rows of the source.
        left_out: texts that cannot be used, by the reason.
        files: hashes of the files that were read, by name.
    """

    texts: tuple[str, ...]
    labels: NDArray[np.float64]
    groups: NDArray[np.int64]
    columns: tuple[str, ...]
    n_rows: int
    left_out: dict[str, int]
    files: dict[str, str]


def columns_of(
    source: str, text: str | None, label: str | None, group: str | None, *, labelled: bool = True
) -> TextColumns:
    """The columns that were named, each list separated by commas, else the usual ones of the source.

    Args:
        source: as it was named.
        text: of the texts.
        label: of the labels.
        group: of what rows share.
        labelled: whether labels are asked for.

    Raises:
        SpecError: there are not as many labels as texts.
    """
    usual = OF_REAL_TOXICITY if source.rstrip("/").endswith(REAL_TOXICITY_PROMPTS) else USUAL
    texts, labels = (
        standing if given is None else tuple(name.strip() for name in given.split(",") if name.strip())
        for given, standing in ((text, usual.texts), (label, usual.labels))
    )
    if not labelled and texts:
        labels = ()
    elif not texts or len(texts) != len(labels):
        named = f"--text {','.join(texts)!r} and --label {','.join(labels)!r}"
        raise SpecError([f"{named}: as many labels as texts are expected, one at least, separated by commas"])
    return TextColumns(texts, labels, group if group is not None else usual.group if text is None else None)


def read_texts(
    source: str,
    columns: TextColumns,
    split: str | None = None,
    subset: str | None = None,
    *,
    data_dir: Path | None = None,
) -> LabelledTexts:
    """Read the texts of a source; what has no text or no label is left out and counted.

    Args:
        source: a file, a folder, or a dataset's id on the hub, `org/name`.
        columns: what stands where.
        split: of a folder or dataset; None takes its only one.
        subset: its configuration.
        data_dir: folder that holds datasets as org/name, before the hub.

    Raises:
        SpecError: nothing there, no such column, no text that can be used, or half of the rows cannot be read.
    """
    bad: list[str] = []
    rows = read_rows(source, split, subset, data_dir=data_dir, bad=bad)
    n_rows = len(rows) + len(bad)
    _refuse_absent(source, columns, rows)
    texts: list[str] = []
    labels: list[float] = []
    of_row: list[int] = []
    names: list[str] = []
    left_out: Counter[str] = Counter()
    for number, (place, row) in enumerate(rows):
        faults = []
        for column, of_label in zip(columns.texts, columns.labels or (None,) * len(columns.texts), strict=True):
            text = value_at(row, column)
            value = value_at(row, of_label) if of_label else None
            if not isinstance(text, str) or not text.strip():
                left_out["without a text"] += 1
            elif why := half_surrogate(text):
                faults.append(f"{source}, {place}: {why}")
            elif of_label and is_empty(value):
                left_out["without a label"] += 1
            elif of_label and (label := _label(value)) is None:
                accepted = "a number from 0 to 1, true or false is expected"
                faults.append(f"{source}, {place}: {of_label} {value!r}: {accepted}")
            else:
                texts.append(text)
                labels.append(cast(float, label) if of_label else np.nan)
                of_row.append(number)
                names.append(column)
        bad += faults[:1]
    leave_out(source, bad, n_rows)
    if bad:
        left_out[UNREADABLE] = len(bad)
    if not texts:
        why = "; ".join(f"{n} {reason}" for reason, n in left_out.items())
        raise SpecError([f"{source}: no text that can be used ({why})"])
    groups = _groups([_group(row, columns, number) for number, (_, row) in enumerate(rows)], of_row, texts)
    files = file_hashes(source_files(source, split, subset, data_dir=data_dir))
    return LabelledTexts(tuple(texts), np.array(labels), groups, tuple(names), n_rows, dict(left_out), files)


def _refuse_absent(source: str, columns: TextColumns, rows: Sequence[Placed]) -> None:
    """Refuse columns that no row has, by those that the first one has."""
    first = rows[0][1]
    wanted = [*columns.texts, *columns.labels, *([columns.group] if columns.group else [])]
    absent = [name for name in wanted if name not in first and name.partition(".")[0] not in first]
    if absent:
        raise SpecError([f"{source} has no column {name!r}; its columns are {', '.join(first)}" for name in absent])


def _label(value: object) -> float | None:
    """A label as a number from 0 to 1, also as CSV writes it; None where it is none."""
    try:
        number = _TRUTH.get(str(value).strip().lower(), value)
        label = float(cast(float, number))
    except (TypeError, ValueError):
        return None
    return label if 0.0 <= label <= 1.0 else None


def _group(row: Row, columns: TextColumns, number: int) -> str:
    """What a row shares with others, or its number."""
    value = value_at(row, columns.group) if columns.group else None
    return f"row {number}" if is_empty(value) else f"group {value}"


def _groups(of_rows: Sequence[str], rows: Sequence[int], texts: Sequence[str]) -> NDArray[np.int64]:
    """Groups of texts, joined where they share a text, numbered by their first one."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    of_text, _ = _codes([of_rows[row] for row in rows])
    same, n_same = _codes([normalised(text) for text in texts])
    size = int(of_text.max()) + 1
    graph = coo_array((np.ones(len(texts)), (of_text, size + same)), shape=(size + n_same, size + n_same))
    component = connected_components(graph, directed=False)[1][of_text]
    return _codes(component.tolist())[0]


def _codes(values: Sequence[object]) -> tuple[NDArray[np.int64], int]:
    """Values numbered by their first one, and how many there are."""
    numbers: dict[object, int] = {}
    codes = np.array([numbers.setdefault(value, len(numbers)) for value in values], dtype=np.int64)
    return codes, len(numbers)
