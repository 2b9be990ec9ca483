"""The files that data are read from: told apart by what is in them, and named where one has changed.

`datasets` keeps what it read under the dataset's card alone, so that a corrected file, or another folder with the same
card, would give the old rows. What is read from files here is kept under the files' own paths and contents, with the
hashes of what is kept, since a flipped bit there would be another item.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

from mplus_eval.errors import SpecError
from mplus_eval.store.hashes import changed_file, hash_components, hash_file
from mplus_eval.store.sealed import DamagedFileError, forget, read_sealed, recall, write_sealed

_NOTED = "hashes.json"
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
    """The folder in which `datasets` may keep what it reads of exactly these files as they are now.

    One in which something is not as it was kept is set aside, so that the files are read again.

    Raises:
        SpecError: a file would end the process that reads it.
    """
    import datasets

    files = list(files)
    for path in files:
        _refuse_null_rows(path)
    key = hash_components({str(path.absolute()): hash_of(path) for path in files})
    folder = Path(datasets.config.HF_DATASETS_CACHE) / "mplus-eval" / key[:_DIGITS]
    if damage := _damage(folder):
        _damage.cache_clear()
        forget(folder, f"{folder}: what was kept there of data files is damaged ({damage})")
    return str(folder)


def _refuse_null_rows(path: Path) -> None:
    """Refuse JSON lines with a row that is `null`: Arrow, which reads them, ends the process where one stands first."""
    if not path.name.endswith((".json", ".jsonl", ".jsonl.gz", ".json.gz")):
        return
    before = b"}"
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                text = line.strip()
                # Within an object that is written over several lines, a comma or a bracket stands before it.
                if text.startswith(b"null") and before.endswith(b"}"):
                    raise SpecError([f"{path}, line {number}: an object is expected, found null"])
                before = text or before
    except (OSError, EOFError, zlib.error):
        return  # whoever reads it says what is wrong


def seal_cache(folder: Path) -> None:
    """Note the hashes of what `datasets` has put into a folder of `own_cache` since they were noted last."""
    noted = (recall(folder / _NOTED, always_sealed=True) or {"files": {}})["files"]
    kept = {
        path.relative_to(folder).as_posix(): path
        for pattern in ("*.arrow", "dataset_info.json")
        for path in folder.rglob(pattern)
        if not any("incomplete" in part for part in path.parts)
    }
    # Where nothing can be written, nothing was kept either.
    with suppress(OSError):
        if new := {name: hash_file(path) for name, path in kept.items() if name not in noted}:
            write_sealed(folder / _NOTED, {"files": {**noted, **new}})


@cache
def _damage(folder: Path) -> str | None:
    """What of a folder's kept files is not as it was noted, or None; looked for once, since subtasks share folders."""
    if not (folder / _NOTED).exists():
        return None
    try:
        return changed_file(folder, read_sealed(folder / _NOTED, always_sealed=True)["files"])
    except DamagedFileError as error:
        return f"{_NOTED}: {error.why}"


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What differs between the files that a run was made of and those that lie there now, a phrase each."""
    return [
        *(f"{name} changed" for name in now if name in before and before[name] != now[name]),
        *(f"{name} is new" for name in now if name not in before),
        *(f"{name} is gone" for name in before if name not in now),
    ]
