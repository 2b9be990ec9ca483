"""ZIP archives of JSON, also those that are compressed with zstd, which Python's own reader does not know yet.

Entries are read one by one into memory and never written to disk, so that no name in an archive can lead anywhere.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from mplus_eval.errors import UsageError
from mplus_eval.importers.reading import Row, json_object

LARGEST_ENTRY = 512 * 2**20
"""Bytes of one entry, unpacked, above which an archive is taken for something else."""
_ZSTD = 93
_LOCAL_HEADER = 30
_DAMAGE = (
    zipfile.BadZipFile, pa.ArrowException, RuntimeError, OSError, EOFError, ValueError, zlib.error, struct.error,
)  # fmt: skip
"""What reading may raise at bytes that are not as they should be, at encryption and at unknown compression."""


def is_archive(path: Path) -> bool:
    """Whether a file is a ZIP archive."""
    return zipfile.is_zipfile(path)


class Archive:
    """A ZIP archive of JSON files."""

    def __init__(self, path: Path) -> None:
        """Open it when it is first read."""
        self.path = path

    @cached_property
    def names(self) -> dict[str, zipfile.ZipInfo]:
        """What is in it."""
        try:
            with zipfile.ZipFile(self.path) as archive:
                return {entry.filename: entry for entry in archive.infolist()}
        except (zipfile.BadZipFile, OSError) as error:
            raise UsageError(f"{self.path}: no archive that can be read ({error})") from None

    def json(self, name: str) -> Row:
        """The object that an entry holds.

        Raises:
            UsageError: it is damaged, too large, or no JSON object.
        """
        return json_object(self._content(name), f"{self.path}, {name}")

    def rows(self, prefix: str) -> Iterator[tuple[str, Row]]:
        """The objects of all entries of a folder, each with its place for messages, by name."""
        for name in sorted(self.names):
            if name.startswith(prefix) and name.endswith(".json"):
                yield f"{self.path}, {name}", self.json(name)

    def _content(self, name: str) -> bytes:
        entry, where = self.names[name], f"{self.path}, {name}"
        if entry.file_size > LARGEST_ENTRY:
            raise UsageError(f"{where}: larger than {LARGEST_ENTRY // 2**20} MiB")
        try:
            content = self._unpacked(entry)
        except _DAMAGE as error:
            raise UsageError(f"{where}: damaged ({' '.join(str(error).split())[:120]})") from None
        if len(content) != entry.file_size or zlib.crc32(content) != entry.CRC:
            raise UsageError(f"{where}: damaged (its checksum is not that of the archive)")
        return content

    def _unpacked(self, entry: zipfile.ZipInfo) -> bytes:
        """The bytes of an entry, and never more than it says that there are, with one beyond."""
        if entry.compress_type != _ZSTD:
            with zipfile.ZipFile(self.path) as archive, archive.open(entry) as file:
                return file.read(entry.file_size + 1)
        with self.path.open("rb") as raw:
            raw.seek(entry.header_offset)
            # The two lengths at the end of a local header: of the name, and of what comes before the content.
            n_name, n_extra = struct.unpack("<26xHH", raw.read(_LOCAL_HEADER))
            raw.seek(n_name + n_extra, 1)
            packed = raw.read(entry.compress_size)
        with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
            return bytes(stream.read(entry.file_size + 1))
