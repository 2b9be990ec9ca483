"""From checkpoints to the report: what `train --compare` and `evaluate_every` run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mplus_eval.pipeline.run import Run, compare, run
from mplus_eval.training.evaluation import EVALUATION

if TYPE_CHECKING:
    from mplus_eval.pipeline.progress import RunProgress
    from mplus_eval.training.recipe import Recipe


def evaluate_trajectory(recipe: Recipe, directory: Path) -> Run:
    """Evaluate the saved steps of a model that is being trained, in this process.

    `mplus_eval.training.evaluation.trajectory_command` is the command line that does the same.
    """
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
    from mplus_eval.spec.draft import draft_spec
    from mplus_eval.spec.training_directory import saved_steps

    evaluation = recipe.compare
    trained = [name for name in (*recipe.sft, *recipe.rlhf) if (recipe.output / name / "training.json").is_file()]
    # Whole models are saved in float32, whatever they were trained in and the base is stored in.
    models: dict[str, Any] = {"base": {"source": recipe.base, "role": "base", "dtype": recipe.dtype}}
    if recipe.revision:
        models["base"]["revision"] = recipe.revision
    for name in trained:
        models[name] = {"source": str(recipe.output / name), "dtype": recipe.dtype}
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
