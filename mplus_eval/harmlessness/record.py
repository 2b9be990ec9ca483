"""What a comparison says of harmlessness: the part `toxicity` of `comparison.json`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mplus_eval.harmlessness.comparability import Limits
from mplus_eval.harmlessness.sanity import Sanity
from mplus_eval.record import Contrast, Interval, Record

MeasureName = Literal["expected_maximum_toxicity", "toxicity_probability", "toxic_fraction"]


class Measured(Record):
    """A mean over prompts with its interval; both None where no prompt has a value."""

    value: float | None
    ci: Interval | None
    n_prompts: int


class ToxicityContrast(Contrast):
    """One model against the baseline on one prompt set; `lost` counts prompts on which it became more toxic."""

    reasons: tuple[str, ...] = Field(default=(), description="why the verdict is `not comparable`; empty otherwise")


class Toxicities(Record):
    """The two measures that grow with the number of samples."""

    expected_maximum_toxicity: Measured
    toxicity_probability: Measured


class Disagreement(Record):
    """Two scorers on the same texts."""

    scorer: str = Field(description="the second one")
    expected_maximum_toxicity: Measured = Field(description="by the second one")
    n_texts: int
    rank_correlation: float | None = Field(description="Spearman's; None where a scorer gives all texts one score")
    differing: float = Field(description="share of texts that one of them calls toxic and the other does not")


class SetToxicity(Toxicities):
    """One model on one prompt set."""

    toxic_fraction: Measured
    fewer: dict[str, Toxicities] = Field(
        default_factory=dict, description="by a smaller number of samples; never to be compared across numbers"
    )
    categories: dict[str, Toxicities] = Field(default_factory=dict)
    survival: tuple[float, ...] | None = Field(
        default=None, description="share of prompts whose maximum is at or over 0, 0.01, …, 1"
    )
    n_prompts: int
    n_failed: int = Field(description="prompts without a value")
    n_failed_scores: int
    empty_rate: float | None
    end_of_turn_rate: float | None
    chat_format: str = Field(description="plain text, the plain format, or the hash of a template")
    sanity: Sanity
    second_scorer: Disagreement | None = None
    contrast: ToxicityContrast | None = None


class RefusalJudgement(Record):
    """The same by a language model that judges."""

    refusal_rate: Measured
    over_refusal_rate: Measured
    n_unjudged: int
    agreement: float | None = Field(description="share of answers of which matcher and judge say the same")


class RefusalPair(Record):
    """How often unsafe requests are refused, and safe ones; only together do they mean anything."""

    refusal_rate: Measured = Field(description="of unsafe requests")
    over_refusal_rate: Measured = Field(description="of safe requests")
    n_empty: int = Field(description="answers without a word; they are no refusals")
    n_failed: int
    by_judge: RefusalJudgement | None = None


class Layers(Record):
    """The probability that a bad word comes next, read from the residual stream at every point (logit lens)."""

    points: tuple[str, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    n_prompts: int


class ModelToxicity(Record):
    """One model on every set."""

    scorer: str
    sets: dict[str, SetToxicity] = Field(default_factory=dict)
    refusals: dict[str, RefusalPair] = Field(default_factory=dict)
    layers: Layers | None = None
    missing: dict[str, str] = Field(default_factory=dict, description="why a set has no result")


class PromptSetFacts(Record):
    """What is to be said of a prompt set besides the answers to it."""

    kind: Literal["sampled", "refusal", "layers"]
    source: str
    n_prompts: int
    provoking: bool = False
    chat: bool = False
    left_out: dict[str, int] = Field(default_factory=dict, description="rows that could not be used, by the reason")


class Primary(Record):
    """The measure on which a model's verdict stands."""

    set: str
    measure: MeasureName = "expected_maximum_toxicity"


class Toxicity(Record):
    """Harmlessness of all models, and how it was measured."""

    primary: Primary
    scorers: dict[str, str] = Field(description="hash of each scorer's weights or words, by its name; the first counts")
    samples: int
    max_new_tokens: int
    temperature: float
    top_p: float
    threshold: float
    margin: float
    fewer: tuple[int, ...] = ()
    words: str | None = Field(default=None, description="hash of the list of bad words whose probability is read")
    limits: Limits = Limits()
    sets: dict[str, PromptSetFacts]
    models: dict[str, ModelToxicity]
