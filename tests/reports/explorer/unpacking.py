"""Unpacking what the page unpacks, by Python's own means."""

from __future__ import annotations

import gzip
import json
from base64 import b64decode
from dataclasses import dataclass
from itertools import chain
from typing import Any

from mplus_eval.reports.explorer.explorer import Explorer


@dataclass(frozen=True)
class Unpacked:
    """One collection: its columns by name, the shared texts and the items."""

    columns: dict[str, Any]
    shared: list[str]
    items: list[dict[str, Any]]


def line(text: str) -> Any:
    return json.loads(gzip.decompress(b64decode(text)))


def lines_of(text: str) -> list[Any]:
    return [json.loads(each) for each in gzip.decompress(b64decode(text)).decode().split("\n")]


def unpacked(text: str) -> Unpacked:
    head, *lines = text.split("\n")
    about = line(head)
    n_columns, n_shared = len(about["columns"]), len(about["shared"])
    columns = dict(zip(about["columns"], map(line, lines[:n_columns]), strict=True))
    blocks = [lines_of(each) for each in lines[n_columns:]]
    starts = [sum(map(len, part[:n])) for part in (blocks[:n_shared], blocks[n_shared:]) for n in range(len(part))]
    assert starts == [*about["shared"], *about["items"]]
    return Unpacked(columns, [*chain(*blocks[:n_shared])], [*chain(*blocks[n_shared:])])


def of(explorer: Explorer | None, name: str) -> Unpacked:
    """One collection by its name."""
    assert explorer is not None
    names = [facts["name"] for facts in line(explorer.catalogue)["collections"]]
    return unpacked(explorer.texts[names.index(name)])
