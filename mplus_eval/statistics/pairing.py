"""Outcomes as arrays: one cell's scored items, and two cells paired item by item."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mplus_eval.statistics.design import Design, Floats, Integers
from mplus_eval.statistics.flips import Answers
from mplus_eval.statistics.measure import MEAN, Measure
from mplus_eval.statistics.texts import Texts

Labels = NDArray[np.str_]
_COLUMNS = ("item_id", "sample", "stratum", "cluster", "score", "answer", "n_truncated", "metrics")


@dataclass(frozen=True, eq=False)
class ScoredItems:
    """The items of one model on one task that have a score, sorted by item and sample.

    Attributes:
        item_ids: of each.
        samples: their numbers.
        clusters: label of each item's cluster; None where every item stands alone.
        truncated: whether an item's prompt was cut to fit the model's length.
        failed: item id and sample of those without a score, which enter no mean.
        failed_strata: stratum of each of them.
        other_metrics: the task's further metrics.
        measure: how the task's value is made of the scores.
        weights: what each item's loss is spread over, of ratio measures; None where each counts once.
    """

    item_ids: NDArray[np.object_]
    samples: Integers
    strata: Labels
    clusters: Integers | None
    scores: Floats
    answers: Answers
    truncated: NDArray[np.bool_]
    failed: pd.MultiIndex
    other_metrics: Mapping[str, float]
    failed_strata: Labels
    measure: Measure
    weights: Floats | None

    @classmethod
    def of(
        cls,
        outcomes: pd.DataFrame,
        metric_key: str,
        measure: Measure = MEAN,
        other_metrics: Mapping[str, float] | None = None,
    ) -> ScoredItems:
        """Take the scored items of a cell.

        Args:
            outcomes: rows with the columns of `OUTCOME_SCHEMA`.
            metric_key: `metric,filter` of the score, by which weights are stored.
            measure: how the task's value is made of them.
            other_metrics: the values of the task's further metrics.

        Raises:
            ValueError: when an item and sample stand twice.
        """
        columns = [name for name in _COLUMNS if name in outcomes]
        scored = outcomes.loc[outcomes["score"].notna(), columns].sort_values(["item_id", "sample"])
        answers, failed = scored["answer"].astype(object), outcomes[have_failed(outcomes)]
        items = cls(
            item_ids=scored["item_id"].to_numpy(dtype=object),
            samples=scored["sample"].to_numpy(),
            strata=scored["stratum"].to_numpy(dtype=str),
            clusters=_cluster_labels(scored),
            scores=scored["score"].to_numpy(dtype=float),
            answers=answers.where(answers.notna(), None).to_numpy(),
            truncated=_truncated(scored),
            failed=_keys(failed),
            other_metrics=dict(other_metrics or {}),
            failed_strata=failed["stratum"].to_numpy(dtype=str),
            measure=measure,
            weights=_weights(scored["metrics"], metric_key) if measure.is_ratio else None,
        )
        if not items.keys.is_unique:
            twice = items.keys[items.keys.duplicated()][0]
            raise ValueError(f"outcomes: item and sample {twice} stand twice")
        return items

    def __len__(self) -> int:
        return len(self.scores)

    @cached_property
    def keys(self) -> pd.MultiIndex:
        """Item id and sample of each."""
        return pd.MultiIndex.from_arrays([self.item_ids, self.samples])

    @property
    def n_failed(self) -> int:
        """Items that have no score because something failed."""
        return len(self.failed)

    @property
    def failed_share(self) -> float:
        """Items without a score over all items."""
        return self.n_failed / max(self.n_failed + len(self), 1)

    @cached_property
    def design(self) -> Design:
        """Strata and clusters of the items; of subtasks that count alike, with weights that make them do so."""
        if self.measure.by_size:
            return Design.of(self.strata, self.clusters)
        _, subtasks, counts = np.unique(self.strata, return_inverse=True, return_counts=True)
        return Design.of(self.strata, self.clusters, 1.0 / counts[subtasks] if counts.size > 1 else None)

    def texts(self) -> Texts:
        """The items of a ratio measure, of which the scores are losses."""
        weights = np.ones(len(self)) if self.weights is None else self.weights
        exponential = self.measure.kind == "perplexity"
        return Texts.of(weights, self.strata, self.clusters, exponential=exponential, by_size=self.measure.by_size)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> ScoredItems:
        """The chosen items (a mask or positions), in their order; failures and other metrics are not theirs."""
        return replace(
            self,
            item_ids=self.item_ids[chosen],
            samples=self.samples[chosen],
            strata=self.strata[chosen],
            clusters=None if self.clusters is None else self.clusters[chosen],
            scores=self.scores[chosen],
            answers=self.answers[chosen],
            truncated=self.truncated[chosen],
            failed=self.failed[:0],
            other_metrics={},
            failed_strata=self.failed_strata[:0],
            weights=None if self.weights is None else self.weights[chosen],
        )

    def beside(self, others: ScoredItems) -> ScoredItems:
        """These items and others of the same task, whose clusters have the same labels."""
        clusters = weights = None
        if self.clusters is not None and others.clusters is not None:
            clusters = np.concatenate([self.clusters, others.clusters])
        if self.weights is not None and others.weights is not None:
            weights = np.concatenate([self.weights, others.weights])
        return replace(
            self,
            item_ids=np.concatenate([self.item_ids, others.item_ids]),
            samples=np.concatenate([self.samples, others.samples]),
            strata=np.concatenate([self.strata, others.strata]),
            clusters=clusters,
            scores=np.concatenate([self.scores, others.scores]),
            answers=np.concatenate([self.answers, others.answers]),
            truncated=np.concatenate([self.truncated, others.truncated]),
            weights=weights,
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


def have_failed(outcomes: pd.DataFrame) -> pd.Series[bool]:
    """Items without a score, but for those that their metric passes over: these have no error either."""
    without = outcomes["score"].isna()
    return without & outcomes["error"].notna() if "error" in outcomes else without


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


def _weights(metrics: Iterable[object], metric_key: str) -> Floats | None:
    """The second number of a metric that is two for each item; None where it is one."""
    found = [dict(map_pairs(entry)).get(f"{metric_key}:1") for entry in metrics]
    return None if None in found or not found else np.array(found, dtype=float)


def map_pairs(entry: object) -> Iterable[tuple[str, float]]:
    """The items of a map, as a dict or, as pandas reads Parquet, a list of pairs; none where it is null."""
    if isinstance(entry, dict):
        return entry.items()
    return entry if isinstance(entry, (list, tuple, np.ndarray)) else ()
