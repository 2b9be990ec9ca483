"""Parts: the files of a cell, each whole or absent, each with what it was made of and a checksum (`checksummed`).

    part-00000.parquet    rows of one kind of record, at most a few hundred items
                          its metadata: the cell's fingerprint and its components, its place among the cell's parts
                          its checksum: SHA-256 of the file with zeros where the checksum stands

A part can be trusted or refused alone. Everybody asks `fresh` whether one is there of what it would be made of today. A
part that fails its checksum is set aside (`part-00000.parquet.damaged`) and made again; one from before there were
checksums is read as it is.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import Field, asdict, dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import pyarrow as pa
from pyarrow import compute, parquet

from mplus_eval.store.checksummed import TEXTS, DamagedPartError, checksummed, damaged, open_checksummed
from mplus_eval.store.files import move_away, write_new, write_whole
from mplus_eval.store.sealed import forget

_METADATA_KEY = b"mplus_eval"
_MOST_PARTS = 1_000_000
"""Of one cell: a thousand times those of the largest task there is."""


class Stored(Protocol):
    """A frozen dataclass with the schema of its columns; a field is named as its column, or has it as metadata."""

    SCHEMA: ClassVar[pa.Schema]
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


Row = TypeVar("Row", bound=Stored)


@dataclass(frozen=True)
class PartInfo:
    """What a part says of itself: which cell it belongs to, and its place among the cell's parts."""

    fingerprint: str
    components: dict[str, str]
    index: int
    n_parts: int
    seconds: float = 0.0
    model: dict[str, Any] = field(default_factory=dict)
    """Facts of the model as it was loaded, so that they are known although it need not be loaded again."""
    sources: dict[str, str] = field(default_factory=dict)
    """Hashes of the files that the items were read from, by name: no part of the fingerprint, which has the items."""
    n_outside: int = 0
    """Rows that failed for a reason outside the model, so that they are made again."""
    spent: dict[str, int] = field(default_factory=dict)
    """What asking a server took, all tries of all runs."""
    texts_in: str = ""
    """The folder beside the cell's own whose part of the same number has the texts of these rows, row by row."""


_INFO_FIELDS = tuple(each.name for each in fields(PartInfo))


def part_path(folder: Path, index: int) -> Path:
    """The file of a cell's part."""
    return folder / f"part-{index:05d}.parquet"


def write_part(path: Path, kind: type[Row], rows: Sequence[Row], info: PartInfo, *, once: bool = False) -> bool:
    """Write one part so that it is either whole or absent, even when the process is killed while writing.

    Args:
        path: of the part.
        kind: of its rows.
        rows: all of them.
        info: what it says of itself.
        once: whether others may be writing the same part, of whom one alone shall finish it.

    Returns:
        Whether it was written; false where another finished it before.
    """
    metadata = {_METADATA_KEY: json.dumps(asdict(info)).encode()}
    names = _field_names(kind)
    columns = {column: [getattr(row, names[column]) for row in rows] for column in kind.SCHEMA.names}
    table = pa.Table.from_pydict(columns, schema=kind.SCHEMA.with_metadata(metadata))
    if info.texts_in:
        table = table.drop_columns([name for name in TEXTS if name in table.column_names])
    content = checksummed(table)
    if once:
        return _made_way(path, info) and write_new(path, content)
    write_whole(path, content)
    return True


def _made_way(path: Path, info: PartInfo) -> bool:
    """Remove what stands in a part's place and is worth less than it; false where nothing of the kind does."""
    stored = fresh(path, info.fingerprint, info.n_parts)
    if stored is not None and stored.n_outside <= info.n_outside:
        return False
    return not path.exists() or move_away(path, path.read_bytes())


def read_part(path: Path, kind: type[Row]) -> list[Row]:
    """Return the rows of one part; a column that came later than the part has its field's default.

    Raises:
        DamagedPartError: the file is not what was written.
    """
    return _rows(path, read_columns(path, kind.SCHEMA.names, kind), kind)


def read_columns(path: Path, columns: Sequence[str] | None = None, kind: type[Stored] | None = None) -> pa.Table:
    """Return all columns of one part or those named; one that came later than the part is left out.

    Args:
        path: of the part.
        columns: their names.
        kind: of its rows, so that columns of other types are refused: a part may be somebody else's.

    Raises:
        DamagedPartError: the file is not what was written.
    """
    return _columns(path, open_checksummed(path), columns, kind)


def part_info(path: Path) -> PartInfo | None:
    """Return what a part says of itself, or None where there is no part of ours.

    Raises:
        DamagedPartError: the file is not what was written.
    """
    return _info(path, open_checksummed(path)) if os.path.lexists(path) else None


def fresh(path: Path, fingerprint: str, n_parts: int | None = None) -> PartInfo | None:
    """What a part says of itself where it is whole and made of what this fingerprint stands for; else None.

    A damaged one is set aside, since whoever asks is about to make it again.

    Args:
        path: of the part.
        fingerprint: of all that it would be made of today.
        n_parts: how many parts its cell has today; None where that does not matter.
    """
    try:
        info = part_info(path)
    except DamagedPartError:
        forget(path, f"{path} is damaged")
        return None
    if info is None or info.fingerprint != fingerprint or n_parts not in (None, info.n_parts):
        return None
    return info


def cell_parts(folder: Path, made_of: Mapping[str, str] | None = None) -> list[Path]:
    """The parts of the cell that lies in a folder, in order, and none that an earlier plan left there.

    The first part says of what and of how many parts the cell is made; others are left alone.

    Args:
        folder: of answers, outcomes, likelihoods or judgements.
        made_of: components that the parts must have, such as the fingerprint of the answers that were scored.

    Raises:
        DamagedPartError: a part is not what was written.
    """
    return [path for path, _ in _opened_parts(folder, made_of)]


def cell_tables(
    folder: Path,
    kind: type[Stored],
    columns: Sequence[str],
    made_of: Mapping[str, str] | None = None,
    item_ids: Collection[str] | None = None,
) -> Iterator[pa.Table]:
    """Columns of each part of the cell of rows of a kind that lies in a folder: see `cell_parts` and `read_columns`.

    With `item_ids` the rows of these items alone, of the parts that hold any.
    """
    wanted = None if item_ids is None else pa.array(sorted(item_ids), pa.string())
    for path, file in _opened_parts(folder, made_of):
        if wanted is None:
            yield _columns(path, file, columns, kind)
            continue
        chosen = compute.is_in(_columns(path, file, ["item_id"], kind)["item_id"], wanted)
        if compute.any(chosen).as_py():
            yield _columns(path, file, columns, kind).filter(chosen)


def read_cell(folder: Path, kind: type[Row], made_of: Mapping[str, str] | None = None) -> Iterator[Row]:
    """The rows of the cell that lies in a folder: see `cell_parts` and `read_part`."""
    for path, file in _opened_parts(folder, made_of):
        yield from _rows(path, _columns(path, file, kind.SCHEMA.names, kind), kind)


def _opened_parts(folder: Path, made_of: Mapping[str, str] | None) -> Iterator[tuple[Path, parquet.ParquetFile]]:
    """The parts of `cell_parts`, each read and verified once."""
    path = part_path(folder, 0)
    if not os.path.lexists(path):
        return
    file = open_checksummed(path)
    first = _info(path, file)
    if first is None or any(first.components.get(key) != value for key, value in (made_of or {}).items()):
        return
    yield path, file
    for path in (part_path(folder, index) for index in range(1, first.n_parts)):
        if os.path.lexists(path):
            file = open_checksummed(path)
            if (info := _info(path, file)) and info.fingerprint == first.fingerprint:
                yield path, file


def _is_sound(info: PartInfo) -> bool:
    """Whether what a part says of itself is of the right types, since a part may be somebody else's."""
    counts = (info.index, info.n_parts, info.n_outside, *_values(info.spent))
    texts = (info.fingerprint, *_values(info.components), *_values(info.sources))
    return (
        all(isinstance(each, str) for each in texts)
        and all(type(each) is int and 0 <= each < _MOST_PARTS * _MOST_PARTS for each in counts)
        and info.n_parts <= _MOST_PARTS
        and type(info.seconds) in (int, float)
        and math.isfinite(info.seconds)
        and isinstance(info.model, dict)
        and info.texts_in in ("", "answers")
    )


def _values(mapping: object) -> Collection[object]:
    """The values of a mapping; what is none is told by a value that nothing takes."""
    return mapping.values() if isinstance(mapping, dict) else (None,)


def _field_names(kind: type[Stored]) -> dict[str, str]:
    """The field of every column."""
    return {field.metadata.get("column", field.name): field.name for field in fields(kind)}


def values_of(column: pa.ChunkedArray) -> list[Any]:
    """The values of a column as Python has them; maps as dicts, some ten times as fast as arrow makes them."""
    if not pa.types.is_map(column.type):
        return list(column.to_pylist())
    values: list[Any] = []
    for chunk in column.chunks:
        pairs = list(zip(chunk.keys.to_pylist(), chunk.items.to_pylist(), strict=True))
        ends = chunk.offsets.to_pylist()
        whole = zip(pairwise(ends), chunk.is_valid().to_pylist(), strict=True)
        values += [dict(pairs[start:end]) if is_valid else None for (start, end), is_valid in whole]
    return values


def _rows(path: Path, table: pa.Table, kind: type[Row]) -> list[Row]:
    fields_of = _field_names(kind)
    names = [fields_of[column] for column in table.column_names]
    rows = zip(*map(values_of, table.columns), strict=True)
    try:
        return [kind(**dict(zip(names, row, strict=True))) for row in rows]
    except TypeError as error:  # a column that there always was is not there
        raise damaged(path) from error


def _columns(
    path: Path, file: parquet.ParquetFile, columns: Sequence[str] | None, kind: type[Stored] | None
) -> pa.Table:
    schema = file.schema_arrow
    stored = schema.names
    names = [name for name in columns or stored if name in stored]
    if kind is not None and any(schema.field(name).type != kind.SCHEMA.field(name).type for name in names):
        raise damaged(path)
    try:
        # Parts are small: starting threads takes longer than reading.
        table = file.read(names, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise damaged(path) from error
    absent = [name for name in TEXTS if name not in stored and (columns is None or name in columns)]
    return _with_texts(path, file, table, absent) if absent else table


def _with_texts(path: Path, file: parquet.ParquetFile, table: pa.Table, names: Sequence[str]) -> pa.Table:
    """Rows with the texts that the part beside has; as they are where none is told to have them."""
    info = _info(path, file)
    if info is None or not info.texts_in:
        return table
    # <run>/outcomes/<model>/<task>/part-00000.parquet, and <run>/answers/<model>/<task>/part-00000.parquet
    beside = path.parents[3] / info.texts_in / path.relative_to(path.parents[2])
    texts_file = open_checksummed(beside)
    answers = _info(beside, texts_file)
    if answers is None or answers.fingerprint != info.components.get(info.texts_in):
        raise damaged(beside)
    texts = _columns(beside, texts_file, names, None)
    if len(texts) != len(table):
        raise damaged(beside)
    for name in texts.column_names:
        table = table.append_column(texts.schema.field(name), texts[name])
    return table


def _info(path: Path, file: parquet.ParquetFile) -> PartInfo | None:
    metadata = file.metadata.metadata or {}
    if _METADATA_KEY not in metadata:
        return None
    try:
        stored = json.loads(metadata[_METADATA_KEY])
        info = PartInfo(**{name: stored[name] for name in _INFO_FIELDS if name in stored})
    except (ValueError, TypeError, RecursionError) as error:
        raise damaged(path) from error
    if not _is_sound(info):
        raise damaged(path)
    return info
