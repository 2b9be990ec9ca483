"""The plain format: a line an item, of six fields, for results of any other tool.

    {"task": "sums", "item_id": "17", "score": 1.0}
    {"task": "exam", "item_id": "a-3", "score": 0.0, "subtask": "law", "cluster": "passage 9", "answer": "(B)"}

`task`, `item_id` and `score` are needed; docs/import.md describes all six.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mplus_eval.errors import UsageError
from mplus_eval.importers.base import StoredItem, StoredRun
from mplus_eval.importers.gathering import Gathered
from mplus_eval.importers.reading import Row, files_under, finite, json_lines, optional_text, text_of
from mplus_eval.store.hashes import hash_file
from mplus_eval.store.outcomes import Outcome

FIELDS = ("task", "item_id", "score", "subtask", "cluster", "answer")
KEY = "score,none"


def read(folder: Path) -> StoredRun:
    """Read every `*.jsonl` of a folder; see `Importer`."""
    gathered, files = Gathered(), dict[str, str]()
    for path in files_under(folder):
        if path.suffix != ".jsonl":
            continue
        name = path.relative_to(folder).as_posix() if path != folder else path.name
        files[name] = hash_file(path)
        for where, row in json_lines(path):
            _add(gathered, row, where, {name: files[name]})
    return StoredRun(gathered.tasks(), folder.name, "jsonl", files)


def _add(gathered: Gathered, row: Row, where: str, file: Mapping[str, str]) -> None:
    """One line."""
    if unknown := [key for key in row if key not in FIELDS]:
        raise UsageError(f"{where}: unknown field {unknown[0]!r}; accepted are {', '.join(FIELDS)}")
    task, item = text_of(row, "task", where), text_of(row, "item_id", where)
    subtask = optional_text(row, "subtask", where) or task
    outcome = Outcome(
        item_id="",
        stratum=subtask,
        cluster=optional_text(row, "cluster", where),
        sample=0,
        prompt_hash="",
        prompt="",
        answer=optional_text(row, "answer", where),
        metrics={KEY: finite(row, "score", where)},
    )
    gathered.add(task, StoredItem(item, item, outcome), where, file)
