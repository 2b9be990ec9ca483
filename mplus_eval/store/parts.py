"""The per-item outcome: one record for every axis, and how it lies on disk.

    answers/<model>/<task>/part-00000.parquet     what the model said, item by item: the costly half
    outcomes/<model>/<task>/part-00000.parquet    the same items scored: the record that statistics and reports read

A part is one shard of a cell (for lm-eval tasks: one leaf task, such as an MMLU subject). Every part carries in its
Parquet metadata the cell's fingerprint and the parts of which it is made, so a part can be trusted or refused alone.
`docs/outcomes.md` documents every column.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

ANSWER_FIELDS = [
    pa.field("item_id", pa.string(), nullable=False),
    pa.field("stratum", pa.string(), nullable=False),
    pa.field("cluster", pa.string()),
    pa.field("sample", pa.int32(), nullable=False),
    pa.field("prompt_hash", pa.string(), nullable=False),
    pa.field("prompt", pa.string(), nullable=False),
    pa.field("asked", pa.string()),
    pa.field("choices", pa.list_(pa.string())),
    pa.field("log_probabilities", pa.list_(pa.float64())),
    pa.field("greedy", pa.list_(pa.bool_())),
    pa.field("generations", pa.list_(pa.string())),
    pa.field("n_truncated", pa.int32()),
    pa.field("n_tokens", pa.int32()),
    pa.field("ended", pa.bool_()),
    pa.field("error", pa.string()),
]
"""What a model said to one item. `cluster` is null where the item shares nothing with another; `asked` holds the user's
words within the prompt, of dialogues only; `choices` are the continuations scored, in the order of
`log_probabilities` (natural logarithm, summed over the continuation's tokens) and `greedy` (whether the continuation is
what greedy decoding would say); `n_truncated` is how many tokens were cut from the left of the prompt to fit the
model's length, null where the backend cannot tell; `n_tokens` counts the tokens generated and `ended` tells whether the
model ended by itself, both of prompt sets and dialogues only; `error` is the cause when the item failed."""

SCORE_FIELDS = [
    pa.field("target", pa.string()),
    pa.field("answer", pa.string()),
    pa.field("score", pa.float64()),
    pa.field("metrics", pa.map_(pa.string(), pa.float64())),
]
"""What scoring adds. `answer` is what the model is taken to have said (the choice, or the extracted answer), `target`
the right one, `score` the task's metric (null when the item failed), `metrics` every metric of the task by
`metric,filter`."""

ANSWER_SCHEMA = pa.schema(ANSWER_FIELDS)
OUTCOME_SCHEMA = pa.schema(ANSWER_FIELDS + SCORE_FIELDS)

_METADATA_KEY = b"mplus_eval"


@dataclass(frozen=True)
class PartInfo:
    """What a part says of itself: which cell it belongs to, and its place among the cell's parts."""

    fingerprint: str
    components: dict[str, str]
    index: int
    n_parts: int
    seconds: float = 0.0
    model: dict[str, Any] = field(default_factory=dict)
    """Facts of the model as it was loaded, so that they are known although it need not be loaded again."""


def write_part(path: Path, rows: Sequence[Mapping[str, Any]], schema: pa.Schema, info: PartInfo) -> None:
    """Write one part so that it is either whole or absent, even when the process is killed while writing."""
    metadata = {_METADATA_KEY: json.dumps(asdict(info)).encode()}
    table = pa.Table.from_pylist([dict(row) for row in rows], schema=schema.with_metadata(metadata))
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("wb") as file:
            parquet.write_table(table, file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def read_part(path: Path, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Return the rows of one part, with all columns or those named; one that came later than the part is left out."""
    known = parquet.read_schema(path).names if columns else []
    chosen = [name for name in columns if name in known] if columns else None
    table = parquet.read_table(path, partitioning=None, columns=chosen)
    rows: list[dict[str, Any]] = table.to_pylist(maps_as_pydicts="strict")
    return rows


def part_info(path: Path) -> PartInfo | None:
    """Return what a part says of itself, or None where there is no whole part."""
    if not path.exists():
        return None
    with path.open("rb") as file:
        try:
            metadata = parquet.read_schema(file).metadata or {}
        except (pa.ArrowException, OSError):
            return None  # torn, or no Parquet at all: arrow says either with either error
    if _METADATA_KEY not in metadata:
        return None
    said = json.loads(metadata[_METADATA_KEY])
    return PartInfo(**{entry.name: said[entry.name] for entry in fields(PartInfo) if entry.name in said})


def part_path(folder: Path, index: int) -> Path:
    """The file of a cell's part."""
    return folder / f"part-{index:05d}.parquet"
