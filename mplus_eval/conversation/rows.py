"""Rows of a dataset of prompts: from a file, a folder in the hub's layout, or the hub.

Every row comes with its place, so that a fault names it: the line of a JSONL file, the row of any other.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mplus_eval.errors import SpecError
from mplus_eval.hub import offline, reason

Row = Mapping[str, Any]
Placed = tuple[str, Row]

FILES = (".jsonl", ".jsonl.gz", ".parquet", ".csv")
MOST_FAULTS = 5


def read_rows(source: str, data_dir: Path | None = None, split: str | None = None) -> list[Placed]:
    """Read all rows of a source.

    Args:
        source: a file, a folder, or a dataset's id on the hub, `org/name`.
        data_dir: folder that holds datasets as org/name; looked in before the hub.
        split: of a dataset; None takes its only one.

    Raises:
        SpecError: nothing is there, or it cannot be read.
    """
    from mplus_eval.dataset_source import mirrored

    path = Path(source).expanduser()
    if path.is_file():
        rows = _file(path)
    elif folder := path if path.is_dir() else mirrored(source, data_dir):
        rows = _dataset(source, str(folder), split)
    elif _is_id(source):
        rows = _dataset(source, source, split, _how_to_get(source, data_dir))
    else:
        raise SpecError([f"{source}: no such file or folder"])
    if not rows:
        raise SpecError([f"{source}: it is empty, one row at least is expected"])
    return rows


def refuse(source: str, faults: list[str], n_rows: int) -> None:
    """Report faulty rows, the first of them in full.

    Raises:
        SpecError: there are faults.
    """
    if faults:
        first = [f"{source}, {fault}" for fault in faults[:MOST_FAULTS]]
        rest = f"; the first {MOST_FAULTS} are named" if len(faults) > MOST_FAULTS else ""
        raise SpecError([*first, f"{source}: {len(faults)} of {n_rows} rows cannot be used{rest}"])


def _is_id(source: str) -> bool:
    return source.count("/") == 1 and not source.startswith((".", "/", "~")) and not source.endswith(FILES)


def _file(path: Path) -> list[Placed]:
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        return _json_lines(path)
    if path.suffix == ".parquet":
        return _numbered(_parquet(path))
    if path.suffix == ".csv":
        return _numbered(_csv(path))
    raise SpecError([f"{path}: {path.suffix or 'no ending'} is not read; accepted: {', '.join(FILES)}"])


def _json_lines(path: Path) -> list[Placed]:
    rows: list[Placed] = []
    faults = []
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line.decode("utf-8-sig"))
            except ValueError as error:
                faults.append(f"line {number}: not JSON in UTF-8 ({error})")
                continue
            if isinstance(row, dict):
                rows.append((f"line {number}", row))
            else:
                faults.append(f"line {number}: an object is expected, found {type(row).__name__}")
    refuse(str(path), faults, len(rows) + len(faults))
    return rows


def _parquet(path: Path) -> list[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path).to_pylist()  # type: ignore[no-any-return, unused-ignore]
    except (pa.ArrowInvalid, OSError) as error:
        raise SpecError([f"{path}: not a Parquet file ({reason(error)})"]) from None


def _csv(path: Path) -> list[Row]:
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except pd.errors.EmptyDataError:
        return []
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise SpecError([f"{path}: not a CSV file in UTF-8 ({reason(error)})"]) from None
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _dataset(source: str, place: str, split: str | None, hint: str = "") -> list[Placed]:
    """Through `datasets`, which reads nothing over the network while it is offline."""
    import datasets

    settings = datasets.DownloadConfig(local_files_only=True) if offline() else None
    try:
        found = datasets.load_dataset(place, download_config=settings)
    except (OSError, ValueError) as error:
        raise SpecError([f"{source}: cannot be loaded ({reason(error)}){hint}"]) from None
    names = list(found)
    if split is None and len(names) > 1:
        raise SpecError([f"{source}: it has several splits and none was named; accepted: {', '.join(names)}"])
    chosen = split or names[0]
    if chosen not in names:
        raise SpecError([f"{source}: split {split!r} is not there; accepted: {', '.join(names)}"])
    return _numbered(found[chosen])


def _how_to_get(source: str, data_dir: Path | None) -> str:
    absent = f"; it is not in {data_dir}" if data_dir else ""
    return f"{absent}; give --data-dir with a folder {source}" + (", or unset HF_HUB_OFFLINE" if offline() else "")


def _numbered(rows: Iterable[Row]) -> list[Placed]:
    return [(f"row {number}", row) for number, row in enumerate(rows, start=1)]
