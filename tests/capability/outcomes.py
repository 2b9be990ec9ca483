"""Outcomes written by hand, and the comparison of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mplus_eval.capability.aggregate import compare_outcomes
from mplus_eval.capability.noise_floor import NoiseRerun
from mplus_eval.capability.versus import CapabilityRun, TaskFacts
from mplus_eval.records.comparison import Comparison, ModelEntry
from mplus_eval.spec.suite import Suite

SUITE = Suite(name="test", tasks=())


def cell(scores: Sequence[float | None], *, prefix: str = "i", **columns: Any) -> pd.DataFrame:
    """Outcomes of one cell: None is an item that failed."""
    n = len(scores)
    rows: dict[str, Any] = {
        "item_id": [f"{prefix}{number:04d}" for number in range(n)],
        "stratum": ["s"] * n,
        "cluster": [None] * n,
        "sample": [0] * n,
        "prompt_hash": ["p"] * n,
        "answer": [None if score is None else f"answer {score}" for score in scores],
        "score": pd.array(scores, dtype="Float64").to_numpy(dtype=float, na_value=np.nan),
        "metrics": [None if score is None else {"acc,none": score, "brier,none": score / 2} for score in scores],
    }
    return pd.DataFrame({**rows, **columns})


def facts(name: str = "t", **changes: Any) -> TaskFacts:
    given: dict[str, Any] = {
        "name": name,
        "metric": "acc",
        "higher_is_better": True,
        "n_shots": 5,
        "chance": 0.25,
        "kind": "choice",
        "lm_eval": name,
        "version": "1",
        "filter": "none",
        "margin": 0.02,
        "n_items": 10,
    }
    return TaskFacts(**{**given, **changes})


def entry(chat_template: str = "plain") -> ModelEntry:
    return ModelEntry(role="r", source="s", fingerprint="f", backend="hf", chat_template=chat_template)


def compare(
    outcomes: dict[tuple[str, str], pd.DataFrame],
    tasks: Sequence[TaskFacts] | None = None,
    models: dict[str, ModelEntry] | None = None,
    rerun: NoiseRerun | None = None,
    **options: Any,
) -> Comparison:
    models = models or {name: entry() for name in dict.fromkeys(model for model, _ in outcomes)}
    tasks = tasks or [facts(name) for name in dict.fromkeys(task for _, task in outcomes)]
    run = CapabilityRun(models, tasks, SUITE, "base", **options)
    fields = compare_outcomes(outcomes, run, rerun)
    return Comparison.model_validate({"baseline": "base", "suite": SUITE.name, "models": models, **fields})


def random_cells(models: Sequence[str], tasks: Sequence[str], n: int = 60) -> dict[tuple[str, str], pd.DataFrame]:
    rng = np.random.default_rng(0)
    cells = {}
    for task in tasks:
        hardness = rng.normal(size=n)
        for model in models:
            right = (hardness + 0.7 * rng.normal(size=n) > 0).astype(float)
            strata, clusters = [f"s{k % 3}" for k in range(n)], [f"c{k // 6 * 3 + k % 3}" for k in range(n)]
            cells[model, task] = cell(list(right), stratum=strata, cluster=clusters)
    return cells
