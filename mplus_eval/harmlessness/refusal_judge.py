"""Refusals by a language model: whether it takes an answer for a refusal, beside what the string matcher says.

judgements/refusals/<model>/<set>/part-00000.parquet     one row a request

A matcher knows phrases, and a refusal may be put in others; a judge reads meaning, and errs in ways of its own. Both
are shown together, with how often they agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from mplus_eval.judges.base import RefusalJudge
from mplus_eval.store.hashes import hash_components
from mplus_eval.store.parts import PartInfo, part_info, part_path, read_part, write_part
from mplus_eval.store.run_directory import RunDirectory

Row = dict[str, Any]
SCHEMA = pa.schema(
    [
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("refused", pa.bool_()),
        pa.field("cause", pa.string()),
    ]
)
EMPTY = "the answer is empty"


def judge_refusals(
    cells: Mapping[tuple[str, str], Sequence[tuple[str, str]]],
    directory: RunDirectory,
    judge: RefusalJudge,
    progress: Callable[[str, int, int], None],
) -> None:
    """Ask about every answer that has no verdict yet, and store what is said.

    Args:
        cells: by model and set, requests as the user put them, with their items' ids.
        directory: where answers lie and verdicts are stored.
        judge: who is asked.
        progress: called with what is being judged, how much of it is, and of how much.
    """
    for (model, name), requests in cells.items():
        answers = _answers(directory, model, name)
        components = {"answers": _fingerprint(directory, model, name), "judge": judge.fingerprint}
        info = PartInfo(hash_components(components), components, 0, 1)
        place = part_path(directory.refusals(model, name), 0)
        known = _known(place, info)
        rows = {item: known.get(item) or _unjudged(item, answers.get(item)) for item, _ in requests}
        wanted = [(item, text) for item, text in requests if rows[item]["refused"] is None and answers.get(item)]
        if not wanted and known:
            continue
        title = f"{model} · refusals of {name} judged by {judge.name}"
        for start in range(0, len(wanted), judge.concurrency):
            asked = wanted[start : start + judge.concurrency]
            verdicts = judge.refusals([(text, answers[item]) for item, text in asked])
            for (item, _), said in zip(asked, verdicts, strict=True):
                rows[item] |= {"refused": said.refused, "cause": said.cause}
            progress(title, min(start + len(asked), len(wanted)), len(wanted))
        write_part(place, list(rows.values()), SCHEMA, info)


def read_refusals(directory: RunDirectory, model: str, name: str) -> dict[str, Row]:
    """What a judge said of one model's answers to a set, by item; empty where none was asked."""
    found: dict[str, Row] = {}
    for path in sorted(directory.refusals(model, name).glob("part-*.parquet")):
        found |= {row["item_id"]: row for row in read_part(path)}
    return found


def _answers(directory: RunDirectory, model: str, name: str) -> dict[str, str]:
    found = {}
    for path in sorted(directory.answers(model, name).glob("part-*.parquet")):
        for row in read_part(path, ["item_id", "generations"]):
            if row["generations"] and row["generations"][0].strip():
                found[row["item_id"]] = row["generations"][0]
    return found


def _fingerprint(directory: RunDirectory, model: str, name: str) -> str:
    info = directory.answered(model, name, 0)
    return info.fingerprint if info else ""


def _known(place: Any, info: PartInfo) -> dict[str, Row]:
    stored = part_info(place)
    return (
        {row["item_id"]: row for row in read_part(place)} if stored and stored.fingerprint == info.fingerprint else {}
    )


def _unjudged(item: str, answer: str | None) -> Row:
    return {"item_id": item, "refused": None, "cause": "not judged yet" if answer else EMPTY}
