"""Evaluation while training goes on, or after it: what it needs, and the command that does it.

How it is done is handed in, so that training knows nothing of the line from plan to report.
"""

from __future__ import annotations

from pathlib import Path

from mplus_eval.training.recipe import Recipe

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
