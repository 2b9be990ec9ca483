"""GGUF files: what one says of itself, read without its tensors, and which file of a folder is meant.

    "GGUF"  version  n tensors  n settings        little-endian
    settings: name, kind, value                   general.architecture, tokenizer.ggml.tokens, …
    tensors:  name, shape, kind, offset           then, aligned, the tensors themselves

(https://github.com/ggml-org/ggml/blob/master/docs/gguf.md). The package gguf maps every value of a vocabulary by
itself, which takes a minute for 262,144 tokens; here a file is read in one pass.
"""

from __future__ import annotations

import mmap
import re
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import Any

SUFFIX = ".gguf"
_MAGIC, _VERSIONS = b"GGUF", (2, 3)
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_DEFAULT_ALIGNMENT = 32
_PIECE = re.compile(r"-\d{5}-of-(\d{5})\.gguf$")


class GgufError(ValueError):
    """A file is no GGUF file, or not a whole one."""


@dataclass(frozen=True)
class GgufFile:
    """What a GGUF file says of itself.

    Attributes:
        path: where it lies.
        settings: all that is said of architecture, tokenizer and training, by name.
        n_weights: how many numbers are stored in tensors of each kind, as Q4_K.
    """

    path: Path
    settings: Mapping[str, Any]
    n_weights: Mapping[str, int]

    @property
    def quantization(self) -> str:
        """How it is quantized: as it says itself, `GGUF Q4_K_M`, else the kind of most of its weights."""
        from gguf import LlamaFileType

        try:
            name = LlamaFileType(self.settings["general.file_type"]).name
        except (KeyError, ValueError):
            name = max(self.n_weights, key=lambda kind: self.n_weights[kind])
        return f"GGUF {name.removeprefix('MOSTLY_').removeprefix('ALL_')}"


def gguf_names(names: Sequence[str]) -> list[str]:
    """The GGUF files of language models among names; `mmproj` files hold the eyes of one."""
    return sorted(name for name in names if name.endswith(SUFFIX) and "/" not in name and not name.startswith("mmproj"))


def choose_gguf(names: Sequence[str], wanted: str | None, place: str, where: str) -> tuple[str | None, list[str]]:
    """Which GGUF file is meant, or what is to be said about it.

    Args:
        names: of all files in a folder or repository.
        wanted: the `file` that was named.
        place: the folder or repository, as messages call it.
        where: how messages begin.
    """
    found = gguf_names(names)
    there = ", ".join(found) or "none"
    if wanted is not None and wanted not in names:
        return None, [f"{where}: {place} has no file {wanted!r}; its GGUF files are: {there}"]
    if wanted is None and len(found) != 1:
        return None, [f"{where}: {place} holds {len(found)} GGUF files; say which with file=NAME: {there}"]
    name = wanted or found[0]
    if piece := _PIECE.search(name):
        return None, [
            f"{where}: {name} is one of {int(piece[1])} pieces, and transformers reads whole files: join them with "
            f"llama-gguf-split --merge FIRST-PIECE.gguf WHOLE.gguf"
        ]
    return name, []


def package_faults(where: str) -> list[str]:
    """Say when the package that unpacks GGUF weights is missing."""
    if find_spec("gguf") is not None:
        return []
    return [f"{where}: a GGUF file needs the package gguf: pip install 'mplus-eval[gguf]'"]


def read_gguf(path: Path) -> GgufFile:
    """Read what a file says of itself; a file that was read is not read again while it stays as it is.

    Raises:
        GgufError: when it is no GGUF file, or torn.
    """
    status = path.stat()
    return _read(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=8)
def _read(path: Path, size: int, _changed: int) -> GgufFile:
    if size < 24:
        raise GgufError(f"{path} is not a whole GGUF file ({size} bytes)")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content[:4] != _MAGIC:
            raise GgufError(f"{path} is not a GGUF file")
        reader = _Reader(content)
        try:
            version, n_tensors, n_settings = reader.numbers("IQQ")
            if version not in _VERSIONS:
                raise GgufError(f"{path} is GGUF version {version}; versions 2 and 3, little-endian, are read")
            settings = {reader.string(): reader.value(reader.number("I")) for _ in range(n_settings)}
            n_weights, n_bytes = _tensors(reader, n_tensors, settings.get("general.alignment", _DEFAULT_ALIGNMENT))
        except (struct.error, IndexError, UnicodeDecodeError, MemoryError) as error:
            raise GgufError(f"{path} is not a whole GGUF file (its header is torn)") from error
    if size < n_bytes:
        raise GgufError(f"{path} is not a whole GGUF file ({size:,} of {n_bytes:,} bytes)")
    return GgufFile(path, settings, n_weights)


def _tensors(reader: _Reader, n_tensors: int, alignment: int) -> tuple[Mapping[str, int], int]:
    """How many numbers tensors of each kind hold, and how long the file must be for all of them."""
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    n_weights: Counter[str] = Counter()
    end = 0
    for _ in range(n_tensors):
        reader.string()
        shape = reader.numbers(f"{reader.number('I')}Q")
        kind, offset = reader.number("I"), reader.number("Q")
        try:
            known = GGMLQuantizationType(kind)
        except ValueError as error:
            raise GgufError(
                f"a tensor is of kind {kind}, which the package gguf does not know; a newer one may"
            ) from error
        n_in_block, n_bytes = GGML_QUANT_SIZES[known]
        n_weights[known.name] += prod(shape)
        end = max(end, offset + prod(shape) // n_in_block * n_bytes)
    start = -(-reader.place // alignment) * alignment
    # A file of a vocabulary alone ends with its header.
    return dict(n_weights), start + end if end else 0


class _Reader:
    """Goes through the bytes of a file from the fifth on."""

    def __init__(self, content: mmap.mmap) -> None:
        self._content = content
        self.place = len(_MAGIC)

    def numbers(self, kinds: str) -> tuple[Any, ...]:
        values = struct.unpack_from(f"<{kinds}", self._content, self.place)
        self.place += struct.calcsize(f"<{kinds}")
        return values

    def number(self, kind: str) -> Any:
        return self.numbers(kind)[0]

    def string(self) -> str:
        length = self.number("Q")
        if self.place + length > len(self._content):
            raise IndexError(length)
        text = self._content[self.place : self.place + length]
        self.place += length
        # A token may be half a letter, which is nobody's fault.
        return text.decode("utf-8", "surrogateescape")

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.string()
        if kind != _ARRAY:
            return self.number(_kind_of(kind))
        kind, n = self.numbers("IQ")
        if kind in (_STRING, _ARRAY):
            return [self.value(kind) for _ in range(n)]
        return list(self.numbers(f"{n}{_kind_of(kind)}"))


def _kind_of(kind: int) -> str:
    if kind not in _NUMBERS:
        raise IndexError(kind)
    return _NUMBERS[kind]
