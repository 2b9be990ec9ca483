"""Training by a recipe: every stage in order, each resumed where a killed one stopped, and measured when it is done."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import torch

from mplus_eval.records.training import TrainingRecord
from mplus_eval.store.run_directory import RunDirectory
from mplus_eval.training.hooks import Evaluate, Hooks, Progress, Say
from mplus_eval.training.launch import is_main
from mplus_eval.training.parallel import train_in_parallel
from mplus_eval.training.recipe import REWARD_STAGES, Recipe
from mplus_eval.training.stages import refuse_what_would_fail, with_needed
from mplus_eval.training.training_run import begin_run, complete_stage


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
    hooks = Hooks(progress or (lambda *_: None), say or (lambda _: None), evaluate)
    n_threads = torch.get_num_threads()
    # With one thread the order of sums, and so the result, does not depend on the number of cores.
    torch.set_num_threads(recipe.threads or n_threads)
    try:
        run = begin_run(recipe, data_dir, hooks)
        wanted = with_needed(recipe, stages or recipe.stages)
        refuse_what_would_fail(recipe, run.data, [run.stages[name] for name in wanted], run.device, evaluate)
        # One training in a directory at a time; of a group of processes, the first holds the lock.
        with RunDirectory(recipe.output).locked() if is_main() else nullcontext():
            missing = [name for name in wanted if run.stages[name].record is None]
            needed = [name for name in missing if name in REWARD_STAGES]
            rounds = [names for names in (needed, [name for name in missing if name not in needed]) if names]
            if recipe.stages_at_once > 1 and any(len(names) > 1 for names in rounds):
                train_in_parallel(recipe, rounds, run.hooks, data_dir)
            return tuple(record for name in wanted if (record := complete_stage(run, name)) is not None)
    finally:
        torch.set_num_threads(n_threads)
