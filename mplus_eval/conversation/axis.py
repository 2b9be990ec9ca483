"""Conversation as an axis of a run: dialogues, judged in pairs against the baseline's (`pipeline.axis`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

from mplus_eval.audit.differences import Auditor
from mplus_eval.backends import Backend, engine
from mplus_eval.backends.work import Draw
from mplus_eval.conversation.aggregate import aggregate
from mplus_eval.conversation.draws import draw_turns
from mplus_eval.conversation.generate import generate
from mplus_eval.conversation.items import DialogueSet, DialogueTask
from mplus_eval.conversation.pairwise import ModelPair, judge_all
from mplus_eval.conversation.run import ConversationRun
from mplus_eval.errors import SpecError
from mplus_eval.judges import judge_faults, judge_weights, suite_judge_faults
from mplus_eval.judges.chosen import chosen_judges
from mplus_eval.judges.reward import BESIDE, with_reward_model
from mplus_eval.models.cells import Cell, Part, slices
from mplus_eval.models.chat_format import PLAIN_FORMAT, Talker, talk_format
from mplus_eval.models.hub import Preparing
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.records.comparison import ModelEntry
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.conversation import conversation_of
from mplus_eval.spec.judges import ACCEPTED
from mplus_eval.spec.suite import Suite
from mplus_eval.store.outcomes import Answer, Outcome
from mplus_eval.store.run_directory import RunDirectory

PART_DIALOGUES = 80
"""Dialogues of one part: what is lost, at most, when a run is killed."""


@dataclass(frozen=True, eq=False)
class Conversation:
    """The dialogues of a run and who judges them.

    Attributes:
        judges: as they were named, the one that decides first.
        directories: of the models, beside which the judges `referee` and `reward` lie.
    """

    spec: CompareSpec
    suite: Suite
    task: DialogueTask
    judges: tuple[str, ...] = ()
    directories: tuple[Path | None, ...] = ()
    name: ClassVar[str] = "conversation"
    asks_baseline_last: ClassVar[bool] = False

    @classmethod
    def faults(cls, spec: CompareSpec, suite: Suite) -> list[str]:
        """Judges that are not there, and no settings of what was asked for."""
        settings, faults = conversation_of(spec, suite)
        named = [fault for judge in dict.fromkeys(spec.judges) for fault in judge_faults(judge)]
        of_suite = [judge for judge in (settings.judges if settings else ()) if judge not in spec.judges]
        told = [fault for judge in of_suite for fault in suite_judge_faults(judge, spec.tasks_dir)]
        return [*named, *told, *faults]

    @classmethod
    def chats(cls, spec: CompareSpec, suite: Suite) -> bool:
        """Where it is on, always."""
        return conversation_of(spec, suite)[0] is not None

    @classmethod
    def load(cls, spec: CompareSpec, suite: Suite, preparing: Preparing | None) -> tuple[Self | None, list[str]]:
        """Load the dialogues."""
        settings, _ = conversation_of(spec, suite)
        if settings is None:
            return None, []
        try:
            dialogues = DialogueSet.load(
                settings.dialogues, data_dir=spec.data_dir, limit=spec.limit, seed=spec.seed, split=settings.split
            )
        except SpecError as error:
            return None, [f"dialogues: {fault}" for fault in error.faults]
        return cls(spec, suite, DialogueTask(settings, dialogues)), []

    def for_models(self, models: Sequence[ResolvedModel]) -> Self | None:
        """The judges of these models; without a judge there is no conversation, unless it was asked for."""
        if len(models) < 2:
            if self.spec.conversation or self.spec.judges:
                who = "answers are judged against a baseline's, so two models at least are needed"
                raise SpecError([f"conversation: {who}"])
            return None
        directories = tuple(model.location.checkpoint for model in models)
        judges = chosen_judges(self.spec, self.suite, directories)
        if not judges and self.spec.conversation:
            fault = "conversation: no judge is named, and no reward model lies beside a model"
            raise SpecError([f"{fault}; accepted: {ACCEPTED}"])
        with_reward_model(judges, directories)
        return replace(self, judges=judges, directories=directories) if judges else None

    def asked(self) -> Iterator[str]:
        """How many of the dialogues, where that is not all of them; judges of the suite that are not there."""
        settings, _ = conversation_of(self.spec, self.suite)
        for judge in settings.judges if settings else ():
            if judge not in self.judges:
                why = f"no {BESIDE[judge]} of mplus-eval train lies beside a model"
                yield f"{self.task.name}: the suite's judge {judge!r} is left out, since {why}"
        dialogues = self.task.dialogues
        if (n := len(dialogues.dialogues)) < dialogues.n_available:
            yield f"{self.task.name}: {dialogues.n_available:,} dialogues → {n:,} of them"

    def cells(self, model: ResolvedModel) -> tuple[Cell, ...]:
        """One model on the dialogues; saved steps of a training are not asked."""
        if model.spec.trajectory is not None:
            return ()
        components = {
            **model.components,
            "chat format": model.talk_format,
            "dialogues": self.task.dialogues.hash,
            "asked": self.task.generation_key,
            "seed": str(self.spec.seed),
            "engine": engine(model.backend),
        }
        numbers = slices(len(self.task.dialogues.dialogues), PART_DIALOGUES)
        parts = tuple(Part(index, self.task.name, each) for index, each in enumerate(numbers))
        sources = self.task.dialogues.files
        return (Cell(self.name, model, self.task.name, "dialogues", components, parts, sources),)

    def next_round(
        self, cells: Sequence[Cell], number: int, directory: RunDirectory, failures: Mapping[tuple[str, str], str]
    ) -> list[Cell]:
        """Everything is asked at once."""
        return []

    def noise_rerun(self, baseline: ResolvedModel) -> tuple[Cell, ...]:
        """A noise floor is measured on capability alone."""
        return ()

    def cost(self, missing: Sequence[tuple[Cell, Sequence[Part]]]) -> None:
        """Dialogues are few; what a judge costs is said before it is asked."""

    def draw(self, cell: Cell, parts: Sequence[Part], talker: Talker | None) -> Iterator[Draw]:
        """Every turn of some dialogues."""
        own_template = cell.model.talk_format != PLAIN_FORMAT
        yield from draw_turns(self.task, parts, talk_format(talker, own_template=own_template), self.spec.seed)

    def generate(
        self, cell: Cell, parts: Sequence[Part], backend: Backend, on_items: Callable[[int], None]
    ) -> Iterator[tuple[Part, list[Answer]]]:
        """Have the dialogues of each part with the model."""
        for part in parts:
            yield (
                part,
                generate(
                    self.task,
                    part.items,
                    backend,
                    seed=self.spec.seed,
                    own_template=cell.model.talk_format != PLAIN_FORMAT,
                    on_items=on_items,
                ),
            )

    def follow_ups(self, cells: Sequence[Cell], baseline: ResolvedModel, directory: RunDirectory) -> tuple[()]:
        """The baseline is asked nothing about others' answers."""
        return ()

    def score_components(self, cell: Cell) -> None:
        """Dialogues are judged, not scored."""

    def scores_beside(self, cell: Cell, device: str) -> bool:
        """Nothing is scored."""
        return False

    def score(self, cell: Cell, part: Part, answers: Sequence[Answer]) -> list[Outcome]:
        """Never asked for: see `score_components`."""
        raise NotImplementedError("dialogues are judged, not scored")

    def judge(
        self,
        cells: Sequence[Cell],
        directory: RunDirectory,
        prepare: Callable[[str, int, int], None],
        say: Callable[[str], None],
    ) -> Mapping[str, str]:
        """Have every model with answers judged against the baseline, if that has any."""
        fingerprints = {cell.model.spec.name: cell.fingerprint for cell in cells}
        baseline = self.spec.baseline
        pairs = [
            ModelPair(model, baseline, fingerprint, fingerprints[baseline])
            for model, fingerprint in fingerprints.items()
            if baseline in fingerprints and model != baseline
        ]
        sources = with_reward_model(self.judges, self.directories)
        return judge_all(self.task, pairs, sources, directory, seed=self.spec.seed, progress=prepare, say=say)

    def aggregate(
        self,
        directory: RunDirectory,
        models: Mapping[str, ModelEntry],
        failures: Mapping[tuple[str, str], str],
        judges: Mapping[str, str],
    ) -> Mapping[str, object]:
        """The part on conversation, where somebody judged."""
        if not judges:
            return {}
        run = ConversationRun(
            task=self.task,
            judges=judges,
            judge_sources=self.judges,
            judge_weights=[judge_weights(source) for source in with_reward_model(self.judges, self.directories)],
            baseline=self.spec.baseline,
            auditor=Auditor(
                {name: entry for name, entry in models.items() if entry.trajectory is None}, self.spec.allow
            ),
            level=self.suite.level,
            seed=self.spec.seed,
        )
        missing = {model: cause for (model, task), cause in failures.items() if task == self.task.name}
        return {"conversation": aggregate(directory, run, missing)}
