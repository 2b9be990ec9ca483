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
        failed: item id and sample of those without a score, which enter no mean.
        failed_strata: stratum of each of them.
        other_metrics: means of the task's further metrics.
    """

    keys: pd.MultiIndex
    strata: Labels
    clusters: Integers | None
    scores: Floats
    answers: Answers
    truncated: NDArray[np.bool_]
    failed: pd.MultiIndex
    other_metrics: dict[str, float]
    failed_strata: Labels

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
        keys = _keys(scored)
        if not keys.is_unique:
            raise ValueError(f"outcomes: item and sample {keys[keys.duplicated()][0]} stand twice")
        answers, failed = scored["answer"].astype(object), outcomes[outcomes["score"].isna()]
        return cls(
            keys=keys,
            strata=scored["stratum"].to_numpy(dtype=str),
            clusters=_cluster_labels(scored),
            scores=scored["score"].to_numpy(dtype=float),
            answers=answers.where(answers.notna(), None).to_numpy(),
            truncated=_truncated(scored),
            failed=_keys(failed),
            other_metrics=_means(scored["metrics"], metric_key),
            failed_strata=failed["stratum"].to_numpy(dtype=str),
        )

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def n_failed(self) -> int:
        """Items without a score."""
        return len(self.failed)

    @property
    def failed_share(self) -> float:
        """Items without a score over all items."""
        return self.n_failed / max(self.n_failed + len(self), 1)

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
            failed=self.failed[:0],
            other_metrics={},
            failed_strata=self.failed_strata[:0],
        )

    def beside(self, others: ScoredItems) -> ScoredItems:
        """These items and others of the same task, whose clusters have the same labels."""
        clusters = None
        if self.clusters is not None and others.clusters is not None:
            clusters = np.concatenate([self.clusters, others.clusters])
        return replace(
            self,
            keys=self.keys.append(others.keys),
            strata=np.concatenate([self.strata, others.strata]),
            clusters=clusters,
            scores=np.concatenate([self.scores, others.scores]),
            answers=np.concatenate([self.answers, others.answers]),
            truncated=np.concatenate([self.truncated, others.truncated]),
        )

    @cached_property
    def all_strata(self) -> dict[str, int]:
        """Number of items in every stratum, failed ones included."""
        names, counts = np.unique(np.concatenate([self.strata, self.failed_strata]), return_counts=True)
        return {str(name): int(count) for name, count in zip(names, counts, strict=True)}

    def in_stratum(self, name: str) -> ScoredItems:
        """The items of one stratum, with its failures."""
        there = self.failed_strata == name
        return replace(
            self.take(self.strata == name), failed=self.failed[there], failed_strata=self.failed_strata[there]
        )


@dataclass(frozen=True, eq=False)
class PairedItems:
    """The items that both models scored, in the same order.

    Attributes:
        before: of the model that is held against.
        after: of the model in question.
        unanswered: those that only the first scored, because the model in question failed on them.
    """

    before: ScoredItems
    after: ScoredItems
    unanswered: ScoredItems

    @classmethod
    def of(cls, before: ScoredItems, after: ScoredItems) -> PairedItems:
        """Pair by item and sample."""
        if before.keys.equals(after.keys):
            return cls(before, after, before.take(np.zeros(len(before), dtype=bool)))
        place = after.keys.get_indexer(before.keys)
        common = np.flatnonzero(place >= 0)
        return cls(before.take(common), after.take(place[common]), before.take(before.keys.isin(after.failed)))

    def __len__(self) -> int:
        return len(self.before)

    def with_failures(self, score: float) -> PairedItems:
        """The pairs, and those on which the model in question failed, as if it had this score there."""
        lost = replace(self.unanswered, scores=np.full(len(self.unanswered), score))
        before, after = self.before.beside(self.unanswered), self.after.beside(lost)
        return PairedItems(before, after, self.unanswered.take(np.zeros(len(lost), dtype=bool)))

    def in_stratum(self, name: str) -> PairedItems:
        """The pairs of one stratum."""
        chosen = self.before.strata == name
        unanswered = self.unanswered.take(self.unanswered.strata == name)
        return PairedItems(self.before.take(chosen), self.after.take(chosen), unanswered)


def _keys(rows: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(rows[["item_id", "sample"]])


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
