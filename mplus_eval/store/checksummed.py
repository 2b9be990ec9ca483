"""A Parquet file that bears a checksum of its own: SHA-256 of the file with zeros where the checksum stands.

Pages are compressed by zstd. Texts are not put into dictionaries, which hide from it what different texts have in
common; numbers are split into streams of first bytes, second bytes and so on, of which most are alike.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from mplus_eval.errors import UsageError

_KEY = b"mplus_eval_sha256"
_NO_CHECKSUM = b"0" * 64
_CHECKSUM = re.compile(re.escape(_KEY) + rb".{0,7}?([0-9a-f]{64})", re.DOTALL)
"""The key, a few bytes of Thrift, and the checksum."""
_LEVEL = 9
TEXTS = ("prompt", "asked", "generations", "thinking")
"""Columns of long texts."""


class DamagedPartError(UsageError):
    """A part is not what was written: half of it is there, or a bit of it has turned."""


def checksummed(table: pa.Table) -> bytes:
    """A table as the bytes of a file, with its checksum in the footer."""
    sink = pa.BufferOutputStream()
    with parquet.ParquetWriter(sink, table.schema, compression="zstd", **_encodings(table.schema)) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({_KEY: _NO_CHECKSUM})
    content = sink.getvalue().to_pybytes()
    at = _checksum_at(content)
    assert at is not None
    whole: bytes = content[:at] + _digest(content, at) + content[at + len(_NO_CHECKSUM) :]
    return whole


def is_whole(content: bytes) -> bool:
    """Whether bytes are those of a file as it was written, by the checksum within them."""
    at = _checksum_at(content)
    return at is not None and content[at : at + len(_NO_CHECKSUM)] == _digest(content, at)


def open_checksummed(path: Path) -> parquet.ParquetFile:
    """A file whose bytes were held against their checksum, with its footer read.

    Raises:
        DamagedPartError: it is not what was written.
    """
    try:
        return parquet.ParquetFile(pa.BufferReader(_checked(path)))
    except (pa.ArrowException, OSError) as error:
        # Torn, or no Parquet at all: arrow says either with either error.
        raise damaged(path) from error


def damaged(path: Path) -> DamagedPartError:
    """That a part is not what was written, and what to do."""
    return DamagedPartError(f"{path} is damaged; run the same `mplus-eval compare` again, which makes it anew")


def _encodings(schema: pa.Schema) -> dict[str, object]:
    """How columns are written: `compression_level`, `use_dictionary` and `use_byte_stream_split`."""
    leaves = {name: _leaves(name, schema.field(name).type) for name in schema.names}
    floats = [path for paths in leaves.values() for path, kind in paths if kind == pa.float64()]
    others = [path for name, paths in leaves.items() if name not in TEXTS for path, _ in paths if path not in floats]
    return {"compression_level": _LEVEL, "use_dictionary": others, "use_byte_stream_split": floats}


def _leaves(path: str, kind: pa.DataType) -> list[tuple[str, pa.DataType]]:
    """The columns that Parquet makes of one, by their paths."""
    if pa.types.is_map(kind):
        return [(f"{path}.key_value.key", kind.key_type), (f"{path}.key_value.value", kind.item_type)]
    if pa.types.is_list(kind):
        return _leaves(f"{path}.list.element", kind.value_type)
    return [(path, kind)]


def _checked(path: Path) -> bytes:
    """The bytes of a file, held against their checksum where they have one."""
    try:
        content = path.read_bytes()
    except OSError as error:
        # A folder or a link to nowhere stands there, or it cannot be read.
        raise damaged(path) from error
    if content.rfind(_KEY) >= 0 and not is_whole(content):
        raise damaged(path)
    return content


def _checksum_at(content: bytes) -> int | None:
    """Where in a file the checksum stands: in the footer, so that it is sought from the end; None where it has none."""
    key = content.rfind(_KEY)
    found = _CHECKSUM.match(content, key) if key >= 0 else None
    return found.start(1) if found else None


def _digest(content: bytes, at: int) -> bytes:
    zeroed = hashlib.sha256(memoryview(content)[:at])
    zeroed.update(_NO_CHECKSUM)
    zeroed.update(memoryview(content)[at + len(_NO_CHECKSUM) :])
    return zeroed.hexdigest().encode()
