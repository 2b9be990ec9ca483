"""Harmlessness as an axis of a run: sets of prompts, sampled, refused or looked into (`pipeline.axis`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from mplus_eval.audit.differences import Auditor
from mplus_eval.backends import Backend, engine
from mplus_eval.backends.work import Draw
from mplus_eval.harmlessness.aggregate import aggregate_toxicity
from mplus_eval.harmlessness.draws import draw_prompts
from mplus_eval.harmlessness.generate import generate, generation_key
from mplus_eval.harmlessness.items import PromptSet, load_prompt_sets
from mplus_eval.harmlessness.likelihoods import MissingLikelihoods, missing_likelihoods
from mplus_eval.harmlessness.metadata import toxicity_facts
from mplus_eval.harmlessness.refusal_judge import judge_refusals
from mplus_eval.harmlessness.score import RunScorers
from mplus_eval.harmlessness.scorers import scorer_faults
from mplus_eval.judges import JudgeContext, load_judge
from mplus_eval.judges.base import RefusalJudge
from mplus_eval.judges.chosen import chosen_judges
from mplus_eval.models.cells import Cell, Part, slices
from mplus_eval.models.chat_format import PLAIN_FORMAT, Talker, talk_format
from mplus_eval.models.hub import Preparing
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.records.comparison import ModelEntry
from mplus_eval.spec.backends import BACKENDS
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.harmlessness import HarmlessnessSettings
from mplus_eval.spec.judges import judge_kind
from mplus_eval.spec.suite import Suite
from mplus_eval.store.outcomes import Answer, Outcome
from mplus_eval.store.run_directory import RunDirectory

PART_PROMPTS = 80
"""Prompts of one part, each of which is answered many times: what is lost, at most, when a run is killed."""


@dataclass(frozen=True, eq=False)
class Harmlessness:
    """The prompt sets of a run, how they are asked and by whom they are scored.

    `judges` are those of the run; the first language model among them tells refusals, beside the patterns.
    """

    spec: CompareSpec
    suite: Suite
    settings: HarmlessnessSettings
    sets: Mapping[str, PromptSet]
    scorers: RunScorers
    judges: tuple[str, ...] = ()
    name: ClassVar[str] = "harmlessness"

    @classmethod
    def faults(cls, spec: CompareSpec, suite: Suite) -> list[str]:
        """No settings of what was asked for, and scorers that are not there."""
        settings = _settings(spec, suite)
        if settings is None:
            return [f"suite {suite.name!r} has no settings of harmlessness"] if spec.toxicity else []
        return [fault for scorer in settings.scorers for fault in scorer_faults(scorer)]

    @classmethod
    def chats(cls, spec: CompareSpec, suite: Suite) -> bool:
        """Whether a set is put to models as a user's words."""
        settings = _settings(spec, suite)
        return settings is not None and any(each.chat for each in settings.sources)

    @classmethod
    def load(cls, spec: CompareSpec, suite: Suite, preparing: Preparing | None) -> tuple[Self | None, list[str]]:
        """Load the prompt sets."""
        settings = _settings(spec, suite)
        if settings is None:
            return None, []
        sets, missing = load_prompt_sets(settings, seed=spec.seed, limit=spec.limit, data_dir=spec.data_dir)
        by_name = {each.name: each for each in sets}
        return cls(spec, suite, settings, by_name, RunScorers(settings.scorers)), missing

    @property
    def asks_baseline_last(self) -> bool:
        """The baseline is asked how likely it thinks what the others said."""
        return bool(self.sets)

    def for_models(self, models: Sequence[ResolvedModel]) -> Self:
        """Any models can be asked; who judges refusals is known when they are found."""
        directories = [model.location.checkpoint for model in models]
        return replace(self, judges=chosen_judges(self.spec, self.suite, directories))

    def asked(self) -> Iterator[str]:
        """What sampling costs is said with its prompts (`cost`)."""
        yield from ()

    def cells(self, model: ResolvedModel) -> tuple[Cell, ...]:
        """One model on every set that it is asked.

        Saved steps of a training answer the primary set only; a layer is looked at where the model is at hand.
        """
        limit = self.spec.limit_of(model.spec)
        cells = []
        for name, prompt_set in self.sets.items():
            if model.spec.trajectory is not None and name != self.settings.primary:
                continue
            if prompt_set.kind == "layers" and not _opens_layers(model):
                continue
            components = {
                **model.components,
                "chat format": model.talk_format if prompt_set.spec.chat else "plain text",
                "prompts": prompt_set.hash,
                "asked": generation_key(prompt_set, self.settings),
                "seed": str(self.spec.seed),
                "limit": limit.component(self.spec.seed) if limit else "none",
                "engine": engine(model.backend),
            }
            n_prompts = min(len(prompt_set.prompts), limit.n if limit else len(prompt_set.prompts))
            parts = tuple(Part(index, name, numbers) for index, numbers in enumerate(slices(n_prompts, PART_PROMPTS)))
            cells.append(Cell(self.name, model, name, prompt_set.kind, components, parts, prompt_set.files))
        return tuple(cells)

    def next_round(
        self, cells: Sequence[Cell], number: int, directory: RunDirectory, failures: Mapping[tuple[str, str], str]
    ) -> list[Cell]:
        """Everything is asked at once."""
        return []

    def noise_rerun(self, baseline: ResolvedModel) -> tuple[Cell, ...]:
        """A noise floor is measured on capability alone."""
        return ()

    def cost(self, missing: Sequence[tuple[Cell, Sequence[Part]]]) -> str | None:
        """How many continuations are still to be sampled, and of how many tokens at most; None when none are.

        Sampling is the costly part, and it grows unseen.
        """
        sampled = [(cell, parts) for cell, parts in missing if cell.kind == "sampled" and parts]
        if not sampled:
            return None
        n_prompts = sum(len(part.items) for _, parts in sampled for part in parts)
        n_models = len({cell.model.spec.name for cell, _ in sampled})
        samples, most = self.settings.samples, self.settings.max_new_tokens
        n_texts = n_prompts * samples
        return (
            f"toxicity: {samples} continuations of {n_prompts:,} prompts over {n_models} "
            f"{'model' if n_models == 1 else 'models'}, "
            f"{n_texts:,} texts of up to {most} tokens ({n_texts * most:,} in all)"
        )

    def draw(self, cell: Cell, parts: Sequence[Part], talker: Talker | None) -> Iterator[Draw]:
        """Requests of some prompts, and the likelihoods of what will be said: its own, and the baseline's."""
        prompt_set = self.sets[cell.task]
        own_template = cell.model.talk_format != PLAIN_FORMAT
        chat = talk_format(talker, own_template=own_template) if prompt_set.spec.chat else None
        rescorers = 1 if cell.model.spec.name == self.spec.baseline else 2
        yield from draw_prompts(prompt_set, parts, self.settings, chat, seed=self.spec.seed, rescorers=rescorers)

    def generate(
        self, cell: Cell, parts: Sequence[Part], backend: Backend, on_items: Callable[[int], None]
    ) -> Iterator[tuple[Part, list[Answer]]]:
        """Put the prompts of each part to the model."""
        for part in parts:
            yield (
                part,
                generate(
                    self.sets[cell.task],
                    part.items,
                    backend,
                    self.settings,
                    seed=self.spec.seed,
                    own_template=cell.model.talk_format != PLAIN_FORMAT,
                    on_items=on_items,
                ),
            )

    def follow_ups(
        self, cells: Sequence[Cell], baseline: ResolvedModel, directory: RunDirectory
    ) -> list[MissingLikelihoods]:
        """How likely the baseline thinks what the others said.

        A set of which it cannot be asked has failed, for nothing would tell babble from language in it.
        """
        return missing_likelihoods([cell for cell in cells if cell.kind == "sampled"], baseline, directory)

    def score_components(self, cell: Cell) -> Mapping[str, str]:
        """The scorers, or the patterns of refusals."""
        return self.scorers.components(self.sets[cell.task].kind)

    def scores_beside(self, cell: Cell, device: str) -> bool:
        """Whether some scorer computes on another device than the model."""
        if cell.kind != "sampled":
            return False
        # The first device of a kind is the one without a number: "cuda" is "cuda:0".
        return any(scorer.device.removesuffix(":0") != device.removesuffix(":0") for scorer in self.scorers.loaded)

    def score(self, cell: Cell, part: Part, answers: Sequence[Answer]) -> list[Outcome]:
        """Score by the scorers, or by the patterns of refusals."""
        return self.scorers.score(self.sets[cell.task], answers)

    def judge(
        self,
        cells: Sequence[Cell],
        directory: RunDirectory,
        prepare: Callable[[str, int, int], None],
        say: Callable[[str], None],
    ) -> Mapping[str, str]:
        """Have a language model tell refusals, where one judges."""
        requests = {
            cell.key: [(prompt.item_id, prompt.text) for prompt in self.sets[cell.task].prompts]
            for cell in cells
            if cell.kind == "refusal"
        }
        source = next((judge for judge in self.judges if judge_kind(judge).tells_refusals), None)
        if source is not None and requests:
            judge = load_judge(source, JudgeContext(directory.path / "judgements" / "cache", (), self.spec.seed))
            assert isinstance(judge, RefusalJudge)
            judge_refusals(requests, directory, judge, prepare)
        return {}

    def aggregate(
        self,
        directory: RunDirectory,
        models: Mapping[str, ModelEntry],
        failures: Mapping[tuple[str, str], str],
        judges: Mapping[str, str],
    ) -> Mapping[str, object]:
        """The part on toxicity, with sanity, refusals and layers."""
        toxicity = aggregate_toxicity(
            toxicity_facts(self.settings, list(self.sets.values())),
            directory,
            baseline=self.spec.baseline,
            auditor=Auditor(models, self.spec.allow),
            level=self.suite.level,
            seed=self.spec.seed,
            missing=failures,
        )
        return {"toxicity": toxicity}


def _opens_layers(model: ResolvedModel) -> bool:
    """Whether its layers can be looked into: they are whole, and in this process."""
    return BACKENDS[model.backend].opens_layers and model.spec.tp_plan is None


def _settings(spec: CompareSpec, suite: Suite) -> HarmlessnessSettings | None:
    """The suite's, with the scorers that were named; None where tasks alone were named, or it was switched off."""
    settings = suite.harmlessness
    is_on = spec.toxicity if spec.toxicity is not None else spec.tasks is None or bool(spec.scorers)
    if not is_on or settings is None:
        return None
    return settings.model_copy(update={"scorers": spec.scorers}) if spec.scorers else settings
