"""Refusals by a language model: whether it takes an answer for a refusal, beside what patterns say.

judgements/refusals/<model>/<set>/part-00000.parquet     one row a request

Patterns know how refusals are put, and one may be put otherwise; a judge reads meaning, and errs in ways of its own.
Both are shown together, with how often they agree, and the judge tells how often the patterns err on these answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import pyarrow as pa

from mplus_eval.judges.base import RefusalJudge
from mplus_eval.store.hashes import hash_components
from mplus_eval.store.parts import PartInfo, fresh, part_path, read_cell, read_part, write_part
from mplus_eval.store.run_directory import RunDirectory

EMPTY = "the answer is empty"


@dataclass(frozen=True, kw_only=True)
class JudgedRefusal:
    """What a language model says of one answer to a request, as it is stored."""

    item_id: str
    refused: bool | None = None
    cause: str | None = None

    SCHEMA: ClassVar[pa.Schema] = pa.schema(
        [
            pa.field("item_id", pa.string(), nullable=False),
            pa.field("refused", pa.bool_()),
            pa.field("cause", pa.string()),
        ]
    )


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
        texts = {each.item_id: each.text for each in directory.read_answers(model, name) if (each.text or "").strip()}
        stored = directory.answered(model, name, 0)
        components = {"answers": stored.fingerprint if stored else "", "judge": judge.fingerprint}
        info = PartInfo(hash_components(components), components, 0, 1)
        place = part_path(directory.refusals(model, name), 0)
        judged: dict[str, JudgedRefusal] = {}
        if fresh(place, info.fingerprint):
            judged = {each.item_id: each for each in read_part(place, JudgedRefusal)}
        verdicts = {
            item: judged.get(item) or JudgedRefusal(item_id=item, cause="not judged yet" if item in texts else EMPTY)
            for item, _ in requests
        }
        wanted = [(item, text) for item, text in requests if verdicts[item].refused is None and item in texts]
        if not wanted and judged:
            continue
        title = f"{model} · refusals of {name} judged by {judge.name}"
        for start in range(0, len(wanted), judge.concurrency):
            asked = wanted[start : start + judge.concurrency]
            replies = judge.refusals([(text, texts[item] or "") for item, text in asked])
            for (item, _), reply in zip(asked, replies, strict=True):
                verdicts[item] = replace(verdicts[item], refused=reply.refused, cause=reply.cause)
            progress(title, min(start + len(asked), len(wanted)), len(wanted))
        write_part(place, JudgedRefusal, list(verdicts.values()), info)


def read_refusals(directory: RunDirectory, model: str, name: str) -> dict[str, JudgedRefusal]:
    """What a judge said of one model's answers to a set, by item; empty where none was asked."""
    judged = read_cell(directory.refusals(model, name), JudgedRefusal, directory.made_of(model, name))
    return {each.item_id: each for each in judged}
