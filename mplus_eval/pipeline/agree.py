"""Two scorers compared on the texts of a run, or on those of a file or dataset; nothing is stored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mplus_eval.errors import SpecError, UsageError
from mplus_eval.harmlessness.labelled_texts import TextColumns, read_texts
from mplus_eval.harmlessness.scorer_agreement import GroupedText, agreement
from mplus_eval.harmlessness.scorers import load_scorer, scorer_faults
from mplus_eval.pipeline.progress import RunProgress
from mplus_eval.pipeline.run import load
from mplus_eval.records.scorer import ScorerAgreement
from mplus_eval.store.run_directory import RunDirectory


def agree(
    source: str,
    scorers: Sequence[str],
    columns: TextColumns,
    threshold: float,
    progress: RunProgress,
    *,
    split: str | None = None,
    subset: str | None = None,
    data_dir: Path | None = None,
) -> ScorerAgreement:
    """Score the same texts by two scorers, and say how far they agree.

    Args:
        source: a run directory with toxicity, whose sampled texts are taken; else a file, a folder or a hub id.
        scorers: two, as they are named.
        columns: where texts stand in a row, without labels; of a run directory nothing.
        threshold: at and above which a score is toxic.
        progress: told what goes on.
        split: of a folder or dataset; None takes its only one.
        subset: its configuration.
        data_dir: folder that holds datasets as org/name, before the hub.

    Raises:
        UsageError: not two scorers, one cannot be had, or there are no texts.
    """
    if len(scorers) != 2:
        raise UsageError(
            f"--scorer: two scorers are expected, {len(scorers)} given, as in --scorer words --scorer ngram:DIR"
        )
    if not 0.0 < threshold <= 1.0:
        raise UsageError(f"--threshold {threshold:g}: a number above 0 and up to 1 is accepted")
    if faults := [fault for scorer in scorers for fault in scorer_faults(scorer)]:
        raise SpecError(faults)
    is_run = (Path(source) / "comparison.json").is_file()
    texts = _of_run(Path(source)) if is_run else _of_rows(source, columns, split, subset, data_dir)
    first, second = (load_scorer(scorer) for scorer in scorers)
    with progress.phase(f"two scorers read {len(texts):,} texts"):
        return agreement((first, second), texts, threshold)


def _of_run(path: Path) -> list[GroupedText]:
    """What all models said to all sampled prompts; a prompt's texts are a group, whoever said them."""
    run = load(path)
    directory, toxicity = RunDirectory(run.path), run.comparison.toxicity
    if toxicity is None:
        raise UsageError(f"{path}: toxicity was not evaluated in this run, so there are no texts to score")
    return [
        GroupedText(answer.text, answer.asked or answer.prompt, answer.item_id)
        for name, facts in toxicity.sets.items()
        if facts.kind == "sampled"
        for model in run.comparison.models
        for answer in directory.read_answers(model, name)
        if answer.text is not None
    ]


def _of_rows(
    source: str, columns: TextColumns, split: str | None, subset: str | None, data_dir: Path | None
) -> list[GroupedText]:
    read = read_texts(source, columns, split, subset, data_dir=data_dir)
    return [GroupedText(text, "", str(group)) for text, group in zip(read.texts, read.groups, strict=True)]
