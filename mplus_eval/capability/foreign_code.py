"""Task definitions that would run code which nobody named: found before any of it is imported.

    doc_to_text: !function helpers.ask      imports helpers.py beside the file

The package's definitions and lm-eval's may, and those in the folder of --tasks-dir, which a user names to have them
used. Any other file, as one that a suite names or a definition includes, is data.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import yaml

from mplus_eval.errors import UsageError
from mplus_eval.spec.suite import own_tasks_folder

_FUNCTION = "!function"


def refuse_foreign_code(definition: Path, tasks_dir: Path | None) -> None:
    """Refuse a definition outside the trusted folders that names a function, or includes a file that does.

    Raises:
        UsageError: naming the file, the function, and how it is allowed.
    """
    trusted = [folder.resolve() for folder in (own_tasks_folder(), _lm_eval_tasks(), tasks_dir) if folder is not None]
    for path in _with_includes(definition.resolve(), set()):
        if any(path.is_relative_to(folder) for folder in trusted):
            continue
        if (name := next(_functions(path), None)) is not None:
            raise UsageError(
                f"{path} names the function {name!r}, which is code and runs only where its folder is named: "
                f"--tasks-dir {path.parent}"
            )


def _lm_eval_tasks() -> Path | None:
    spec = find_spec("lm_eval")
    return Path(spec.origin).parent / "tasks" if spec is not None and spec.origin is not None else None


def _with_includes(path: Path, seen: set[Path]) -> Iterator[Path]:
    """A definition and every file that it includes; what cannot be read is told when it is loaded."""
    if path in seen:
        return
    seen.add(path)
    yield path
    for key, value in _top(path):
        if key == "include":
            names = value.value if isinstance(value, yaml.SequenceNode) else [value]
            for name in names:
                if isinstance(name, yaml.ScalarNode):
                    yield from _with_includes((path.parent / name.value).resolve(), seen)


def _top(path: Path) -> list[tuple[str, yaml.Node]]:
    root = _composed(path)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    return [(str(key.value), value) for key, value in pairs]


def _functions(path: Path) -> Iterator[str]:
    """The functions that a file names, wherever in it they stand."""
    waiting, seen = [_composed(path)], set()
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if node.tag == _FUNCTION:
            yield str(node.value)
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            waiting += [each for pair in node.value for each in pair]


def _composed(path: Path) -> yaml.Node | None:
    """The nodes of a file, of which nothing is made; None where it is no YAML."""
    try:
        node: yaml.Node | None = yaml.compose(path.read_text(encoding="utf-8"), yaml.SafeLoader)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return None
    return node
