"""YAML files, read with their faults named by line."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from mplus_eval.errors import SpecError

MOST_VALUES = 1_000_000
"""That a document may stand for, its aliases written out."""


def read_yaml(path: Path, noun: str) -> dict[str, Any]:
    """Read a file that holds one YAML mapping; `noun` says in messages what kind of file it is.

    Raises:
        SpecError: naming the file and, where there is one, the line.
    """
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except UnicodeDecodeError as error:
        raise SpecError([f"{noun} {path}: not UTF-8 text ({error.reason} at byte {error.start})"]) from None
    except OSError as error:
        raise SpecError([f"{noun} {path}: cannot be read ({error.strerror})"]) from None
    except RecursionError:
        raise SpecError([f"{noun} {path}: nested too deeply"]) from None
    except ValueError as error:  # such as a date of no calendar, or a number of thousands of digits
        raise SpecError([f"{noun} {path}: a value cannot be read ({error})"]) from None
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise SpecError([f"{noun} {path}{line}: {error.problem or error.context}"]) from None
    except yaml.YAMLError as error:
        raise SpecError([f"{noun} {path}: {' '.join(str(error).split())}"]) from None
    if not isinstance(document, dict):
        content = "nothing" if document is None else f"a {type(document).__name__}"
        raise SpecError([f"{noun} {path}: a mapping of keys to values is expected, found {content}"])
    return document


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, but a key that stands twice is a fault rather than silently the last one.

    So is a document that its aliases make longer than any file is: nine lines can stand for a billion values.
    """

    def get_single_node(self) -> yaml.Node | None:
        """The document's node, looked at before anything is made of it."""
        node = super().get_single_node()
        if node is not None and _length(node, {}) > MOST_VALUES:
            raise yaml.constructor.ConstructorError(
                None, None, f"its aliases stand for more than {MOST_VALUES:,} values", node.start_mark
            )
        return node


def _length(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node stands for, those of its aliases counted wherever they stand."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) not in known:
        known[id(node)] = MOST_VALUES + 1  # a node within itself has no end
        pairs = node.value if isinstance(node, yaml.SequenceNode) else [each for pair in node.value for each in pair]
        known[id(node)] = 1 + sum(_length(each, known) for each in pairs)
    return known[id(node)]


def _unique_mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, object]:
    seen: set[str] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} stands twice", key.start_mark)
            seen.add(key.value)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)
