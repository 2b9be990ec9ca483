"""The comparison of a run: what is stored of every cell, turned into figures and verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mplus_eval.records.comparison import Comparison, Missing, ModelEntry
from mplus_eval.records.training import Training, read_record
from mplus_eval.store.run_directory import RunDirectory

if TYPE_CHECKING:
    import pandas as pd

    from mplus_eval.capability.aggregate import TaskFacts
    from mplus_eval.capability.items import LoadedTask
    from mplus_eval.capability.noise_floor import SecondPass
    from mplus_eval.pipeline.evaluate import Failures
    from mplus_eval.pipeline.plan import Plan, ResolvedModel
    from mplus_eval.records.conversation import Conversation
    from mplus_eval.records.toxicity import Toxicity

STATISTICS_COLUMNS = (
    "item_id", "stratum", "cluster", "sample", "prompt_hash", "n_truncated", "answer", "score", "metrics",
)  # fmt: skip


def conclude(
    plan: Plan, directory: RunDirectory, failures: Failures, judges: Mapping[str, str] | None = None
) -> Comparison:
    """Turn the stored outcomes of a plan into its comparison.

    Args:
        plan: its cells.
        directory: where their outcomes lie.
        failures: why a cell has none.
        judges: fingerprints of those who have judged the dialogues, by name.
    """
    from mplus_eval.capability.aggregate import build_comparison
    from mplus_eval.capability.items import LoadedTask

    noise = plan.noise.spec.name if plan.noise else None
    toxicity = _toxicity(plan, directory, failures)
    conversation = _conversation(plan, directory, failures, judges)
    outcomes = {
        (model, task): outcome_frame(directory, model, task, STATISTICS_COLUMNS)
        for cell in plan.cells
        if isinstance(cell.task, LoadedTask)
        for model, task in [(cell.model.spec.name, cell.task.spec.name)]
        if (model, task) not in failures
    }
    comparison = build_comparison(
        {cell: rows for cell, rows in outcomes.items() if cell[0] != noise},
        models={model.spec.name: _model_entry(plan, model, directory) for model in plan.models},
        tasks=[
            _task_facts(plan, task, cell.n_items)
            for cell in plan.of_model(plan.models[0])
            if isinstance(task := cell.task, LoadedTask)
        ],
        suite=plan.suite,
        baseline=plan.spec.baseline,
        pairs=plan.spec.pairs,
        seed=plan.spec.seed,
        limit=plan.spec.limit,
        missing=[
            Missing(model=model, task=task, cause=cause) for (model, task), cause in failures.items() if model != noise
        ],
        second_pass=_second_pass(plan, plan.noise, outcomes, failures) if plan.noise else None,
    )
    return comparison.model_copy(update={"toxicity": toxicity, "conversation": conversation})


def _toxicity(plan: Plan, directory: RunDirectory, failures: Failures) -> Toxicity | None:
    """The part on harmlessness, where it was evaluated."""
    if plan.harmlessness is None:
        return None
    from mplus_eval.harmlessness.aggregate import conclude_toxicity
    from mplus_eval.harmlessness.metadata import toxicity_facts

    names = [model.spec.name for model in plan.models]
    return conclude_toxicity(
        toxicity_facts(plan.harmlessness, plan.sets),
        directory,
        baseline=plan.spec.baseline,
        models=names,
        level=plan.suite.level,
        seed=plan.spec.seed,
        missing=failures,
    )


def _conversation(
    plan: Plan, directory: RunDirectory, failures: Failures, judges: Mapping[str, str] | None
) -> Conversation | None:
    """The part on conversation, where it was evaluated."""
    if plan.dialogues is None or not judges:
        return None
    from mplus_eval.conversation.aggregate import conclude_conversation

    asked = plan.dialogues
    return conclude_conversation(
        directory,
        name=asked.name,
        settings=asked.spec,
        dialogues=asked.dialogues,
        judges=judges,
        judge_sources=plan.judges,
        baseline=plan.spec.baseline,
        models=[model.spec.name for model in plan.models if model.spec.trajectory is None],
        level=plan.suite.level,
        seed=plan.spec.seed,
        missing={model: cause for (model, task), cause in failures.items() if task == asked.name},
    )


def _second_pass(
    plan: Plan, noise: ResolvedModel, outcomes: Mapping[tuple[str, str], pd.DataFrame], failures: Failures
) -> SecondPass:
    from mplus_eval.capability.noise_floor import SecondPass
    from mplus_eval.pipeline.plan import BATCHES

    own = {task: rows for (name, task), rows in outcomes.items() if name == noise.spec.name}
    causes = {task: cause for (name, task), cause in failures.items() if name == noise.spec.name}
    return SecondPass(plan.of_model(noise)[0].components[BATCHES], own, causes)


def outcome_frame(directory: RunDirectory, model: str, task: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """The stored outcomes of one cell, with all columns or those named; empty where there are none."""
    import pandas as pd

    from mplus_eval.store.parts import read_part

    rows = [
        row
        for path in sorted(directory.outcomes(model, task).glob("part-*.parquet"))
        for row in read_part(path, columns)
    ]
    return pd.DataFrame(rows)


def _model_entry(plan: Plan, model: ResolvedModel, directory: RunDirectory) -> ModelEntry:
    from mplus_eval.pipeline.evaluate import model_facts

    facts = model_facts(plan.of_model(model), directory)
    return ModelEntry(
        role=model.spec.model_role,
        source=model.spec.source,
        fingerprint=model.fingerprint,
        backend=model.backend,
        dtype=facts.get("dtype"),
        parameters=facts.get("parameters"),
        scoring=facts.get("scoring"),
        chat_template=model.chat_template,
        training=_training(plan, model),
        trajectory=model.spec.trajectory,
    )


def _training(plan: Plan, model: ResolvedModel) -> Training | None:
    """How a model was made, where its checkpoint says so; without a distance to other weights than the baseline's."""
    directory = model.location.adapter or model.location.path
    record = read_record(directory) if directory else None
    if record is None:
        return None
    baseline = next(other for other in plan.models if other.spec.name == plan.spec.baseline)
    if record.base_fingerprint == baseline.weights:
        return record.training
    warning = "The base of its training has other weights than the baseline, so its distance to the base is left out."
    return record.training.model_copy(
        update={"dose": None, "base_behaviour": None, "warnings": (*record.warnings, warning)}
    )


def _task_facts(plan: Plan, task: LoadedTask, n_items: int) -> TaskFacts:
    from mplus_eval.capability.aggregate import TaskFacts

    return TaskFacts(
        name=task.spec.name,
        metric=task.metric,
        higher_is_better=task.higher_is_better,
        n_shots=task.n_shots,
        chance=task.chance,
        kind=task.kind,
        lm_eval=task.lm_eval,
        version=task.version,
        filter=task.filter,
        margin=task.spec.margin or plan.suite.task_margin,
        n_items=n_items,
    )
