"""The comparison of a run: what is stored of every cell, turned into figures and verdicts by the axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mplus_eval.models.trained_by import trained_by
from mplus_eval.pipeline.contamination import stored
from mplus_eval.pipeline.evaluate import Failures
from mplus_eval.pipeline.plan import Plan
from mplus_eval.pipeline.stored import model_facts
from mplus_eval.pipeline.thinking import thinking_spent
from mplus_eval.records.comparison import Comparison, Missing, ModelEntry
from mplus_eval.records.training import read_record
from mplus_eval.store.collecting import without_collecting
from mplus_eval.store.run_directory import RunDirectory

Judges = Mapping[str, Mapping[str, str]]
"""By axis, the fingerprints of those who have judged, by name."""


@without_collecting()
def aggregate(plan: Plan, directory: RunDirectory, failures: Failures, judges: Judges | None = None) -> Comparison:
    """Turn the stored outcomes of a plan into its comparison.

    Args:
        plan: its cells; of what lies in the directory, nothing but these are made of is read.
        directory: where their outcomes lie.
        failures: why a cell has none.
        judges: who has judged.
    """
    own = RunDirectory(directory.path, {cell.key: cell.fingerprint for cell in plan.cells})
    models = {}
    for model in plan.models:
        facts = model_facts(plan.of_model(model), directory)
        checkpoint = model.location.checkpoint
        record = read_record(checkpoint) if checkpoint else None
        models[model.spec.name] = ModelEntry(
            role=model.spec.model_role,
            source=model.spec.source,
            fingerprint=model.fingerprint,
            weights=model.weights,
            vocabulary=model.vocabulary,
            backend=facts.get("backend") or model.backend,
            dtype=facts.get("dtype"),
            parameters=facts.get("parameters"),
            scoring=facts.get("scoring"),
            asking=facts.get("asking"),
            chat_template=model.chat_template,
            training=record.shown_beside(plan.baseline.weights) if record else None,
            trained_by=trained_by(checkpoint, model.weights) if checkpoint else (),
            trajectory=model.spec.trajectory,
            step=model.spec.step,
        )
    fields: dict[str, Any] = {"tasks": {}, "summary": {}}
    for axis in plan.axes:
        fields |= axis.aggregate(own, models, failures, (judges or {}).get(axis.name, {}))
    # The noise rerun is no model of the comparison.
    missing = [
        Missing(model=model, task=task, cause=cause) for (model, task), cause in failures.items() if model in models
    ]
    return Comparison.model_validate(
        {
            "baseline": plan.spec.baseline,
            "suite": plan.suite.name,
            "level": plan.suite.level,
            "seed": plan.spec.seed,
            **_which(plan),
            "adjust": plan.spec.adjust,
            "allowed": plan.spec.allow,
            "models": models,
            "missing": tuple(missing),
            "thinking": thinking_spent(plan, own, failures) or None,
            "contamination": stored(directory, models, fields["tasks"]),
            **fields,
        }
    )


def _which(plan: Plan) -> dict[str, int | None]:
    """Which items were asked, where those are not all."""
    limit, budget = plan.spec.limit, plan.spec.budget_of(plan.suite)
    if limit is not None:
        return {"limit": limit.n, "drawn": limit.drawn_by(plan.spec.seed)}
    return {} if budget is None else {"budget": budget, "drawn": plan.spec.seed}
