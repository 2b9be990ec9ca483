"""The files that data are read from: told apart by what is in them, and named where one has changed.

`datasets` keeps what it read under the dataset's card alone, so that a corrected file, or another folder with the same
card, would give the old rows. What is read from files here is kept under the files' own paths and contents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from mplus_eval.store.hashes import hash_components, hash_file

_DIGITS = 16
"""Hexadecimal digits of a file's hash that are kept, since a run of MMLU keeps those of some two hundred files."""


def files_of(place: Path, name: str) -> dict[str, Path]:
    """The files of a folder by the names that a message calls them, `cais/mmlu: anatomy/test.parquet`; or the one file.

    Hidden files and folders are left out, as `datasets` does: the hub's client keeps notes there.
    """
    if place.is_file():
        return {name: place}
    inner = ((path.relative_to(place), path) for path in sorted(place.rglob("*")) if path.is_file())
    return {
        f"{name}: {relative.as_posix()}": path
        for relative, path in inner
        if not any(part.startswith((".", "__")) for part in relative.parts)
    }


def file_hashes(files: Mapping[str, Path], hash_of: Callable[[Path], str] = hash_file) -> dict[str, str]:
    """What is in every file, as a short hash under its name."""
    return {name: hash_of(path)[:_DIGITS] for name, path in files.items()}


def own_cache(files: Iterable[Path], hash_of: Callable[[Path], str] = hash_file) -> str:
    """The folder in which `datasets` may keep what it reads of exactly these files as they are now."""
    import datasets

    key = hash_components({str(path.absolute()): hash_of(path) for path in files})
    return str(Path(datasets.config.HF_DATASETS_CACHE) / "mplus-eval" / key[:_DIGITS])


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What differs between the files that a run was made of and those that lie there now, a phrase each."""
    return [
        *(f"{name} changed" for name in now if name in before and before[name] != now[name]),
        *(f"{name} is new" for name in now if name not in before),
        *(f"{name} is gone" for name in before if name not in now),
    ]
