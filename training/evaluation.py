"""From checkpoints to the report: what `train --compare` and `evaluate_every` run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mplus_eval.training.recipe import Recipe

if TYPE_CHECKING:
    from mplus_eval.pipeline.progress import RunProgress
    from mplus_eval.pipeline.run import Run

EVALUATION = "evaluation"


def check_evaluation(recipe: Recipe) -> None:
    """Look at what an evaluation after hours of training would need, before them.

    Raises:
        SpecError: there is no such suite, or a scorer of it cannot be had.
    """
    from mplus_eval.errors import SpecError
    from mplus_eval.harmlessness.scorers import scorer_faults
    from mplus_eval.spec.suite import load_suite

    settings = load_suite(recipe.compare.suite).harmlessness
    if faults := [fault for scorer in (settings.scorers if settings else ()) for fault in scorer_faults(scorer)]:
        raise SpecError(f"compare: suite {recipe.compare.suite!r}: {fault}" for fault in faults)


def trajectory_command(recipe: Recipe, directory: Path) -> list[str]:
    """The command line that evaluates the saved steps of a model that is being trained."""
    evaluation = recipe.compare
    limit = evaluation.trajectory_limit or evaluation.limit
    return [
        "compare",
        *("--trajectory", str(directory), "--suite", evaluation.suite, "--output", str(directory / EVALUATION)),
        *(("--limit", str(limit)) if limit else ()),
        *(("--data-dir", str(evaluation.data_dir)) if evaluation.data_dir else ()),
        "--quiet",
    ]


def evaluate_trajectory(recipe: Recipe, directory: Path) -> Run:
    """The same in this process."""
    from mplus_eval.pipeline.run import compare

    evaluation = recipe.compare
    options: dict[str, Any] = {
        "trajectory": (directory,),
        "suite": evaluation.suite,
        "limit": evaluation.trajectory_limit or evaluation.limit,
        "data_dir": evaluation.data_dir,
        "output": directory / EVALUATION,
    }
    return compare((), config=None, **{key: value for key, value in options.items() if value is not None})


def compare_trained(recipe: Recipe, progress: RunProgress | None = None, command: list[str] | None = None) -> Run:
    """Compare the base and every model that the recipe trained, with the trajectories of those with saved steps."""
    from mplus_eval.pipeline.run import run
    from mplus_eval.spec.compare import draft_spec
    from mplus_eval.spec.trajectory import saved_steps

    evaluation = recipe.compare
    trained = [name for name in (*recipe.sft, *recipe.rlhf) if (recipe.output / name / "training.json").is_file()]
    models: dict[str, Any] = {"base": {"source": recipe.base, "role": "base"}}
    if recipe.revision:
        models["base"]["revision"] = recipe.revision
    for name in trained:
        models[name] = {"source": str(recipe.output / name)}
    options = {
        "suite": evaluation.suite,
        "limit": evaluation.limit,
        "trajectory_limit": evaluation.trajectory_limit,
        "data_dir": evaluation.data_dir,
        "output": recipe.output / "comparison",
        "baseline": "base",
        "trajectory": tuple(recipe.output / name for name in recipe.rlhf if saved_steps(recipe.output / name)),
    }
    spec, faults = draft_spec(models, None, options)
    return run(spec, progress, faults=faults, command=command)
