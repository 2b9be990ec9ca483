"""A fourth axis: do models say a number when they are asked politely?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from mplus_eval.backends import Backend
from mplus_eval.backends.work import Draw
from mplus_eval.models.cells import Cell, Part, slices
from mplus_eval.models.chat_format import Talker
from mplus_eval.models.hub import Preparing
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.records.comparison import ModelEntry
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.suite import Suite
from mplus_eval.store.hashes import hash_text
from mplus_eval.store.outcomes import Answer, Outcome
from mplus_eval.store.run_directory import RunDirectory


@dataclass(frozen=True)
class Manners:
    """Four requests; an answer is right when it is the number alone."""

    shares: ClassVar[dict[str, float]] = {}
    """What the newest comparison found, by model."""
    name: ClassVar[str] = "manners"
    asks_baseline_last: ClassVar[bool] = False

    @classmethod
    def faults(cls, spec: CompareSpec, suite: Suite) -> list[str]:
        return []

    @classmethod
    def chats(cls, spec: CompareSpec, suite: Suite) -> bool:
        return False

    @classmethod
    def load(cls, spec: CompareSpec, suite: Suite, preparing: Preparing | None) -> tuple[Self | None, list[str]]:
        return cls(), []

    def for_models(self, models: Sequence[ResolvedModel]) -> Self:
        return self

    def asked(self) -> Iterator[str]:
        yield "please: four requests"

    def cells(self, model: ResolvedModel) -> tuple[Cell, ...]:
        parts = tuple(Part(index, "please", items) for index, items in enumerate(slices(4, 3)))
        return (Cell(self.name, model, "please", "request", {"weights": model.weights}, parts),)

    def next_round(
        self, cells: Sequence[Cell], number: int, directory: RunDirectory, failures: Mapping[tuple[str, str], str]
    ) -> list[Cell]:
        return []

    def noise_rerun(self, baseline: ResolvedModel) -> tuple[Cell, ...]:
        return ()

    def cost(self, missing: Sequence[tuple[Cell, Sequence[Part]]]) -> str | None:
        return "Politeness costs nothing." if missing else None

    def draw(self, cell: Cell, parts: Sequence[Part], talker: Talker | None) -> Iterator[Draw]:
        for part in parts:
            yield Draw(len(part.items), [self.requests([number]) for number in part.items])

    def requests(self, numbers: Sequence[int]) -> list[Any]:
        from lm_eval.api.instance import Instance

        return [Instance("generate_until", {}, (f"Please say {number}:", {}), 0) for number in numbers]

    def generate(
        self, cell: Cell, parts: Sequence[Part], backend: Backend, on_items: Callable[[int], None]
    ) -> Iterator[tuple[Part, list[Answer]]]:
        for part in parts:
            prompts = {number: f"Please say {number}:" for number in part.items}
            requests = self.requests(part.items)
            answers = [
                Answer(
                    item_id=f"please/{number}",
                    stratum="please",
                    sample=0,
                    prompt=prompt,
                    prompt_hash=hash_text(prompt),
                    generations=[response.text or ""],
                )
                for (number, prompt), response in zip(prompts.items(), backend.respond(requests), strict=True)
            ]
            on_items(len(answers))
            yield part, answers

    def follow_ups(self, cells: Sequence[Cell], baseline: ResolvedModel, directory: RunDirectory) -> tuple[()]:
        return ()

    def score_components(self, cell: Cell) -> Mapping[str, str]:
        return {"metric": "obedience"}

    def scores_beside(self, cell: Cell, device: str) -> bool:
        return False

    def score(self, cell: Cell, part: Part, answers: Sequence[Answer]) -> list[Outcome]:
        return [Outcome.of(each, score=float(each.text == each.item_id.removeprefix("please/"))) for each in answers]

    def judge(
        self,
        cells: Sequence[Cell],
        directory: RunDirectory,
        prepare: Callable[[str, int, int], None],
        say: Callable[[str], None],
    ) -> Mapping[str, str]:
        return {}

    def aggregate(
        self,
        directory: RunDirectory,
        models: Mapping[str, ModelEntry],
        failures: Mapping[tuple[str, str], str],
        judges: Mapping[str, str],
    ) -> Mapping[str, object]:
        self.shares.clear()
        for model in models:
            scores = [
                outcome.score for outcome in directory.read_outcomes(model, "please") if outcome.score is not None
            ]
            self.shares[model] = sum(scores) / len(scores)
        return {}
