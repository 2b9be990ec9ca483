"""A run: the whole line from what was asked to the report, and what it leaves, as pandas frames."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mplus_eval.errors import UsageError
from mplus_eval.pipeline import frames, item_frames
from mplus_eval.records.comparison import Comparison
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.draft import Models, draft_spec
from mplus_eval.store.run_directory import RunDirectory
from mplus_eval.store.sealed import write_sealed

if TYPE_CHECKING:
    import pandas as pd

    from mplus_eval.pipeline.estimate import Estimate
    from mplus_eval.pipeline.evaluate import Failures
    from mplus_eval.pipeline.plan import Plan
    from mplus_eval.pipeline.progress import RunProgress
    from mplus_eval.reports.explorer.page import WrittenReport
    from mplus_eval.store.storage import Mirror


@dataclass(frozen=True, repr=False)
class Run:
    """What a run directory holds. Its `repr` is the summary that a terminal shows, and a notebook shows the grid."""

    path: Path
    comparison: Comparison
    report: WrittenReport | None = None
    """The report, where it was written just now."""

    def __repr__(self) -> str:
        """The decision as a terminal shows it at the end of a run."""
        from mplus_eval.reports.terminal import plain_summary

        return f"{plain_summary(self.comparison)}\nRun: {self.path}"

    def _repr_html_(self) -> str:
        """The decision for a notebook."""
        from mplus_eval.reports.render import render_decision

        return render_decision(self.comparison)

    def outcomes(self, model: str | None = None, task: str | None = None) -> pd.DataFrame:
        """Outcomes, a row for each item and sample: `model`, `task` and the columns of docs/outcomes.md.

        Args:
            model: the only one that is read; every model when None.
            task: the only task, or a prompt set; every task when None.

        Raises:
            UsageError: the run has no such model or task.
        """
        return item_frames.outcomes(self.path, self.comparison, model, task)

    def flips(self, model: str, task: str) -> pd.DataFrame:
        """The items that a model lost, gained or got wrong otherwise than the baseline (`kind`), a row an item.

        Raises:
            UsageError: the run has no such model or task, or the model is the baseline.
        """
        return item_frames.flips(self.path, self.comparison, model, task)

    @cached_property
    def dialogues(self) -> pd.DataFrame:
        """Every turn of every dialogue, a row for each turn and model, with what each judge prefers."""
        return item_frames.dialogues(self.path, self.comparison)

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Every score, a row for each model and task."""
        return frames.scores(self.comparison)

    @cached_property
    def contrasts(self) -> pd.DataFrame:
        """Every contrast, a row for each model, task and model that it is held against."""
        return frames.contrasts(self.comparison)

    @cached_property
    def subjects(self) -> pd.DataFrame:
        """Every score within a subject, a row for each model, task and subject."""
        return frames.subjects(self.comparison)

    @cached_property
    def summary(self) -> pd.DataFrame:
        """Average, alignment tax and verdict over the suite, a row a model."""
        return frames.summary(self.comparison)

    @cached_property
    def toxicity(self) -> pd.DataFrame:
        """Toxicity, refusals and verdicts, a row for each model and prompt set."""
        return frames.toxicity(self.comparison)

    @cached_property
    def conversation(self) -> pd.DataFrame:
        """Win rates and verdicts, a row for each model and judge."""
        return frames.conversation(self.comparison)

    @cached_property
    def trajectory(self) -> pd.DataFrame:
        """Average, distance to the base and toxicity along trainings, a row for each step."""
        return frames.trajectory(self.comparison)


def compare(
    models: Models = (),
    *,
    config: str | None = None,
    progress: RunProgress | None = None,
    **options: object,
) -> Run:
    """Compare models, as `mplus-eval compare` does, and write the report.

    Args:
        models: sources by name (`{"base": "./base", "plus": {"source": "./plus", "role": "plus"}}`), or texts as on the
            command line (`["base=./base", "plus=./plus,role=plus"]`). The demo's models when neither models nor config
            is given.
        config: a YAML file, or the name of a shipped configuration.
        progress: told of everything that goes on; silent when None.
        **options: those of the command line, by the names of the fields of `CompareSpec`.

    Returns:
        The run, with its comparison and frames.

    Raises:
        SpecError: with every fault of what was asked for; nothing was evaluated then.
    """
    from mplus_eval.log_setup import silence_libraries

    silence_libraries()
    spec, faults = draft_spec(models, config, options)
    return run(spec, progress, faults=faults)


def load(run_directory: str | Path) -> Run:
    """Read what a run left.

    Raises:
        UsageError: when the directory holds no comparison.
    """
    directory = RunDirectory(Path(run_directory))
    directory.refuse_foreign()
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
    if spec.dry_run:
        raise UsageError("dry_run: ends before there is a run; `mplus_eval.pipeline.run.plan_run` says what it takes")
    from mplus_eval.pipeline.finished import finished
    from mplus_eval.pipeline.progress import RunProgress

    progress = progress or RunProgress()
    directory = RunDirectory(spec.output, is_shared=spec.executor == "shared")
    directory.refuse_foreign()
    if not faults and (stored := finished(spec, directory)) is not None:
        progress.say(f"{directory.path} holds this run, finished, and nothing that it was made of has changed")
        return _logged(Run(directory.path, stored), spec, progress)
    if spec.executor == "ray" and not faults:
        from mplus_eval.pipeline.executors.cluster import check_address

        check_address(spec.address)
    mirror = _fetched(spec, directory, progress) if spec.storage and not faults else None
    from mplus_eval.pipeline.calibrate import estimate_plan
    from mplus_eval.pipeline.estimate_lines import estimate_lines
    from mplus_eval.pipeline.plan_lines import plan_lines
    from mplus_eval.pipeline.prepare import prepare_plan

    started = time.monotonic()
    plan = prepare_plan(spec, directory, progress, faults)
    estimate = estimate_plan(plan, directory, progress)
    for line in estimate_lines(estimate):
        progress.say(line)
    for line in plan_lines(plan, directory):
        progress.detail(line)
    with directory.locked(), mirror.kept() if mirror else nullcontext():
        made = _made(plan, estimate, directory, progress, started, command or sys.argv)
        if mirror is not None:
            mirror.push(results=True)
    return _logged(made, spec, progress)


def plan_run(
    spec: CompareSpec, progress: RunProgress | None = None, *, faults: Sequence[str] = (), measures: bool = True
) -> Estimate:
    """Say what a run will take, without making it; no run directory is left behind.

    Args:
        spec: what was asked for.
        progress: told of everything that goes on.
        faults: what is known to be wrong with what was asked for.
        measures: whether models are loaded and timed, where no run that is there tells how quick they are.

    Raises:
        SpecError: with every fault found.
    """
    from mplus_eval.pipeline.calibrate import estimate_plan
    from mplus_eval.pipeline.plan_lines import plan_lines
    from mplus_eval.pipeline.prepare import prepare_plan
    from mplus_eval.pipeline.progress import RunProgress

    progress, directory = progress or RunProgress(), RunDirectory(spec.output)
    directory.refuse_foreign()
    plan = prepare_plan(spec, directory, progress, faults)
    for line in plan_lines(plan, directory):
        progress.detail(line)
    return estimate_plan(plan, directory, progress, measures=measures)


def _fetched(spec: CompareSpec, directory: RunDirectory, progress: RunProgress) -> Mirror:
    """The storage that a run is kept in, once what it has of this run is here."""
    from mplus_eval.store.storage import Mirror, Storage

    assert spec.storage is not None
    mirror = Mirror(Storage(spec.storage), directory.path)
    mirror.storage.check()
    with directory.locked(), progress.phase(f"fetching from {spec.storage}"):
        n_fetched = mirror.pull()
    if n_fetched:
        progress.say(f"{n_fetched:,} parts were fetched from {spec.storage}")
    return mirror


def _made(
    plan: Plan,
    estimate: Estimate,
    directory: RunDirectory,
    progress: RunProgress,
    started: float,
    command: Sequence[str],
) -> Run:
    """Evaluate, compare and report; of machines that share the directory one compares, and the others read that."""
    from mplus_eval.pipeline.evaluate import evaluate
    from mplus_eval.pipeline.executors.chosen import chosen_executor
    from mplus_eval.pipeline.executors.claims import Claims
    from mplus_eval.pipeline.finished import finished, stamp
    from mplus_eval.pipeline.manifest import build_manifest
    from mplus_eval.reports import write_report

    with ExitStack() as stack:
        claims = stack.enter_context(Claims.of_run(plan, directory)) if directory.is_shared else None
        executor = chosen_executor(plan, directory, progress)
        failures = evaluate(plan, directory, progress, executor=executor, expected=estimate.expected, claims=claims)
        if claims is not None:
            progress.say("all is stored; one of the machines writes the report")
            if not stack.enter_context(claims.to_report(lambda: finished(plan.spec, directory) is not None)):
                claims.clear()
                return load(directory.path)
        comparison = _compared(plan, directory, failures, progress)
        seconds = time.monotonic() - started
        write_sealed(
            directory.manifest, build_manifest(plan, directory, command=command, seconds=seconds, estimate=estimate)
        )
        with progress.phase("report"):
            report = write_report(directory.path)
        stamp(plan, directory, comparison)
        if claims is not None and finished(plan.spec, directory) is not None:
            claims.clear()
    return Run(directory.path, comparison, report)


def _compared(plan: Plan, directory: RunDirectory, failures: Failures, progress: RunProgress) -> Comparison:
    """The comparison, judged and stored, once everything is answered that could be."""
    from mplus_eval.pipeline.aggregate import aggregate
    from mplus_eval.pipeline.executors.chosen import judged
    from mplus_eval.pipeline.spent import spent_lines

    for line in spent_lines(plan, directory):
        progress.say(line)
    judges = {}
    for axis in plan.axes:
        cells = [cell for cell in plan.of_axis(axis) if cell.key not in failures]
        judges[axis.name] = judged(plan, axis, cells, directory, progress)
    with progress.phase("statistics"):
        comparison = aggregate(plan, directory, failures, judges)
        comparison.write(directory.comparison)
    return comparison


def _logged(run: Run, spec: CompareSpec, progress: RunProgress) -> Run:
    """The run, once it is in the trackers that were asked for."""
    if spec.log_to:
        from mplus_eval.exports.trackers import log_run

        for line in log_run(run.path, spec.log_to):
            progress.say(line)
    return run


def changed(run: Run, directory: RunDirectory, **fields: object) -> Run:
    """A stored run with other fields in its comparison, and its report rendered again."""
    from mplus_eval.reports import write_report

    run.comparison.model_copy(update=fields).write(directory.comparison)
    report = write_report(directory.path)
    return replace(load(directory.path), report=report)
