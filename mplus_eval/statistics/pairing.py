"""Outcomes as arrays: one cell's scored items, and two cells paired item by item."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mplus_eval.statistics.design import Design, Floats, Integers
from mplus_eval.statistics.flips import Answers

Labels = NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class ScoredItems:
    """The items of one model on one task that have a score, sorted by item and sample.

    Attributes:
        keys: item id and sample.
        clusters: label of each item's cluster; None where every item stands alone.
        truncated: whether an item's prompt was cut to fit the model's length.
        n_failed: items without a score, which enter nothing else.
        failed_by_stratum: the same by stratum, where there are any.
        other_metrics: means of the task's further metrics.
    """

    keys: pd.MultiIndex
    strata: Labels
    clusters: Integers | None
    scores: Floats
    answers: Answers
    truncated: NDArray[np.bool_]
    n_failed: int
    other_metrics: dict[str, float]
    failed_by_stratum: dict[str, int]

    @classmethod
    def of(cls, outcomes: pd.DataFrame, metric_key: str) -> ScoredItems:
        """Take the scored items of a cell.

        Args:
            outcomes: rows with the columns of `OUTCOME_SCHEMA`.
            metric_key: `metric,filter` of the score, which is no further metric.

        Raises:
            ValueError: when an item and sample stand twice.
        """
        scored = outcomes[outcomes["score"].notna()].sort_values(["item_id", "sample"])
        keys = pd.MultiIndex.from_frame(scored[["item_id", "sample"]])
        if not keys.is_unique:
            raise ValueError(f"outcomes: item and sample {keys[keys.duplicated()][0]} stand twice")
        answers = scored["answer"].astype(object)
        return cls(
            keys=keys,
            strata=scored["stratum"].to_numpy(dtype=str),
            clusters=_cluster_labels(scored),
            scores=scored["score"].to_numpy(dtype=float),
            answers=answers.where(answers.notna(), None).to_numpy(),
            truncated=_truncated(scored),
            n_failed=len(outcomes) - len(scored),
            other_metrics=_means(scored["metrics"], metric_key),
            failed_by_stratum=_count(outcomes.loc[outcomes["score"].isna(), "stratum"].to_numpy(dtype=str)),
        )

    def __len__(self) -> int:
        return len(self.scores)

    def design(self) -> Design:
        """Strata and clusters of the items."""
        return Design.of(self.strata, self.clusters)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> ScoredItems:
        """The chosen items (a mask or positions), in their order; failures and other metrics are not theirs."""
        return replace(
            self,
            keys=self.keys[chosen],
            strata=self.strata[chosen],
            clusters=None if self.clusters is None else self.clusters[chosen],
            scores=self.scores[chosen],
            answers=self.answers[chosen],
            truncated=self.truncated[chosen],
            n_failed=0,
            other_metrics={},
            failed_by_stratum={},
        )

    @cached_property
    def all_strata(self) -> dict[str, int]:
        """Number of items in every stratum, failed ones included."""
        scored = _count(self.strata)
        names = sorted(scored.keys() | self.failed_by_stratum.keys())
        return {name: scored.get(name, 0) + self.failed_by_stratum.get(name, 0) for name in names}

    def in_stratum(self, name: str) -> ScoredItems:
        """The items of one stratum, with its failures."""
        return replace(self.take(self.strata == name), n_failed=self.failed_by_stratum.get(name, 0))


@dataclass(frozen=True, eq=False)
class PairedItems:
    """The items that both models scored, in the same order."""

    before: ScoredItems
    after: ScoredItems

    @classmethod
    def of(cls, before: ScoredItems, after: ScoredItems) -> PairedItems:
        """Pair by item and sample."""
        if before.keys.equals(after.keys):
            return cls(before, after)
        place = after.keys.get_indexer(before.keys)
        common = np.flatnonzero(place >= 0)
        return cls(before.take(common), after.take(place[common]))

    def __len__(self) -> int:
        return len(self.before)

    def in_stratum(self, name: str) -> PairedItems:
        """The pairs of one stratum."""
        chosen = self.before.strata == name
        return PairedItems(self.before.take(chosen), self.after.take(chosen))


def _truncated(scored: pd.DataFrame) -> NDArray[np.bool_]:
    """False where it is not known, also in outcomes that an earlier version wrote without the column."""
    if "n_truncated" not in scored:
        return np.zeros(len(scored), dtype=bool)
    return np.asarray(scored["n_truncated"].astype(float) > 0)


def _cluster_labels(scored: pd.DataFrame) -> Integers | None:
    """Cluster labels; items without one stand alone, and the samples of an item stand together."""
    has_cluster = scored["cluster"].notna()
    if not has_cluster.any() and scored["item_id"].is_unique:
        return None
    labels = ("cluster " + scored["cluster"].astype(str)).where(has_cluster, "item " + scored["item_id"].astype(str))
    return np.asarray(pd.factorize(labels)[0])


def _count(labels: Labels) -> dict[str, int]:
    return {str(name): int(count) for name, count in zip(*np.unique(labels, return_counts=True), strict=True)}


def _means(metrics: Iterable[object], without: str) -> dict[str, float]:
    """Mean of every metric but one, each over the items that have it."""
    sums: dict[str, float] = {}
    counts: dict[str, int] = {}
    for entry in metrics:
        for name, value in _pairs(entry):
            if name != without and value is not None and not np.isnan(value):
                sums[name] = sums.get(name, 0.0) + value
                counts[name] = counts.get(name, 0) + 1
    return {name: float(sums[name] / counts[name]) for name in sorted(sums)}


def _pairs(entry: object) -> Iterable[tuple[str, float]]:
    """The items of a map, as a dict or, as pandas reads Parquet, a list of pairs; none where it is null."""
    if isinstance(entry, dict):
        return entry.items()
    return entry if isinstance(entry, (list, tuple, np.ndarray)) else ()
