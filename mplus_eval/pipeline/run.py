"""A run: the whole line from what was asked to the report, and what it leaves, as pandas frames."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mplus_eval.errors import UsageError
from mplus_eval.models.locations import demo_names
from mplus_eval.records.comparison import Comparison, Score
from mplus_eval.records.contrast import Contrast
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.draft import Models, draft_spec
from mplus_eval.spec.trajectory import left_out
from mplus_eval.store.files import write_json
from mplus_eval.store.run_directory import RunDirectory

if TYPE_CHECKING:
    import pandas as pd

    from mplus_eval.pipeline.progress import RunProgress
    from mplus_eval.reports.explorer.page import WrittenReport


@dataclass(frozen=True)
class Run:
    """What a run directory holds."""

    path: Path
    comparison: Comparison
    report: WrittenReport | None = None
    """The report, where it was written just now."""

    @cached_property
    def outcomes(self) -> pd.DataFrame:
        """Every outcome, a row for each item and sample: `model`, `task` and the columns of docs/outcomes.md."""
        import pandas as pd

        frames = [
            RunDirectory(self.path).outcome_frame(model, task).assign(model=model, task=task)
            for task, entry in self.comparison.tasks.items()
            for model in entry.scores
        ]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Every score, a row for each model and task."""
        import pandas as pd

        return pd.DataFrame(
            [
                {"task": task, "model": model, "metric": entry.metric, **_columns(score, score.model_dump())}
                for task, entry in self.comparison.tasks.items()
                for model, score in entry.scores.items()
            ]
        )

    @cached_property
    def contrasts(self) -> pd.DataFrame:
        """Every contrast, a row for each model, task and model that it is held against."""
        import pandas as pd

        contrasts = [
            (task, model, self.comparison.baseline, contrast)
            for task, entry in self.comparison.tasks.items()
            for model, contrast in entry.contrasts.items()
        ]
        contrasts += [
            (task, pair.model, pair.against, contrast)
            for pair in self.comparison.pairs
            for task, contrast in pair.tasks.items()
        ]
        return pd.DataFrame(
            [
                {
                    "task": task,
                    "model": model,
                    "against": against,
                    **_columns(contrast, contrast.model_dump(mode="json")),
                }
                for task, model, against, contrast in contrasts
            ]
        )


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
    from mplus_eval.audit.foreseen import foreseen
    from mplus_eval.pipeline.aggregate import aggregate
    from mplus_eval.pipeline.evaluate import evaluate
    from mplus_eval.pipeline.manifest import build_manifest
    from mplus_eval.pipeline.plan import make_plan
    from mplus_eval.pipeline.progress import RunProgress
    from mplus_eval.pipeline.validate import validate
    from mplus_eval.reports import write_report

    started = time.monotonic()
    progress = progress or RunProgress()
    directory = RunDirectory(spec.output)
    validated = validate(spec, progress.prepare, faults)
    for line in left_out(spec.trajectory, spec.models):
        progress.say(line)
    demo: dict[str, Path] = {}
    if names := demo_names(spec.models):
        from mplus_eval.training.demo_models import demo_models

        # Those not trained yet are first, together, which is sooner.
        demo = dict(zip(names, demo_models(names, progress.prepare), strict=True))
    plan = make_plan(validated, directory, demo, progress.prepare)
    for line in (line for axis in plan.axes for line in axis.asked()):
        progress.say(line)
    for line in foreseen(plan.models, plan.baseline, spec.allow):
        progress.say(line)
    with directory.locked():
        failures = evaluate(plan, directory, progress)
        judges = {}
        for axis in plan.axes:
            cells = [cell for cell in plan.of_axis(axis) if cell.key not in failures]
            judges[axis.name] = axis.judge(cells, directory, progress.prepare, progress.say)
        comparison = aggregate(plan, directory, failures, judges)
        comparison.write(directory.comparison)
        seconds = time.monotonic() - started
        write_json(directory.manifest, build_manifest(plan, directory, command=command or sys.argv, seconds=seconds))
        report = write_report(directory.path)
    return Run(directory.path, comparison, report)


def changed(run: Run, directory: RunDirectory, **fields: object) -> Run:
    """A stored run with other fields in its comparison, and its report rendered again."""
    from mplus_eval.reports import write_report

    run.comparison.model_copy(update=fields).write(directory.comparison)
    report = write_report(directory.path)
    return replace(load(directory.path), report=report)


def _columns(record: Score | Contrast, fields: Mapping[str, object]) -> dict[str, object]:
    """A record's fields as columns: an interval is two of them, and what is a mapping is left out."""
    low, high = record.ci or (None, None)
    plain = {key: value for key, value in fields.items() if key != "ci" and not isinstance(value, dict)}
    return {**plain, "low": low, "high": high}
