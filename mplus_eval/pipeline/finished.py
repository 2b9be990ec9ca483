"""Whether a run is finished and nothing that it was made of has changed: then the same command answers at once.

Loading tasks, hashing weights and drawing the report again takes from seconds to minutes, to end in the same files. So
a run without anything missing leaves a stamp, `.finished.json`: what was asked for, by which versions, and a listing
(sizes, times and inodes) of every file that it read on this machine or left in its directory. Where all of it is as it
was, what is stored is the answer. Anything else, a copied directory among it, takes the ordinary way, which finds out
what is missing by hashes and checksums. What lies on the hub or behind a server is not asked again.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mplus_eval import __version__
from mplus_eval.errors import UsageError
from mplus_eval.pipeline.stored import stored_parts
from mplus_eval.pipeline.versions import versions
from mplus_eval.records.comparison import Comparison
from mplus_eval.store.hashes import hash_text
from mplus_eval.store.run_directory import RunDirectory
from mplus_eval.store.sealed import recall, write_sealed

if TYPE_CHECKING:
    from mplus_eval.pipeline.plan import Plan
    from mplus_eval.spec.compare import CompareSpec

STAMP = ".finished.json"
MOST_FILES = 100_000
"""Of a folder that was named; a larger one would take as long to list as to read."""


def stamp(plan: Plan, directory: RunDirectory, comparison: Comparison) -> None:
    """Note that a run is finished; where something is missing or unjudged nothing is noted, since a rerun asks it."""
    path = directory.path / STAMP
    path.unlink(missing_ok=True)
    noise = comparison.noise_floor
    if comparison.missing or comparison.unjudged or (noise is not None and noise.missing):
        return
    if any(info.n_outside for cell in plan.cells for info in stored_parts(cell, directory) if info):
        return
    files = {str(place): listing(place, without=directory.path) for place in _read(plan)}
    if all(files.values()):
        write_sealed(path, {**_asked(plan.spec), "files": files, "left": _left(directory)})


def finished(spec: CompareSpec, directory: RunDirectory) -> Comparison | None:
    """What a finished run found, where the same was asked for and nothing has changed since; None otherwise."""
    noted = recall(directory.path / STAMP)
    asked = _asked(spec)
    if noted is None or {key: noted.get(key) for key in asked} != asked:
        return None
    files = noted.get("files")
    if not isinstance(files, dict) or noted.get("left") != _left(directory):
        return None
    if any(listing(Path(place), without=directory.path) != was for place, was in files.items()):
        return None
    try:
        return Comparison.read(directory.comparison)
    except UsageError:
        # A bit may turn without a new time; it is made again of what is stored.
        return None


def listing(place: Path, *, without: Path | None = None) -> str:
    """Hash of the names, sizes, times and inodes of a file, or of all files of a folder.

    Args:
        place: it.
        without: a folder whose files do not count, should it lie within.

    Returns:
        Empty where the place is gone or holds more than `MOST_FILES` files.
    """
    skipped = without.resolve() if without is not None else None
    entries = []
    for path in [place] if place.is_file() else _files(place, skipped):
        try:
            status = path.stat()
        except OSError:
            # A link to nowhere is listed by its name.
            entries.append(str(path))
            continue
        entries.append(f"{path}|{status.st_size}|{status.st_mtime_ns}|{status.st_ctime_ns}|{status.st_ino}")
        if len(entries) > MOST_FILES:
            return ""
    return hash_text("\n".join(sorted(entries))) if entries else ""


def _files(folder: Path, skipped: Path | None = None) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__" and Path(parent, name).resolve() != skipped]
        yield from (Path(parent, name) for name in names)


def _asked(spec: CompareSpec) -> dict[str, object]:
    """What was asked for, and by which versions: of this package also the files, which change under an editable one."""
    package = Path(__file__).parents[1]
    parts = [package, *(path.resolve() for path in package.iterdir() if path.is_symlink())]
    own = hash_text(" ".join(listing(path) for path in parts))
    made_by = {**versions(), "mplus_eval": f"{__version__} {own}"}
    # Where it is logged to, what is said beforehand and who computes it changes nothing of a run.
    who = {"executor", "devices", "address", "gpus_per_model", "cpus_per_model"}
    asked = spec.model_dump_json(exclude={"log_to", "from_run", "dry_run", *who})
    return {"spec": json.loads(asked), "versions": made_by}


def _left(directory: RunDirectory) -> str:
    """Listing of what the run left: all but hidden files, such as the lock and the stamp itself, and leases."""
    files = (path for path in _files(directory.path) if path.parent != directory.leases)
    seen = sorted(path for path in files if not path.name.startswith("."))
    return hash_text(" ".join(map(listing, seen)))


def _read(plan: Plan) -> set[Path]:
    """Every file and folder on this machine that the run was made of, as far as somebody named it."""
    from mplus_eval.judges.reward import BESIDE

    named = {*_paths(plan.spec.model_dump(mode="json")), *_paths(plan.suite.model_dump(mode="json"))}
    # A suite may extend one that lies beside it.
    named |= {path.parent for path in _paths(plan.spec.suite) if path.suffix in (".yaml", ".yml")}
    for model in plan.models:
        where = model.location
        named |= {path for path in (where.path, where.adapter, where.file, where.tokenizer) if path is not None}
        if where.path is not None:
            # Judges that are called by what training leaves beside its models.
            named |= {beside for name in BESIDE if (beside := where.path.parent / name).is_dir()}
    return {path.resolve() for path in named if path.resolve() != Path.cwd()} - {plan.spec.output.resolve()}


def _paths(value: object) -> Iterator[Path]:
    """The paths among the texts of a document that are there; `judge:FILE` and the like name one too."""
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _paths(each)
    elif isinstance(value, str):
        if value.startswith("function:") and (code := _code_of(value.split(":")[1])) is not None:
            yield code
        for text in {value, *value.split(":")}:
            # No name of a file is longer, and a null byte ends in an error.
            if text and len(text) < 1024 and "\0" not in text and (path := Path(text).expanduser()).exists():
                yield path
    elif isinstance(value, Iterable):
        for each in value:
            yield from _paths(each)


def _code_of(module: str) -> Path | None:
    """The file of a user's function, which was imported for the run."""
    file = getattr(sys.modules.get(module), "__file__", None)
    return Path(file) if file else None
