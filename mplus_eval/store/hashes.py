"""Hashes of everything that can change a number: weights, tokenizer, template, task, data, engine."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from mplus_eval.errors import UsageError
from mplus_eval.store.sealed import recall, write_sealed

WEIGHT_PATTERNS = ("*.safetensors", "*.bin", "*.gguf")
TOKENIZER_FILES = (
    "added_tokens.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "special_tokens_map.json",
    "spiece.model",
    "tekken.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
)
NOT_WEIGHTS = ("optimizer.bin", "scheduler.bin", "training_args.bin")
CONFIG_FILES = ("adapter_config.json", "config.json", "generation_config.json")
_BIG_FILE = 64 * 2**20
_N_BLOCKS = 128
_BLOCK = 4096
_UNSETTLED = 3 * 10**9
"""Nanoseconds after a change in which another one may bear the same time: FAT counts in steps of two seconds."""


def hash_text(text: str) -> str:
    """SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def hash_components(components: Mapping[str, str]) -> str:
    """One hash over named components, whatever their order."""
    return hash_text(json.dumps(dict(components), sort_keys=True))


def hash_files(paths: Iterable[Path]) -> str:
    """One hash over the names and contents of files, whatever their order; empty when there are none."""
    entries = {path.name: hash_file(path) for path in paths}
    return hash_components(entries) if entries else ""


def weights_hash(directory: Path) -> str:
    """Hash of a checkpoint's weights, configuration and, where it brings some, code."""
    files = [
        path
        for pattern in (*WEIGHT_PATTERNS, "*.py")
        for path in directory.glob(pattern)
        if path.name not in NOT_WEIGHTS
    ]
    return hash_files([*files, *_present(directory, CONFIG_FILES)])


def tokenizer_hash(directory: Path) -> str:
    """Hash of a tokenizer's files."""
    return hash_files(_present(directory, TOKENIZER_FILES))


def hash_file(path: Path) -> str:
    """SHA-256 of a file.

    A file of the hub's cache is a link to a blob named by its own SHA-256, which is taken as it stands unless the blob
    was written after its link. Hashes of other big files are remembered, since reading 14 GB again at every start would
    be noticed: under path, size, the times of content and of inode, and the inode's number, since whoever overwrites a
    file and sets its time back cannot set those. Not every file system keeps them (FAT, some network mounts), so a
    sample of blocks is part of the key too: 128 of 4 KiB, evenly spread, which other weights do not share.
    """
    real = path.resolve()
    status = real.stat()
    is_blob = real.parent.name == "blobs" and re.fullmatch(r"[0-9a-f]{64}", real.name)
    if is_blob and path.lstat().st_mtime_ns >= status.st_mtime_ns:
        return real.name
    if status.st_size < _BIG_FILE:
        return _read_hash(real)
    times = f"{status.st_mtime_ns}|{status.st_ctime_ns}"
    key = f"{real}|{status.st_size}|{times}|{status.st_ino}|{_sample(real, status.st_size)}"
    memory = cache_directory() / "hashes" / f"{hash_text(key)}.json"
    if remembered := (recall(memory, always_sealed=True) or {}).get("hash"):
        return str(remembered)
    is_settled = time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) >= _UNSETTLED
    digest = _read_hash(real)
    if is_settled:
        _remember(memory, digest)
    return digest


def cache_directory() -> Path:
    """The user's cache directory of this program.

    Raises:
        UsageError: the user has no home, and no other place is named.
    """
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mplus-eval"
    except RuntimeError:
        raise UsageError("no home directory is known to keep a cache in; name a folder in XDG_CACHE_HOME") from None


def folder_hashes(directory: Path, without: Iterable[str] = (), *, deep: bool = False) -> dict[str, str]:
    """Hash of every file in a folder by its name.

    Args:
        directory: the folder.
        without: names that are left out, as hidden files are.
        deep: whether files of folders within count too, by their paths.
    """
    left_out = frozenset(without)
    paths = (path for path in sorted(directory.rglob("*") if deep else directory.iterdir()) if path.is_file())
    return {
        path.relative_to(directory).as_posix(): hash_file(path)
        for path in paths
        if not path.name.startswith(".") and path.name not in left_out
    }


def changed_file(directory: Path, hashes: Mapping[str, str]) -> str | None:
    """The first file of a folder that is not what it was when its hash was taken, and in what; None where all are."""
    for name, was in hashes.items():
        try:
            if hash_file(directory / name) != was:
                return f"{name} is not what was written"
        except OSError as error:
            return f"{name} cannot be read: {error.strerror}"
    return None


def _remember(memory: Path, digest: str) -> None:
    """Note a hash; where the cache cannot be written, the file is simply read again next time."""
    with suppress(OSError):
        write_sealed(memory, {"hash": digest})


def _sample(path: Path, size: int) -> str:
    """Hash of blocks from the first to the last, evenly spread."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        for number in range(_N_BLOCKS):
            file.seek(max(size - _BLOCK, 0) * number // (_N_BLOCKS - 1))
            digest.update(file.read(_BLOCK))
    return digest.hexdigest()


def _read_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _present(directory: Path, names: Iterable[str]) -> list[Path]:
    return [path for name in names if (path := directory / name).is_file()]
