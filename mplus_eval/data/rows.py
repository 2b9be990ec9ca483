"""Rows of a table: a JSONL, CSV or Parquet file, a folder in the hub's layout, or a dataset of the hub.

Every row comes with its place, so that a fault names it: the line of a JSONL file, the row of any other.
"""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mplus_eval.data.files import files_of, own_cache, seal_cache
from mplus_eval.data.hub import TABLE_FILES, is_hub_id, offline, reason, refused
from mplus_eval.data.mirror import mirrored
from mplus_eval.errors import SpecError

Row = Mapping[str, Any]
Placed = tuple[str, Row]

MOST_FAULTS = 5
_TOO_MANY = "more than the header has"


def read_rows(
    source: str,
    split: str | None = None,
    subset: str | None = None,
    revision: str | None = None,
    *,
    data_dir: Path | None = None,
    without: str = "",
    bad: list[str] | None = None,
) -> list[Placed]:
    """Read all rows of a source.

    Args:
        source: a file, a folder, or a dataset's id on the hub, `org/name`.
        split: of a folder or dataset; None takes its only one.
        subset: its configuration, or part.
        revision: of a dataset of the hub.
        data_dir: folder that holds datasets as org/name; looked in before the hub.
        without: how to do without the rows, for whoever may not read them.
        bad: takes a line, with file and row, of each row that cannot be read; None refuses the file for it.

    Raises:
        SpecError: nothing is there, it holds no row, or it cannot be read; with the lines that cannot.
    """
    is_id = is_hub_id(source)
    place = _place(source, split, subset, data_dir)
    if place is not None and place.is_file():
        rows = _file(place, bad)
    elif place is not None:
        kept = own_cache(files_of(place, "").values())
        rows = _dataset(source, str(place), split, subset, cache=kept)
        seal_cache(Path(kept))
    elif is_id:
        absent = f"; it is not in {data_dir}" if data_dir else ""
        hint = f"{absent}; give --data-dir with a folder {source}" + (", or unset HF_HUB_OFFLINE" if offline() else "")
        rows = _dataset(source, source, split, subset, revision, hint, without)
    else:
        raise SpecError([f"{source}: no such file or folder"])
    if not rows:
        raise SpecError([*(bad or ())][:MOST_FAULTS] or [f"{source}: it is empty, one row at least is expected"])
    return rows


def source_files(
    source: str, split: str | None = None, subset: str | None = None, *, data_dir: Path | None = None
) -> dict[str, Path]:
    """The files that `read_rows` reads of a source, by the names that a message calls them; none of the hub."""
    place = _place(source, split, subset, data_dir)
    return {} if place is None else files_of(place, source)


def _place(source: str, split: str | None, subset: str | None, data_dir: Path | None) -> Path | None:
    """The file or folder that holds a source, None where the hub may have it."""
    path = Path(source).expanduser()
    folder = (mirrored(source, data_dir) if is_hub_id(source) else None) or (path if path.is_dir() else None)
    if path.is_file():
        return path
    if folder is None:
        return None
    # In the hub's layout: a subset is a folder with a file a split, or a configuration.
    inner = folder / subset if subset else folder
    files = [inner / f"{split}{ending}" for ending in (".jsonl.gz", ".jsonl", ".parquet")] if split else []
    return next((file for file in files if file.is_file()), folder)


def refuse(source: str, faults: list[str], n_rows: int) -> None:
    """Report faulty rows: the first of them in full, and how many there are.

    Raises:
        SpecError: there are faults.
    """
    if faults:
        first = [f"{source}, {fault}" for fault in faults[:MOST_FAULTS]]
        rest = f"; the first {MOST_FAULTS} are named" if len(faults) > MOST_FAULTS else ""
        count = [f"{source}: {len(faults)} of {n_rows} rows cannot be used{rest}"] if len(faults) > 1 else []
        raise SpecError([*first, *count])


def unreadable(path: Path) -> list[str]:
    """A line, with file and row, of each row of a JSON file that no reader takes; none of a file that is whole."""
    if not path.name.endswith((".jsonl", ".jsonl.gz", ".json")):
        return []
    rows, faults = _json_lines(path)
    texts = ((place, half_surrogate(json.dumps(row, ensure_ascii=False))) for place, row in rows)
    return [f"{path}, {fault}" for fault in [*faults, *(f"{place}: {why}" for place, why in texts if why)]]


def leave_out(source: str, bad: Sequence[str], n_rows: int) -> None:
    """Go on without rows that cannot be used, which the report counts and names, unless they are half of all or more.

    Args:
        source: of the rows.
        bad: a line for each of them, with file and row.
        n_rows: how many rows there are with them.

    Raises:
        SpecError: it is another kind of file, or another column.
    """
    if 2 * len(bad) >= n_rows > 0:
        rest = f"; the first {MOST_FAULTS} are named" if len(bad) > MOST_FAULTS else ""
        raise SpecError([*bad[:MOST_FAULTS], f"{source}: {len(bad)} of {n_rows} rows cannot be used{rest}"])


def half_surrogate(text: str) -> str | None:
    """Why no file and no tokenizer can take a text that JSON can write as `"\\ud83d"`; None where they can."""
    half = next((letter for letter in text if "\ud800" <= letter <= "\udfff"), None)
    return f"half a surrogate pair, {half!r}, is no text" if half else None


def numbered(rows: Iterable[Row]) -> list[Placed]:
    """Rows that stand in no file of lines, with their places from 1."""
    return [(f"row {number}", row) for number, row in enumerate(rows, start=1)]


def _file(path: Path, bad: list[str] | None) -> list[Placed]:
    if path.name.endswith((".jsonl", ".jsonl.gz", ".json")):
        return _usable(path, *_json_lines(path), bad)
    if path.suffix == ".csv":
        return _usable(path, *_csv(path), bad)
    if path.suffix != ".parquet":
        raise SpecError([f"{path}: {path.suffix or 'no ending'} is not read; accepted: {', '.join(TABLE_FILES)}"])
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return numbered(pq.read_table(path).to_pylist())
    except (pa.ArrowInvalid, OSError) as error:
        raise SpecError([f"{path}: not a Parquet file ({reason(error)})"]) from None


def _usable(path: Path, rows: list[Placed], faults: list[str], bad: list[str] | None) -> list[Placed]:
    """The rows, where those that cannot be read are named to whoever goes without them."""
    if bad is None:
        refuse(str(path), faults, len(rows) + len(faults))
    else:
        bad += [f"{path}, {fault}" for fault in faults]
    return rows


def _json_lines(path: Path) -> tuple[list[Placed], list[str]]:
    """The rows, and what is wrong with the others."""
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            lines = file.read().splitlines()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SpecError([f"{path}: not a whole gzip file ({reason(error)})"]) from None
    rows: list[Placed] = []
    faults = []
    for number, line in enumerate(lines, start=1):
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
    return rows, faults


def _csv(path: Path) -> tuple[list[Placed], list[str]]:
    """The rows, and what is wrong with the others."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = numbered(csv.DictReader(file, strict=True, restkey=_TOO_MANY))
    except (UnicodeDecodeError, csv.Error) as error:
        raise SpecError([f"{path}: not a CSV file in UTF-8 ({reason(error)})"]) from None
    faults = [f"{place}: more fields than the header has" for place, row in rows if _TOO_MANY in row]
    return [(place, row) for place, row in rows if _TOO_MANY not in row], faults


def _dataset(
    source: str,
    place: str,
    split: str | None,
    subset: str | None,
    revision: str | None = None,
    hint: str = "",
    without: str = "",
    cache: str | None = None,
) -> list[Placed]:
    """Through `datasets`, which reads nothing over the network while it is offline."""
    import datasets

    # A part of hh-rlhf is a folder of the repository, not a configuration.
    folders = source.rstrip("/").endswith("hh-rlhf")
    chosen: dict[str, Any] = {"data_dir" if folders else "name": subset} if subset else {}
    chosen |= {"revision": revision, "cache_dir": cache}
    settings = datasets.DownloadConfig(local_files_only=True) if offline() else None
    try:
        splits = datasets.load_dataset(place, download_config=settings, **chosen)
    except (OSError, ValueError) as error:
        if why := refused(error, source, dataset=True):
            raise SpecError([f"{source} {why}{hint}{without and f'; or go without it: {without}'}"]) from None
        # Missing, no such configuration: each of them says so itself.
        raise SpecError([f"{source}: cannot be loaded ({reason(error)}){hint}"]) from None
    names = list(splits)
    if split is None and len(names) > 1:
        raise SpecError([f"{source}: it has several splits and none was named; accepted: {', '.join(names)}"])
    if (wanted := split or names[0]) in names:
        return numbered(splits[wanted])
    try:
        # One that is written of others: a+b, all, train[:100].
        return numbered(datasets.load_dataset(place, split=split, **chosen))
    except ValueError:
        raise SpecError([f"{source}: split {split!r} is not there; accepted: {', '.join(names)}"]) from None
