"""How likely the baseline thinks what the other models said: the ground of perplexity and of the KL to the baseline.

likelihoods/<model>/<set>/part-00000.parquet     item, sample, log-probability in nats summed over the answer's tokens

Both are Monte Carlo estimates over a model's own samples. The baseline sees the very prompt that the model saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mplus_eval.harmlessness.generate import log_likelihoods
from mplus_eval.harmlessness.items import PromptSet
from mplus_eval.store.hashes import hash_components
from mplus_eval.store.parts import PartInfo, part_info, part_path, read_part, write_part

if TYPE_CHECKING:
    from mplus_eval.backends import Backend
    from mplus_eval.pipeline.plan import Cell, Part, Plan
    from mplus_eval.store.run_directory import RunDirectory

Row = dict[str, Any]
SCHEMA = pa.schema(
    [
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("sample", pa.int32(), nullable=False),
        pa.field("log_probability", pa.float64()),
    ]
)
Wanted = tuple["Cell", "Part", PartInfo]


def missing_likelihoods(plan: Plan, directory: RunDirectory) -> list[Wanted]:
    """The stored answers of other models than the baseline that it has not been asked about yet."""
    baseline = plan.baseline
    judge = hash_components({"weights": baseline.weights, "tokenizer": baseline.tokenizer, "backend": baseline.backend})
    missing: list[Wanted] = []
    for cell in plan.cells:
        if not isinstance(cell.task, PromptSet) or cell.task.kind != "sampled" or cell.model is baseline:
            continue
        components = {"answers": cell.fingerprint, "baseline": judge}
        fingerprint = hash_components(components)
        for part in cell.parts:
            answered = directory.answered(cell.model.spec.name, cell.task.name, part.index)
            stored = part_info(part_path(directory.likelihoods(cell.model.spec.name, cell.task.name), part.index))
            if answered is not None and (stored is None or stored.fingerprint != fingerprint):
                missing.append((cell, part, PartInfo(fingerprint, components, part.index, len(cell.parts))))
    return missing


def judge_likelihoods(wanted: Sequence[Wanted], baseline: Backend, directory: RunDirectory) -> None:
    """Ask the loaded baseline, and store what it says."""
    for cell, part, info in wanted:
        names = cell.model.spec.name, cell.task.spec.name
        columns = ["item_id", "sample", "prompt", "generations", "log_probabilities"]
        answers = read_part(part_path(directory.answers(*names), part.index), columns)
        rows = [row for row in answers if row["log_probabilities"] is not None]
        found = [
            {"item_id": row["item_id"], "sample": row["sample"], "log_probability": value}
            for row, value in zip(rows, log_likelihoods(rows, baseline), strict=True)
        ]
        write_part(part_path(directory.likelihoods(*names), part.index), found, SCHEMA, info)
