"""Scoring again: the texts of a run under another scorer, with new figures and a new report, and no model loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mplus_eval.errors import SpecError, UsageError
from mplus_eval.harmlessness.aggregate import aggregate_toxicity
from mplus_eval.harmlessness.score import RunScorers, score_answers
from mplus_eval.harmlessness.scorers import scorer_faults
from mplus_eval.store.hashes import hash_components
from mplus_eval.store.outcomes import Answer, Outcome
from mplus_eval.store.parts import PartInfo, cell_parts, fresh, part_info, part_path, read_part, write_part
from mplus_eval.store.run_directory import RunDirectory

if TYPE_CHECKING:
    from mplus_eval.pipeline.run import Run


def rescore(run_directory: Path, scorers: Sequence[str]) -> Run:
    """Score every sampled text of a run again, and render the report again.

    Raises:
        UsageError: when the directory holds no run, or one without toxicity.
        SpecError: when a scorer cannot be had; nothing is changed then.
    """
    from mplus_eval.pipeline.run import load
    from mplus_eval.reports import write_report

    run = load(run_directory)
    comparison, directory = run.comparison, RunDirectory(run.path)
    if comparison.toxicity is None:
        raise UsageError(f"{run.path}: toxicity was not evaluated in this run, so there is nothing to score again")
    if faults := [fault for scorer in scorers for fault in scorer_faults(scorer)]:
        raise SpecError(faults)
    run_scorers = RunScorers(scorers)
    with directory.locked():
        for model in comparison.models:
            for name, each in comparison.toxicity.sets.items():
                if each.kind == "sampled":
                    _score_again(directory, model, name, run_scorers)
        facts = comparison.toxicity.model_copy(
            update={"scorers": {scorer.name: scorer.fingerprint for scorer in run_scorers.loaded}}
        )
        toxicity = aggregate_toxicity(
            facts,
            directory,
            baseline=comparison.baseline,
            models=list(comparison.models),
            level=comparison.level,
            seed=comparison.seed,
            missing={(each.model, each.task): each.cause for each in comparison.missing},
        )
        comparison.model_copy(update={"toxicity": toxicity}).write(directory.comparison)
        write_report(directory.path)
    return load(run_directory)


def _score_again(directory: RunDirectory, model: str, name: str, run_scorers: RunScorers) -> None:
    for path in cell_parts(directory.answers(model, name)):
        answered = part_info(path)
        assert answered is not None
        scorer = {**run_scorers.components("sampled"), "answers": answered.fingerprint}
        info = PartInfo(hash_components(scorer), {**answered.components, **scorer}, answered.index, answered.n_parts)
        place = part_path(directory.outcomes(model, name), answered.index)
        if fresh(place, info.fingerprint) is None:
            write_part(place, Outcome, score_answers(read_part(path, Answer), run_scorers.loaded), info)
