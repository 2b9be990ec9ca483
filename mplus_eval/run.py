"""A run: the whole line from what was asked to the report, and what it leaves, as pandas frames."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mplus_eval.comparison import Comparison, Missing, ModelEntry
from mplus_eval.errors import UsageError
from mplus_eval.run_directory import RunDirectory, write_json
from mplus_eval.spec import CompareSpec, Models, draft_spec
from mplus_eval.training_record import Training, read_record

if TYPE_CHECKING:
    import pandas as pd

    from mplus_eval.comparing import TaskFacts
    from mplus_eval.conversation.record import Conversation
    from mplus_eval.evaluate import Failures
    from mplus_eval.harmlessness.record import Toxicity
    from mplus_eval.lm_tasks import LoadedTask
    from mplus_eval.noise_floor import SecondPass
    from mplus_eval.plan import Plan, PlannedModel
    from mplus_eval.progress import RunProgress

STATISTICS_COLUMNS = (
    "item_id", "stratum", "cluster", "sample", "prompt_hash", "n_truncated", "answer", "score", "metrics",
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """What a run directory holds."""

    path: Path
    comparison: Comparison

    @cached_property
    def outcomes(self) -> pd.DataFrame:
        """Every outcome, a row for each item and sample: `model`, `task` and the columns of docs/outcomes.md."""
        import pandas as pd

        frames = [
            _outcome_frame(RunDirectory(self.path), model, task).assign(model=model, task=task)
            for task, entry in self.comparison.tasks.items()
            for model in entry.scores
        ]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Every score, a row for each model and task."""
        return _frame(
            {"task": task, "model": model, "metric": entry.metric, **_flat(score.model_dump())}
            for task, entry in self.comparison.tasks.items()
            for model, score in entry.scores.items()
        )

    @cached_property
    def contrasts(self) -> pd.DataFrame:
        """Every contrast, a row for each model, task and model that it is held against."""
        baseline, tasks = self.comparison.baseline, self.comparison.tasks
        against_baseline = (
            (task, model, baseline, contrast)
            for task, entry in tasks.items()
            for model, contrast in entry.contrasts.items()
        )
        others = (
            (task, pair.model, pair.against, contrast)
            for pair in self.comparison.pairs
            for task, contrast in pair.tasks.items()
        )
        return _frame(
            {"task": task, "model": model, "against": against, **_flat(contrast.model_dump(mode="json"))}
            for task, model, against, contrast in [*against_baseline, *others]
        )


def compare(
    models: Models = (),
    *,
    config: str | None = None,
    progress: RunProgress | None = None,
    **options: Any,
) -> Run:
    """Compare models, as `mplus-eval compare` does, and write the report.

    Args:
        models: sources by name (`{"base": "./base", "plus": {"source": "./plus", "role": "plus"}}`), or texts as on the
            command line (`["base=./base", "plus=./plus,role=plus"]`). The demo's models when neither models nor config
            is given.
        config: a YAML file, or the name of a shipped configuration.
        progress: told of everything that goes on; silent when None.
        **options: those of the command line: suite, tasks, limit, trajectory, trajectory_limit, baseline, data_dir,
            tasks_dir, output, backend, seed, pairs, noise_floor.

    Returns:
        The run, with its comparison and frames.

    Raises:
        SpecError: with every fault of what was asked for; nothing was evaluated then.
    """
    from mplus_eval.quiet import silence_libraries

    silence_libraries()
    spec, faults = draft_spec(models, config, options)
    return run(spec, progress, faults=faults)


def load(run_directory: str | Path) -> Run:
    """Read what a run left.

    Raises:
        UsageError: when the directory holds no comparison.
    """
    directory = RunDirectory(Path(run_directory))
    if not directory.comparison.is_file():
        raise UsageError(
            f"{directory.path} holds no comparison.json; a run directory of mplus-eval compare is expected"
        )
    return Run(directory.path, Comparison.read(directory.comparison))


def run(
    spec: CompareSpec,
    progress: RunProgress | None = None,
    *,
    faults: Sequence[str] = (),
    command: Sequence[str] | None = None,
) -> Run:
    """Plan, evaluate, compare and report.

    Args:
        spec: what was asked for.
        progress: told of everything that goes on.
        faults: what is known to be wrong with what was asked for.
        command: the command line for the manifest; this process's when None.

    Raises:
        SpecError: with every fault found before anything is evaluated.
        InterruptedRunError: when the disk is full.
    """
    from mplus_eval.evaluate import evaluate
    from mplus_eval.manifest import build_manifest
    from mplus_eval.plan import make_plan
    from mplus_eval.progress import SilentProgress
    from mplus_eval.reports import write_report

    started = time.monotonic()
    progress = progress or SilentProgress()
    directory = RunDirectory(spec.output)
    plan = make_plan(spec, directory, progress.prepare, faults)
    with directory.locked():
        failures = evaluate(plan, directory, progress)
        judges = _judge(plan, directory, failures, progress)
        comparison = conclude(plan, directory, failures, judges)
        comparison.write(directory.comparison)
        seconds = time.monotonic() - started
        write_json(directory.manifest, build_manifest(plan, directory, command=command or sys.argv, seconds=seconds))
        write_report(directory.path)
    return Run(directory.path, comparison)


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
    from mplus_eval.comparing import build_comparison
    from mplus_eval.lm_tasks import LoadedTask

    noise = plan.noise.spec.name if plan.noise else None
    toxicity = _toxicity(plan, directory, failures)
    conversation = _conversation(plan, directory, failures, judges)
    outcomes = {
        (model, task): _outcome_frame(directory, model, task, STATISTICS_COLUMNS)
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
    from mplus_eval.harmlessness.concluding import conclude_toxicity
    from mplus_eval.harmlessness.facts import toxicity_facts

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


def _judge(plan: Plan, directory: RunDirectory, failures: Failures, progress: RunProgress) -> dict[str, str]:
    """Have refusals and dialogues judged; the fingerprints of those who judge dialogues, by name."""
    _judge_refusals(plan, directory, failures, progress)
    if plan.dialogues is None:
        return {}
    from mplus_eval.conversation.judge_source import resolved
    from mplus_eval.conversation.judging import judge_all, judged_pairs

    pairs = judged_pairs(plan, failures)
    judges = resolved(plan.judges, [model.source.path for model in plan.models])
    return judge_all(
        plan.dialogues, pairs, judges, directory, seed=plan.spec.seed, progress=progress.prepare, say=progress.say
    )


def _judge_refusals(plan: Plan, directory: RunDirectory, failures: Failures, progress: RunProgress) -> None:
    """Have a language model tell refusals, where one judges."""
    source = next((one for one in plan.judges if one.startswith("llm:")), None)
    cells = {
        (cell.model.spec.name, cell.task.spec.name): cell.task
        for cell in plan.cells
        if getattr(cell.task, "kind", None) == "refusal" and (cell.model.spec.name, cell.task.spec.name) not in failures
    }
    if source is None or not cells:
        return
    from mplus_eval.conversation.judge_source import load_judge
    from mplus_eval.conversation.judges.llm import LlmJudge
    from mplus_eval.harmlessness.prompt_sets import PromptSet
    from mplus_eval.harmlessness.refusal_judge import judge_refusals

    judge = load_judge(source, directory.path / "judgements" / "cache", (), plan.spec.seed)
    assert isinstance(judge, LlmJudge)
    requests = {
        names: [(prompt.item_id, prompt.text) for prompt in task.prompts]
        for names, task in cells.items()
        if isinstance(task, PromptSet)
    }
    judge_refusals(requests, directory, judge, progress.prepare)


def _conversation(
    plan: Plan, directory: RunDirectory, failures: Failures, judges: Mapping[str, str] | None
) -> Conversation | None:
    """The part on conversation, where it was evaluated."""
    if plan.dialogues is None or not judges:
        return None
    from mplus_eval.conversation.concluding import conclude_conversation

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
    plan: Plan, noise: PlannedModel, outcomes: Mapping[tuple[str, str], pd.DataFrame], failures: Failures
) -> SecondPass:
    from mplus_eval.noise_floor import SecondPass
    from mplus_eval.plan import BATCHES

    own = {task: rows for (name, task), rows in outcomes.items() if name == noise.spec.name}
    causes = {task: cause for (name, task), cause in failures.items() if name == noise.spec.name}
    return SecondPass(plan.of_model(noise)[0].components[BATCHES], own, causes)


def _outcome_frame(
    directory: RunDirectory, model: str, task: str, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    import pandas as pd

    from mplus_eval.outcomes import read_part

    rows = [
        row
        for path in sorted(directory.outcomes(model, task).glob("part-*.parquet"))
        for row in read_part(path, columns)
    ]
    return pd.DataFrame(rows)


def _model_entry(plan: Plan, model: PlannedModel, directory: RunDirectory) -> ModelEntry:
    from mplus_eval.evaluate import model_facts

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


def _training(plan: Plan, model: PlannedModel) -> Training | None:
    """How a model was made, where its checkpoint says so; without a distance to other weights than the baseline's."""
    directory = model.source.adapter or model.source.path
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
    from mplus_eval.comparing import TaskFacts

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


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """Put an interval into two columns, and leave out what is a mapping."""
    low, high = record.pop("ci") or (None, None)
    return {**{key: value for key, value in record.items() if not isinstance(value, dict)}, "low": low, "high": high}


def _frame(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(list(rows))
