"""How likely the baseline thinks what the other models said: the ground of perplexity and of the KL to the baseline.

likelihoods/<model>/<set>/part-00000.parquet     item, sample, log-probability in nats summed over the answer's tokens

Both are Monte Carlo estimates over a model's own samples. The baseline sees the very prompt that the model saw.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from mplus_eval.backends import Backend
from mplus_eval.harmlessness.generate import log_likelihoods
from mplus_eval.models.cells import Cell, Part
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.store.hashes import hash_components
from mplus_eval.store.outcomes import Answer
from mplus_eval.store.parts import PartInfo, fresh, part_path, read_part, write_part
from mplus_eval.store.run_directory import RunDirectory


@dataclass(frozen=True, kw_only=True)
class StoredLikelihood:
    """How likely the baseline thinks one answer, in nats; None where it cannot say."""

    item_id: str
    sample: int
    log_probability: float | None = None

    SCHEMA: ClassVar[pa.Schema] = pa.schema(
        [
            pa.field("item_id", pa.string(), nullable=False),
            pa.field("sample", pa.int32(), nullable=False),
            pa.field("log_probability", pa.float64()),
        ]
    )


@dataclass(frozen=True)
class MissingLikelihoods:
    """One part of another model's answers that the baseline has not been asked about yet."""

    cell: Cell
    part: Part
    info: PartInfo
    doing: ClassVar[str] = "asking the baseline how likely this is"

    def ask(self, baseline: Backend, directory: RunDirectory) -> None:
        """Ask the loaded baseline, and store what it says."""
        stored = read_part(part_path(directory.answers(*self.cell.key), self.part.index), Answer)
        answers = [each for each in stored if each.log_probabilities is not None]
        rows = [
            StoredLikelihood(item_id=each.item_id, sample=each.sample, log_probability=value)
            for each, value in zip(answers, log_likelihoods(answers, baseline), strict=True)
        ]
        path = part_path(directory.likelihoods(*self.cell.key), self.part.index)
        write_part(path, StoredLikelihood, rows, self.info, once=directory.is_shared)


def missing_likelihoods(
    cells: Iterable[Cell], baseline: ResolvedModel, directory: RunDirectory
) -> list[MissingLikelihoods]:
    """The stored answers of other models than the baseline that it has not been asked about yet.

    Args:
        cells: of sampled sets, of all models.
        baseline: who is asked.
        directory: where answers and likelihoods lie.
    """
    identity = {"weights": baseline.weights, "tokenizer": baseline.tokenizer, "backend": baseline.backend}
    missing = []
    for cell in cells:
        if cell.model is baseline:
            continue
        components = {"answers": cell.fingerprint, "baseline": hash_components(identity)}
        fingerprint = hash_components(components)
        for part in cell.parts:
            answered = fresh(part_path(directory.answers(*cell.key), part.index), cell.fingerprint)
            stored = fresh(part_path(directory.likelihoods(*cell.key), part.index), fingerprint)
            # Answers that failed and were asked again have not been looked at.
            if answered is not None and (stored is None or stored.n_outside != answered.n_outside):
                place = part.index, len(cell.parts)
                info = PartInfo(fingerprint, components, *place, n_outside=answered.n_outside)
                missing.append(MissingLikelihoods(cell, part, info))
    return missing
