"""Parts: the files of a cell, each whole or absent, each with what it was made of and a checksum of its own.

    part-00000.parquet    rows of one kind of record, at most a few hundred items
                          its metadata: the cell's fingerprint and its components, its place among the cell's parts
                          its checksum: SHA-256 of the file with zeros where the checksum stands

A part can be trusted or refused alone. Everybody asks `fresh` whether one is there of what it would be made of today. A
part that fails its checksum is set aside (`part-00000.parquet.damaged`) and made again; one from before there were
checksums is read as it is.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import Field, asdict, dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import pyarrow as pa
from pyarrow import compute, parquet

from mplus_eval.errors import UsageError
from mplus_eval.store.files import write_whole
from mplus_eval.store.sealed import forget

_METADATA_KEY = b"mplus_eval"
_CHECKSUM_KEY = b"mplus_eval_sha256"
_NO_CHECKSUM = b"0" * 64


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


_INFO_FIELDS = tuple(each.name for each in fields(PartInfo))


class DamagedPartError(UsageError):
    """A part is not what was written: half of it is there, or a bit of it has turned."""


def part_path(folder: Path, index: int) -> Path:
    """The file of a cell's part."""
    return folder / f"part-{index:05d}.parquet"


def write_part(path: Path, kind: type[Row], rows: Sequence[Row], info: PartInfo) -> None:
    """Write one part so that it is either whole or absent, even when the process is killed while writing."""
    metadata = {_METADATA_KEY: json.dumps(asdict(info)).encode()}
    names = _field_names(kind)
    columns = {column: [getattr(row, names[column]) for row in rows] for column in kind.SCHEMA.names}
    table = pa.Table.from_pydict(columns, schema=kind.SCHEMA.with_metadata(metadata))
    sink = pa.BufferOutputStream()
    with parquet.ParquetWriter(sink, table.schema, compression="zstd") as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({_CHECKSUM_KEY: _NO_CHECKSUM})
    content = sink.getvalue().to_pybytes()
    at = _checksum_at(content)
    assert at is not None
    write_whole(path, content[:at] + _digest(content, at) + content[at + len(_NO_CHECKSUM) :])


def read_part(path: Path, kind: type[Row]) -> list[Row]:
    """Return the rows of one part; a column that came later than the part has its field's default.

    Raises:
        DamagedPartError: the file is not what was written.
    """
    return _rows(read_columns(path, kind.SCHEMA.names), kind)


def read_columns(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Return all columns of one part or those named; one that came later than the part is left out.

    Raises:
        DamagedPartError: the file is not what was written.
    """
    return _columns(path, _opened(path), columns)


def part_info(path: Path) -> PartInfo | None:
    """Return what a part says of itself, or None where there is no part of ours.

    Raises:
        DamagedPartError: the file is not what was written.
    """
    return _info(path, _opened(path)) if os.path.lexists(path) else None


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
    columns: Sequence[str],
    made_of: Mapping[str, str] | None = None,
    item_ids: Collection[str] | None = None,
) -> Iterator[pa.Table]:
    """Columns of each part of the cell that lies in a folder: see `cell_parts` and `read_columns`.

    With `item_ids` the rows of these items alone, of the parts that hold any.
    """
    wanted = None if item_ids is None else pa.array(sorted(item_ids), pa.string())
    for path, file in _opened_parts(folder, made_of):
        if wanted is None:
            yield _columns(path, file, columns)
            continue
        chosen = compute.is_in(_columns(path, file, ["item_id"])["item_id"], wanted)
        if compute.any(chosen).as_py():
            yield _columns(path, file, columns).filter(chosen)


def read_cell(folder: Path, kind: type[Row], made_of: Mapping[str, str] | None = None) -> Iterator[Row]:
    """The rows of the cell that lies in a folder: see `cell_parts` and `read_part`."""
    for table in cell_tables(folder, kind.SCHEMA.names, made_of):
        yield from _rows(table, kind)


def _opened_parts(folder: Path, made_of: Mapping[str, str] | None) -> Iterator[tuple[Path, parquet.ParquetFile]]:
    """The parts of `cell_parts`, each read and verified once."""
    path = part_path(folder, 0)
    if not os.path.lexists(path):
        return
    file = _opened(path)
    first = _info(path, file)
    if first is None or any(first.components.get(key) != value for key, value in (made_of or {}).items()):
        return
    yield path, file
    for path in (part_path(folder, index) for index in range(1, first.n_parts)):
        if os.path.lexists(path):
            file = _opened(path)
            if (info := _info(path, file)) and info.fingerprint == first.fingerprint:
                yield path, file


def _field_names(kind: type[Stored]) -> dict[str, str]:
    """The field of every column."""
    return {field.metadata.get("column", field.name): field.name for field in fields(kind)}


def values_of(column: pa.ChunkedArray) -> list[Any]:
    """The values of a column as Python has them; maps as dicts, some ten times as fast as arrow makes them."""
    if not pa.types.is_map(column.type):
        return column.to_pylist()
    values: list[Any] = []
    for chunk in column.chunks:
        pairs = list(zip(chunk.keys.to_pylist(), chunk.items.to_pylist(), strict=True))
        ends = chunk.offsets.to_pylist()
        whole = zip(pairwise(ends), chunk.is_valid().to_pylist(), strict=True)
        values += [dict(pairs[start:end]) if is_valid else None for (start, end), is_valid in whole]
    return values


def _rows(table: pa.Table, kind: type[Row]) -> list[Row]:
    fields_of = _field_names(kind)
    names = [fields_of[column] for column in table.column_names]
    rows = zip(*map(values_of, table.columns), strict=True)
    return [kind(**dict(zip(names, row, strict=True))) for row in rows]


def _columns(path: Path, file: parquet.ParquetFile, columns: Sequence[str] | None) -> pa.Table:
    try:
        stored = file.schema_arrow.names
        # Parts are small: starting threads takes longer than reading.
        return file.read([name for name in columns or stored if name in stored], use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path) from error


def _info(path: Path, file: parquet.ParquetFile) -> PartInfo | None:
    metadata = file.metadata.metadata or {}
    if _METADATA_KEY not in metadata:
        return None
    try:
        stored = json.loads(metadata[_METADATA_KEY])
        return PartInfo(**{name: stored[name] for name in _INFO_FIELDS if name in stored})
    except (ValueError, TypeError, RecursionError) as error:
        raise _damaged(path) from error


def _opened(path: Path) -> parquet.ParquetFile:
    """A file whose bytes were held against their checksum, with its footer read."""
    try:
        return parquet.ParquetFile(pa.BufferReader(_checked(path)))
    except (pa.ArrowException, OSError) as error:
        # Torn, or no Parquet at all: arrow says either with either error.
        raise _damaged(path) from error


def _checked(path: Path) -> bytes:
    """The bytes of a file, held against their checksum where they have one."""
    try:
        content = path.read_bytes()
    except OSError as error:
        # A folder or a link to nowhere stands there, or it cannot be read.
        raise _damaged(path) from error
    if _CHECKSUM_KEY in content:
        at = _checksum_at(content)
        if at is None or content[at : at + len(_NO_CHECKSUM)] != _digest(content, at):
            raise _damaged(path)
    return content


def _damaged(path: Path) -> DamagedPartError:
    return DamagedPartError(f"{path} is damaged; run the same `mplus-eval compare` again, which makes it anew")


def _checksum_at(content: bytes) -> int | None:
    """Where in a file the checksum stands: in the footer, behind its key and a few bytes of Thrift."""
    start = content.rfind(_CHECKSUM_KEY) + len(_CHECKSUM_KEY)
    for at in range(start, start + 8):
        digits = content[at : at + len(_NO_CHECKSUM)]
        if len(digits) == len(_NO_CHECKSUM) and all(byte in b"0123456789abcdef" for byte in digits):
            return at
    return None


def _digest(content: bytes, at: int) -> bytes:
    zeroed = hashlib.sha256(memoryview(content)[:at])
    zeroed.update(_NO_CHECKSUM)
    zeroed.update(memoryview(content)[at + len(_NO_CHECKSUM) :])
    return zeroed.hexdigest().encode()
