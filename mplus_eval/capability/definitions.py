"""Where task definitions lie: lm-eval's own, this package's and a user's folder, found by name.

lm-eval reads some 14,000 YAML files to learn its task names, which takes seconds. What it learns is kept in the user's
cache, one file for each version of lm-eval, and then read in milliseconds, without importing lm-eval.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mplus_eval.errors import SpecError
from mplus_eval.spec.suite import own_tasks_folder
from mplus_eval.store.hashes import cache_directory
from mplus_eval.store.sealed import recall, write_sealed


@dataclass(frozen=True)
class Definition:
    """A name that lm-eval can load: `kind` is task, py_task, group or tag (a tag has `members` and no file)."""

    name: str
    kind: str
    path: Path | None
    members: tuple[str, ...] = ()


@cache
def stock_definitions() -> Mapping[str, Definition]:
    """Every task, group and tag of lm-eval, by name."""
    # Found without importing lm-eval, which takes seconds.
    spec = find_spec("lm_eval")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("lm_eval is not installed")
    root = Path(spec.origin).parent / "tasks"
    memory = cache_directory() / f"lm_eval-{version('lm_eval')}-names.json"
    rows = (recall(memory, always_sealed=True) or {}).get("names")
    if rows is None:
        from mplus_eval.backends.lm_eval_private import TaskIndex

        rows = []
        for entry in TaskIndex.build([root]).values():
            path = entry.yaml_path.relative_to(root).as_posix() if entry.yaml_path else None
            tags = sorted(entry.tags) if path is None else []
            rows.append((entry.name, entry.kind.name.lower(), path, tags))
        # Where it cannot be kept, it is made again next time.
        with suppress(OSError):
            write_sealed(memory, {"names": rows})
    return {name: Definition(name, kind, root / path if path else None, tuple(tags)) for name, kind, path, tags in rows}


def local_definitions(tasks_dir: Path | None) -> dict[str, Definition]:
    """The definitions of this package and of a user's folder; where both have a name, the package's.

    Raises:
        SpecError: with every file of the user's folder that cannot be read.
    """
    definitions = dict(_definitions_in(tasks_dir)) if tasks_dir else {}
    return definitions | _own_definitions()


@cache
def _own_definitions() -> dict[str, Definition]:
    return dict(_definitions_in(own_tasks_folder()))


def _definitions_in(folder: Path) -> Iterator[tuple[str, Definition]]:
    """Read a folder's YAML files; those that define no task (a base to include, a suite) are passed over."""
    import yaml

    from mplus_eval.backends.lm_eval_private import TaskIndex, load_yaml

    entries: dict[str, Any] = {}
    faults: list[str] = []
    for path in sorted(folder.rglob("*.yaml")):
        try:
            config = load_yaml(path, resolve_func=False)
        except (yaml.YAMLError, OSError, ValueError) as error:
            faults.append(f"task definition {path}: {' '.join(str(error).split())}")
            continue
        if "task" in config or "group" in config:
            TaskIndex.process_cfg(config, path, entries)
    if faults:
        raise SpecError(faults)
    for name, entry in entries.items():
        yield name, Definition(name, entry.kind.name.lower(), entry.yaml_path, tuple(sorted(entry.tags)))
