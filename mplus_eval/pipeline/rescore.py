"""Scoring again: the texts of a run under another scorer, with new figures and a new report, and no model loaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from pathlib import Path

from mplus_eval.audit.differences import Auditor
from mplus_eval.errors import SpecError, UsageError
from mplus_eval.harmlessness.aggregate import aggregate_toxicity
from mplus_eval.harmlessness.score import RunScorers, score_answers, score_requests
from mplus_eval.harmlessness.scorers import scorer_faults
from mplus_eval.pipeline.run import Run, changed, load
from mplus_eval.pipeline.score import score_part
from mplus_eval.store.outcomes import Answer, Outcome
from mplus_eval.store.parts import cell_parts
from mplus_eval.store.run_directory import RunDirectory


def rescore(run_directory: Path, scorers: Sequence[str]) -> Run:
    """Score every sampled text of a run again, by a guard the answers to requests too, and render the report again.

    Raises:
        UsageError: when the directory holds no run, or one without toxicity.
        SpecError: when a scorer cannot be had; nothing is changed then.
    """
    run = load(run_directory)
    comparison, directory = run.comparison, RunDirectory(run.path)
    if comparison.toxicity is None:
        raise UsageError(f"{run.path}: toxicity was not evaluated in this run, so there is nothing to score again")
    if faults := [fault for scorer in scorers for fault in scorer_faults(scorer)]:
        raise SpecError(faults)
    run_scorers = RunScorers(scorers)
    # Requests are scored by guards alone; what patterns say of them stays.
    kinds = ("sampled", "refusal") if run_scorers.guards else ("sampled",)
    scored = {name: facts.kind for name, facts in comparison.toxicity.sets.items() if facts.kind in kinds}
    with directory.locked():
        for model, (name, kind) in product(comparison.models, scored.items()):
            score: Callable[[Sequence[Answer]], list[Outcome]] = partial(score_answers, scorers=run_scorers.loaded)
            if kind == "refusal":
                labels = {outcome.item_id: outcome.target for outcome in directory.read_outcomes(model, name)}
                score = partial(score_requests, labels=labels, guards=run_scorers.guards)
            for path in cell_parts(directory.answers(model, name)):
                score_part(path, directory.outcomes(model, name), run_scorers.components(kind), score)
        toxicity = aggregate_toxicity(
            comparison.toxicity.model_copy(
                update={"scorers": {each.name: each.fingerprint for each in run_scorers.loaded}}
            ),
            directory,
            baseline=comparison.baseline,
            auditor=Auditor(comparison.models, comparison.allowed),
            level=comparison.level,
            seed=comparison.seed,
            missing={(each.model, each.task): each.cause for each in comparison.missing},
        )
        return changed(run, directory, toxicity=toxicity)
