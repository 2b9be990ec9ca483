"""What was asked for, looked at whole before any work: suite, tasks, sources, prompts, dialogues, scorers, judges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mplus_eval.capability.items import LoadedTask, load_tasks
from mplus_eval.capability.settings import resolve_tasks
from mplus_eval.conversation.generate import AskedDialogues
from mplus_eval.conversation.items import DialogueSet
from mplus_eval.conversation.settings import conversation_of
from mplus_eval.errors import SpecError
from mplus_eval.harmlessness.items import PromptSet, load_prompt_sets
from mplus_eval.harmlessness.settings import harmlessness_of
from mplus_eval.judges import judge_faults
from mplus_eval.judges.reward import BARE, reward_model_beside, with_reward_model
from mplus_eval.models.hub import Preparing
from mplus_eval.models.locations import model_faults
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.spec.backends import BACKENDS
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.conversation import ConversationSettings
from mplus_eval.spec.harmlessness import HarmlessnessSettings
from mplus_eval.spec.judges import ACCEPTED
from mplus_eval.spec.suite import Suite, load_suite


@dataclass(frozen=True)
class Checked:
    """What was found of what was asked for."""

    suite: Suite
    tasks: tuple[LoadedTask, ...]
    harmlessness: HarmlessnessSettings | None
    sets: tuple[PromptSet, ...]
    dialogues: AskedDialogues | None


def check_all(spec: CompareSpec, preparing: Preparing | None, known: Sequence[str]) -> Checked:
    """Load suite, tasks and prompts and look at every source; every fault of all of them at once."""
    faults = [*known, *_folder_faults(spec), *_backend_faults(spec)]
    suite: Suite | None = None
    loaded: tuple[LoadedTask, ...] = ()
    settings: HarmlessnessSettings | None = None
    sets: tuple[PromptSet, ...] = ()
    faults += [fault for model in spec.models for fault in model_faults(model, spec.backend_of(model))]
    try:
        suite = load_suite(spec.suite)
        loaded = tuple(_loaded_tasks(spec, suite, preparing)) if spec.capability else ()
    except SpecError as error:
        faults += error.faults
    if suite is not None:
        settings, found = harmlessness_of(spec, suite)
        faults += found
    dialogues = None
    faults += [fault for judge in spec.judges for fault in judge_faults(judge)]
    if suite is not None:
        talk, found = conversation_of(spec, suite)
        faults += found
        if talk is not None:
            dialogues, found = _loaded_dialogues(talk, spec)
            faults += found
    if settings is not None:
        sets, found = load_prompt_sets(settings, seed=spec.seed, limit=spec.limit, data_dir=spec.data_dir)
        faults += found
    if faults or suite is None:
        raise SpecError(faults)
    return Checked(suite, loaded, settings, sets, dialogues)


def _loaded_dialogues(settings: ConversationSettings, spec: CompareSpec) -> tuple[AskedDialogues | None, list[str]]:
    own = [judge for judge in settings.judges if judge not in spec.judges]
    faults = [fault for judge in own for fault in judge_faults(judge)]
    try:
        found = DialogueSet.load(settings.dialogues, data_dir=spec.data_dir, limit=spec.limit, split=settings.split)
    except SpecError as error:
        return None, [*faults, *(f"dialogues: {fault}" for fault in error.faults)]
    return AskedDialogues(settings, found), faults


def with_judges(
    spec: CompareSpec, dialogues: AskedDialogues | None, models: Sequence[ResolvedModel]
) -> tuple[AskedDialogues | None, tuple[str, ...]]:
    """Who judges; without a judge there is no conversation, unless it was asked for.

    Raises:
        SpecError: it was asked for, and no judge is named or found.
    """
    if dialogues is not None and len(models) < 2 and (spec.conversation or spec.judges):
        raise SpecError(["conversation: answers are judged against a baseline's, so two models at least are needed"])
    if dialogues is None or len(models) < 2:
        return None, spec.judges
    directories = [model.location.path for model in models]
    found = reward_model_beside(directories) is not None
    named = [judge for judge in dialogues.spec.judges or (BARE,) if judge != BARE or found or spec.judges]
    if not named and spec.conversation:
        fault = "conversation: no judge is named, and no reward model lies beside a model"
        raise SpecError([f"{fault}; accepted: {ACCEPTED}"])
    with_reward_model(named, directories)
    judges = tuple(named)
    return (dialogues, judges) if judges else (None, ())


def _loaded_tasks(spec: CompareSpec, suite: Suite, preparing: Preparing | None) -> list[LoadedTask]:
    return load_tasks(
        resolve_tasks(suite, spec.tasks, tasks_dir=spec.tasks_dir),
        data_dir=spec.data_dir,
        tasks_dir=spec.tasks_dir,
        limit=spec.limit,
        progress=(lambda _name, done, total: preparing("loading tasks", done, total)) if preparing else None,
    )


def _folder_faults(spec: CompareSpec) -> list[str]:
    folders = (("--data-dir", spec.data_dir), ("--tasks-dir", spec.tasks_dir))
    return [f"{label} {str(path)!r}: no such directory" for label, path in folders if path and not path.is_dir()]


def _backend_faults(spec: CompareSpec) -> list[str]:
    wanted = {spec.backend_of(model) for model in spec.models}
    return [missing for name, backend in BACKENDS.items() if name in wanted and (missing := backend.missing)]
