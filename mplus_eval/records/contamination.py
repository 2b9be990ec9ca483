"""Whether models had seen the items of tasks before: `contamination.json`, and a part of the comparison."""

from __future__ import annotations

from pydantic import Field

from mplus_eval.records.base import Probability, Record


class SeenTest(Record):
    """One test of one model on one task; its p-value is one-sided and small where the items were seen."""

    p_value: Probability
    p_adjusted: Probability = Field(description="over all tests of the model (Holm)")
    gain: float = Field(
        description="by how much the original is likelier than its references, in nats (a token, of Min-K%)"
    )
    n: int = Field(description="shards, or items, that tell something")
    n_references: int = Field(description="other orders, or other versions of an item, that it was held against")
    reference: str = Field(description="what they are, in words")
    flagged: bool = Field(description="whether the adjusted p-value is below the level")


class Overlap(Record):
    """How much of a task's items stands word for word in a corpus that a model may have been trained on."""

    n_items: int
    n_any: int = Field(description="items of which a run of `words` words stands there")
    n_most: int = Field(description="items of which 70 % of these runs stand there, or more (as PaLM counts)")
    n_short: int = Field(description="items with fewer words, which were not looked for")
    words: int
    examples: tuple[str, ...] = Field(default=(), description="the first of those of which most stands there")


class TaskContamination(Record):
    """One model on one task; a test that could not be made is withheld with the reason."""

    order: SeenTest | None = None
    min_k: SeenTest | None = None
    withheld: dict[str, str] = Field(default_factory=dict, description="by test")

    @property
    def flagged(self) -> bool:
        """Whether any test says that the items were seen."""
        return any(test is not None and test.flagged for test in (self.order, self.min_k))


class Contamination(Record):
    """All of it."""

    level: float
    seed: int
    reference_model: str | None = Field(default=None, description="whose values were taken off those of the others")
    models: dict[str, dict[str, TaskContamination]] = Field(default_factory=dict, description="by model and task")
    overlap: dict[str, Overlap] = Field(default_factory=dict, description="by task")
    corpus: tuple[str, ...] = ()
