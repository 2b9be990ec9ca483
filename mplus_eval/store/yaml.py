"""YAML files, read with their faults named by line."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from mplus_eval.errors import SpecError


def read_yaml(path: Path, noun: str) -> dict[str, Any]:
    """Read a file that holds one YAML mapping; `noun` says in messages what kind of file it is.

    Raises:
        SpecError: naming the file and, where there is one, the line.
    """
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeyLoader)
    except UnicodeDecodeError as error:
        raise SpecError([f"{noun} {path}: not UTF-8 text ({error.reason} at byte {error.start})"]) from None
    except OSError as error:
        raise SpecError([f"{noun} {path}: cannot be read ({error.strerror})"]) from None
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise SpecError([f"{noun} {path}{line}: {error.problem or error.context}"]) from None
    except yaml.YAMLError as error:
        raise SpecError([f"{noun} {path}: {' '.join(str(error).split())}"]) from None
    if not isinstance(document, dict):
        content = "nothing" if document is None else f"a {type(document).__name__}"
        raise SpecError([f"{noun} {path}: a mapping of keys to values is expected, found {content}"])
    return document


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML's safe loader, but a key that stands twice is a fault rather than silently the last one."""


def _unique_mapping(loader: _UniqueKeyLoader, node: yaml.MappingNode) -> dict[Hashable, object]:
    seen: set[str] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} stands twice", key.start_mark)
            seen.add(key.value)
    return loader.construct_mapping(node, deep=True)


_UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)
