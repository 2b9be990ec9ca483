"""Judging again: the answers of a run by other judges, people among them, with new figures and no model loaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mplus_eval.audit.differences import Auditor
from mplus_eval.conversation.aggregate import aggregate
from mplus_eval.conversation.items import DEMO, SHIPPED_NAMES, DialogueSet, DialogueTask
from mplus_eval.conversation.pairwise import ModelPair, judge_all, pairwise_items
from mplus_eval.conversation.run import ConversationRun
from mplus_eval.conversation.turns import read_texts
from mplus_eval.data.hub import is_hub_id
from mplus_eval.data.mirror import mirrored
from mplus_eval.errors import SpecError, UsageError
from mplus_eval.judges import judge_faults, judge_weights
from mplus_eval.judges.human import export_pairs
from mplus_eval.judges.reward import with_reward_model
from mplus_eval.models.trained_by import trained_by
from mplus_eval.pipeline.run import Run, changed, load
from mplus_eval.records.comparison import Comparison, ModelEntry
from mplus_eval.records.conversation import Conversation
from mplus_eval.spec.conversation import ConversationSettings
from mplus_eval.spec.judges import judge_kind
from mplus_eval.spec.limit import Limit
from mplus_eval.store.run_directory import RunDirectory


def export(run_directory: Path, file: Path, data_dir: Path | None = None) -> int:
    """Write the blinded pairs of all models of a run, for people to judge; return how many.

    Raises:
        UsageError: the directory holds no run with conversation, or the file is there already.
        SpecError: its dialogues are not where they were.
    """
    run, directory, part = _stored(run_directory)
    task = _task(part, run.comparison, data_dir)
    items = [
        item
        for pair in _model_pairs(part, run.comparison, directory)
        for item in pairwise_items(
            task, read_texts(directory, pair.baseline, part.name), read_texts(directory, pair.model, part.name)
        ).values()
    ]
    return export_pairs(items, file, run.comparison.seed)


def import_verdicts(
    run_directory: Path,
    file: Path,
    data_dir: Path | None = None,
    *,
    first: bool = False,
    judges: Sequence[str] = (),
) -> Run:
    """Take people's verdicts into a run, beside its first judge; or in front of it, so that theirs decide.

    A run directory may be somebody else's, so a judge that runs code or sends texts to a server does so only where it
    is named here again.

    Args:
        run_directory: of the run.
        file: with the verdicts.
        data_dir: folder that holds datasets as org/name.
        first: whether people decide.
        judges: who stands beside them; the run's first judge where none is named.

    Raises:
        UsageError: the directory holds no run with conversation, or its judge must be named.
        SpecError: with every fault of the file; nothing is changed then.
    """
    _, _, part = _stored(run_directory)
    others = list(judges) or [source for source in part.judge_sources if not judge_kind(source).people][:1]
    if not judges and (acting := [source for source in others if judge_kind(source).acts]):
        raise UsageError(
            f"{run_directory} was judged by {acting[0]!r}, which runs code or is sent the texts, so no stored run may "
            f"call it: name it again with --judge {acting[0]!r}, or name another judge"
        )
    human = f"human:{file}"
    return rejudge(run_directory, [human, *others] if first else [*others, human], data_dir)


def rejudge(
    run_directory: Path,
    judges: Sequence[str],
    data_dir: Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Run:
    """Have the answers of a run judged by these judges, and render its report again.

    Raises:
        UsageError: the directory holds no run with conversation.
        SpecError: a judge cannot be asked, or the dialogues are not where they were.
    """
    run, directory, part = _stored(run_directory)
    comparison = run.comparison
    directories = [_directory(model.source) for model in comparison.models.values()]
    sources = with_reward_model(judges, directories)
    if faults := [fault for judge in judges for fault in judge_faults(judge)]:
        raise SpecError(faults)
    task = _task(part, comparison, data_dir)
    with directory.locked():
        fingerprints = judge_all(
            task,
            _model_pairs(part, comparison, directory),
            sources,
            directory,
            seed=comparison.seed,
            progress=progress or (lambda *_: None),
            say=say,
        )
        judged = ConversationRun(
            task=task,
            judges=fingerprints,
            judge_sources=judges,
            judge_weights=[judge_weights(source) for source in sources],
            baseline=comparison.baseline,
            auditor=Auditor(_models(comparison), comparison.allowed),
            level=comparison.level,
            seed=comparison.seed,
        )
        return changed(run, directory, conversation=aggregate(directory, judged, part.missing))


def _stored(run_directory: Path) -> tuple[Run, RunDirectory, Conversation]:
    run = load(run_directory)
    if run.comparison.conversation is None:
        raise UsageError(f"{run_directory}: conversation was not evaluated in this run, so there is nothing to judge")
    return run, RunDirectory(run_directory), run.comparison.conversation


def _task(part: Conversation, comparison: Comparison, data_dir: Path | None) -> DialogueTask:
    """The run's dialogues, read again.

    Raises:
        UsageError: they lie on the hub, which no stored run may have asked, with the user's token, by a name in it.
    """
    known = part.dialogues == DEMO or part.dialogues in SHIPPED_NAMES
    if not known and is_hub_id(part.dialogues) and mirrored(part.dialogues, data_dir) is None:
        raise UsageError(
            f"the run's dialogues are {part.dialogues!r} of the hub, which is not asked for what a stored run names; "
            f"fetch them, and give --data-dir with a folder {part.dialogues}"
        )
    settings = ConversationSettings(
        name=part.name,
        dialogues=part.dialogues,
        split=part.split,
        max_new_tokens=part.max_new_tokens,
        temperature=part.temperature,
        grades=part.grades,
        margin=part.margin,
    )
    limit = None if comparison.limit is None else Limit(comparison.limit, first=comparison.drawn is None)
    dialogues = DialogueSet.load(
        part.dialogues, data_dir=data_dir, limit=limit, seed=comparison.drawn or 0, split=part.split
    )
    return DialogueTask(settings, dialogues)


def _model_pairs(part: Conversation, comparison: Comparison, directory: RunDirectory) -> list[ModelPair]:
    """Every model with stored answers, by the fingerprints that they carry."""
    stored = {model: directory.answered(model, part.name, 0) for model in comparison.models}
    baseline = stored[comparison.baseline]
    return [
        ModelPair(model, comparison.baseline, info.fingerprint, baseline.fingerprint)
        for model, info in stored.items()
        if info is not None and baseline is not None and model != comparison.baseline
    ]


def _directory(source: str) -> Path | None:
    """Where a model lies, of one that lies here: a reward model may lie beside it."""
    if source.startswith("demo:"):
        from mplus_eval.training.demo_recipe import demo_recipe

        return demo_recipe().output / source.removeprefix("demo:")
    return Path(source) if Path(source).is_dir() else None


def _models(comparison: Comparison) -> dict[str, ModelEntry]:
    """The models that were talked to; runs of earlier versions have not stored what trained them."""
    models = {}
    for name, model in comparison.models.items():
        if model.trajectory is None:
            directory = None if model.trained_by else _directory(model.source)
            found = trained_by(directory, model.weights) if directory else model.trained_by
            models[name] = model.model_copy(update={"trained_by": found})
    return models
