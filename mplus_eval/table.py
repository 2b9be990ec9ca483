"""Rows of a table: a JSONL, CSV or Parquet file, a folder in the hub's layout, or a dataset of the hub."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mplus_eval.errors import SpecError

Row = Mapping[str, Any]
_MOST_FAULTS = 5


def read_rows(
    source: str,
    split: str = "train",
    subset: str | None = None,
    revision: str | None = None,
    *,
    data_dir: Path | None = None,
) -> Iterable[Row]:
    """Read a table.

    Args:
        source: a file, a folder, or an id of the hub.
        split: of a folder or dataset.
        subset: its configuration, or part.
        revision: of a dataset of the hub.
        data_dir: folder that holds datasets as org/name, before the hub.

    Raises:
        SpecError: nothing there, or not readable; with the lines that are not.
    """
    path = Path(source).expanduser()
    if data_dir is not None and (data_dir / source).is_dir():
        path = data_dir / source
    if path.is_file():
        return _file(path)
    if path.is_dir():
        return _folder(path, source, split, subset)
    if source.count("/") != 1 or source.startswith((".", "/", "~")):
        raise SpecError([f"{source}: no such file or folder"])
    return _hub(source, split, subset, revision)


def _file(path: Path) -> Iterable[Row]:
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        except (pa.ArrowInvalid, OSError) as error:
            raise SpecError([f"{path}: not a Parquet file ({error})"]) from None
        return rows
    if path.name.endswith((".jsonl", ".jsonl.gz", ".json")):
        return _json_lines(path)
    if path.suffix == ".csv":
        return _csv(path)
    raise SpecError([f"{path}: a .jsonl, .jsonl.gz, .csv or .parquet file is expected"])


def _json_lines(path: Path) -> list[Row]:
    rows: list[Row] = []
    faults = []
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line.decode("utf-8"))
            except ValueError as error:
                faults.append(f"{path}, line {number}: not JSON in UTF-8 ({error})")
                continue
            if isinstance(row, dict):
                rows.append(row)
            else:
                faults.append(f"{path}, line {number}: an object is expected, found {type(row).__name__}")
    if faults:
        raise SpecError(faults[:_MOST_FAULTS])
    return rows


def _csv(path: Path) -> list[Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise SpecError([f"{path}: not CSV in UTF-8 ({error})"]) from None


def _folder(path: Path, source: str, split: str, subset: str | None) -> Iterable[Row]:
    """A folder in the hub's layout: a subset is a folder with a file a split, or a configuration."""
    inner = path / subset if subset else path
    for ending in (".jsonl.gz", ".jsonl", ".parquet"):
        if (file := inner / f"{split}{ending}").is_file():
            return _file(file)
    return _datasets(str(path), source, split, subset, None)


def _hub(source: str, split: str, subset: str | None, revision: str | None) -> Iterable[Row]:
    from mplus_eval.hub import offline

    if offline():
        raise SpecError([f"{source}: not in --data-dir, and HF_HUB_OFFLINE=1 forbids the hub"])
    return _datasets(source, source, split, subset, revision)


def _datasets(place: str, source: str, split: str, subset: str | None, revision: str | None) -> Iterable[Row]:
    import datasets

    # A part of hh-rlhf is a folder of the repository, not a configuration.
    folders = source.rstrip("/").endswith("hh-rlhf")
    chosen: dict[str, Any] = {"data_dir" if folders else "name": subset} if subset else {}
    try:
        return datasets.load_dataset(place, split=split, revision=revision, **chosen)  # type: ignore[no-any-return, unused-ignore]
    except (OSError, ValueError) as error:
        # Missing, gated, no such split or configuration: each of them says so in its first line.
        reason = str(error).strip().partition("\n")[0]
        raise SpecError([f"{source}: cannot be loaded ({reason})"]) from None
