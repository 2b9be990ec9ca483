"""Training by a recipe: every stage in order, each resumed where a killed one stopped, and measured when it is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from mplus_eval.records.training import TrainingRecord
from mplus_eval.store.run_directory import RunDirectory
from mplus_eval.training.evaluation import Evaluate
from mplus_eval.training.launch import is_main
from mplus_eval.training.parallel import train_side_by_side
from mplus_eval.training.recipe import Recipe
from mplus_eval.training.training_data import gather
from mplus_eval.training.training_run import TrainingRun

Progress = Callable[[str, int, int], None]
Say = Callable[[str], None]


def train(
    recipe: Recipe,
    stages: Sequence[str] | None = None,
    *,
    progress: Progress | None = None,
    say: Say | None = None,
    data_dir: Path | None = None,
    evaluate: Evaluate | None = None,
) -> tuple[TrainingRecord, ...]:
    """Train the stages of a recipe that are not complete yet.

    Args:
        recipe: what to train.
        stages: names of stages; all when None. What they need (the reward model) is trained first.
        progress: called after every step with what is done, the steps done and the steps in all.
        say: told of warnings in a sentence.
        data_dir: folder that holds datasets as org/name, before the hub.
        evaluate: evaluates the saved steps of a stage; needed where a stage has `evaluate_in: rank 0`. With
            `stages_at_once` above 1 a function that can be imported.

    Returns:
        The record of every stage.

    Raises:
        SpecError: with every fault found before any work, a directory that holds another run among them.
        InterruptedRunError: at a step that is not a number, or on a full disk; the last good checkpoint is named.
    """
    with _threads(recipe.threads):
        run = TrainingRun(
            recipe, gather(recipe, data_dir), progress or (lambda *_: None), say or (lambda _: None), evaluate
        )
        wanted = run.with_needed(stages or recipe.stages)
        run.check(wanted)
        with _locked(recipe.output):
            if recipe.stages_at_once > 1:
                _train_side_by_side(run, wanted, data_dir)
            return tuple(record for name in wanted if (record := run.stage_record(name)) is not None)


def _train_side_by_side(run: TrainingRun, wanted: Sequence[str], data_dir: Path | None) -> None:
    """Train at the same time what can be, unless no more than one stage is left."""
    missing = [name for name in wanted if run.stages[name].record is None]
    needed = [name for name in missing if name in ("reward", "referee")]
    rounds = [names for names in (needed, [name for name in missing if name not in needed]) if names]
    if any(len(names) > 1 for names in rounds):
        train_side_by_side(
            run.recipe, rounds, progress=run.progress, say=run.say, data_dir=data_dir, evaluate=run.evaluate
        )


@contextmanager
def _locked(output: Path) -> Any:
    """One training in a directory at a time; of a group of processes, the first holds the lock."""
    if not is_main():
        yield
        return
    with RunDirectory(output).locked():
        yield


@contextmanager
def _threads(n_threads: int | None) -> Any:
    """With one thread the order of sums, and so the result, does not depend on the number of cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
