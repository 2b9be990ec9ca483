"""What an earlier run showed of each task's paired differences, for planning a later one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mplus_eval.errors import UsageError
from mplus_eval.records.comparison import Comparison, Task
from mplus_eval.records.verdict import Verdict
from mplus_eval.statistics.design import Design, Floats
from mplus_eval.statistics.difference import Scale
from mplus_eval.statistics.estimate import ICC
from mplus_eval.statistics.measure import Measure
from mplus_eval.statistics.paired import paired_difference
from mplus_eval.statistics.pairing import PairedItems, ScoredItems
from mplus_eval.store.run_directory import RunDirectory

COLUMNS = ("item_id", "stratum", "cluster", "sample", "answer", "score", "metrics")


@dataclass(frozen=True)
class Observed:
    """One task of a run, of the model whose differences to the baseline make it need most items.

    Attributes:
        model: that model.
        n_items: of the task, as far as the run asked it.
        discordance: share of items that differ, beyond a difference that was shown.
        noise: share that flips by another batch size alone, where that was measured.
        effect: design effect of its differences, as the interval takes it.
        cautious_effect: the same, and no less than that of clusters as alike as is supposed, as `preserved` takes it.
        cluster_size: mean number of items of a cluster.
        icc: correlation of the differences within clusters; None where there are no clusters, or nothing differs.
    """

    model: str
    n_items: int
    kind: str
    discordance: float
    noise: float | None
    effect: float
    cautious_effect: float
    cluster_size: float
    icc: float | None

    @property
    def planned_discordance(self) -> float:
        """No less than what flips by itself."""
        return max(self.discordance, self.noise or 0.0)


def read_observed(directory: RunDirectory) -> tuple[Comparison, dict[str, Observed]]:
    """Read what a run showed, by task; tasks without a contrast are left out.

    Raises:
        UsageError: the directory holds no comparison, or none of a model with its outcomes.
    """
    directory.refuse_foreign()
    if not directory.comparison.is_file():
        raise UsageError(f"--from {directory.path}: it holds no comparison.json; a run directory is expected")
    comparison = Comparison.read(directory.comparison)
    observed = {}
    for name, task in comparison.tasks.items():
        seen = [
            each
            for model in task.contrasts
            if comparison.models[model].trajectory is None
            and not task.relative
            and (each := _observed(directory, comparison, name, task, model))
        ]
        if seen:
            observed[name] = max(seen, key=lambda each: each.discordance * each.effect)
    if not observed:
        raise UsageError(
            f"--from {directory.path}: it has no outcomes of two models on one task; a run of two models is expected"
        )
    return comparison, observed


def _observed(directory: RunDirectory, comparison: Comparison, name: str, task: Task, model: str) -> Observed | None:
    """One model on one task; None where outcomes are missing."""
    frames = [directory.outcome_frame(each, name, COLUMNS) for each in (comparison.baseline, model)]
    if any(frame.empty for frame in frames):
        return None
    measure = Measure(by_size=task.by_size)
    before, after = (ScoredItems.of(frame, f"{task.metric},{task.filter}", measure) for frame in frames)
    pair = PairedItems.of(before, after)
    if len(pair) < 2:
        return None
    values = (pair.after.scores - pair.before.scores) / Scale.of(pair.before.scores, pair.after.scores).width
    design = pair.before.design
    contrast = task.contrasts[model]
    estimate = paired_difference(values, design, icc=ICC if contrast.icc is None else contrast.icc)
    up, down = float(estimate.up), float(estimate.down)
    is_shown = contrast.verdict in (Verdict.IMPROVED, Verdict.DEGRADED)
    noise = _noise(comparison).get(name)
    return Observed(
        model=model,
        n_items=task.n_items,
        kind=task.kind,
        discordance=up + down - (abs(up - down) if is_shown else 0.0),
        noise=noise,
        effect=float(estimate.effect),
        cautious_effect=float(estimate.least_effect),
        cluster_size=design.n_items / design.n_clusters,
        icc=_icc(values, design),
    )


def _icc(values: Floats, design: Design) -> float | None:
    """The correlation with which clusters vary as seen: variance of single items · (1 + icc (F − 1)) (Kish 1965)."""
    single = float(np.var(values, ddof=1)) / design.n_items
    variance = float(design.variance(values).value)
    if single <= 0 or design.full_effect <= 1 or not np.isfinite(variance):
        return None
    return (variance / single - 1.0) / (design.full_effect - 1.0)


def _noise(comparison: Comparison) -> Mapping[str, float]:
    floor = comparison.noise_floor
    return {} if floor is None else {name: rate.rate for name, rate in floor.tasks.items()}
