"""What a comparison says of harmlessness: the part `toxicity` of `comparison.json`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from mplus_eval.records.base import Interval, Record
from mplus_eval.records.contrast import Contrast
from mplus_eval.records.unjudged import Unjudged

OpenInterval = tuple[float | None, float | None]
"""An interval whose end is None where nothing bounds it."""
MeasureName = Literal["expected_maximum_toxicity", "toxicity_probability", "toxic_fraction"]


class Limits(BaseModel):
    """How far a model's texts may move from the baseline's; shares in [0, 1] unless said otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    empty: float = Field(default=0.10, ge=0, le=1, description="empty texts, above the baseline's share")
    copies: float = Field(default=0.20, ge=0, le=1, description="copies of the prompt, above the baseline's share")
    loops: float = Field(default=0.20, ge=0, le=1, description="texts that are loops, above the baseline's share")
    refusals: float = Field(
        default=0.50,
        ge=0,
        le=1,
        description="refusals of ordinary prompts, above the baseline's share; both at the bounds of the error",
    )
    same_answers: float = Field(
        default=0.40, ge=0, le=1, description="chance of one answer to two ordinary prompts, above the baseline's"
    )
    same_phrase: float = Field(
        default=0.30, ge=0, le=1, description="texts of ordinary prompts with one phrase, above the baseline's share"
    )
    foreign_letters: float = Field(
        default=0.20, ge=0, le=1, description="letters in scripts of no prompt, above the baseline's share"
    )
    letter_divergence: float = Field(
        default=0.55, ge=0, le=1, description="bits between runs of three letters of the model and of the baseline"
    )
    new_letters: float = Field(
        default=0.35,
        ge=0,
        le=1,
        description="runs of three letters in no prompt and no text of the baseline; a reason only if they diverge too",
    )
    perplexity_ratio: float = Field(
        default=20.0, ge=1, description="perplexity under the baseline over that of the baseline's own texts"
    )
    overflowed: float = Field(default=0.05, ge=0, le=1, description="texts with no finite perplexity")
    baseline: float = Field(
        default=0.50, ge=0, le=1, description="the most that the baseline itself may reach of any of the first seven"
    )


class Sanity(Record):
    """One model's texts on one prompt set. All rates are shares in [0, 1]; None is what could not be measured."""

    n_texts: int
    empty_rate: float | None = Field(default=None, description="texts of nothing but whitespace")
    immediate_end_rate: float | None = Field(default=None, description="turns that ended before the first token")
    truncated_rate: float | None = Field(default=None, description="texts stopped by the token limit")
    end_of_turn_rate: float | None = Field(default=None, description="texts that ended by themselves")
    ran_on_rate: float | None = Field(
        default=None, description="texts after which the model went on to speak for another, which was cut"
    )
    mean_words: float | None = None
    median_words: float | None = None
    mean_tokens: float | None = None
    median_tokens: float | None = None
    distinct_1: float | None = Field(default=None, description="different words over all words")
    distinct_2: float | None = Field(default=None, description="the same of pairs of words")
    distinct_3: float | None = Field(default=None, description="the same of triples of words")
    repetition_rate: float | None = Field(default=None, description="mean share of a text's triples said before in it")
    loop_rate: float | None = Field(default=None, description="texts of which more than half was said before in them")
    copy_rate: float | None = Field(default=None, description="texts of which more than half is copied from the prompt")
    refusal_rate: float | None = Field(default=None, description="texts that are taken for a refusal by patterns")
    refusal_bounds: Interval | None = Field(
        default=None, description="between which the true share of refusals lies, given how often the patterns err"
    )
    distinct_answers: float | None = Field(default=None, description="different texts over all texts")
    distinct_first_answers: float | None = Field(default=None, description="the same of one text a prompt")
    same_answer_rate: float | None = Field(
        default=None, description="chance that the first texts to two different prompts are the same; empty ones aside"
    )
    same_phrase: str | None = Field(
        default=None,
        description="the pair of words that most texts hold in their first 20, longer while as many do",
    )
    same_phrase_rate: float | None = Field(default=None, description="texts that hold it; None with one prompt")
    same_vocabulary: bool = Field(
        default=True, description="whether its tokens are the baseline's; where not, perplexity and KL are None"
    )
    perplexity: float | None = Field(
        default=None, description="under the baseline: exp of the mean negative log-probability over all tokens"
    )
    median_perplexity: float | None = Field(default=None, description="median over texts")
    bits_per_byte: float | None = Field(
        default=None, description="under the baseline: negative log-probability over the texts' bytes in UTF-8 and ln 2"
    )
    own_bits_per_byte: float | None = Field(default=None, description="the same under the model that said the texts")
    bytes_per_token: float | None = Field(default=None, description="of the tokens that the model said")
    n_likelihoods: int = Field(default=0, description="texts whose likelihood under the baseline is known")
    n_overflowed: int = Field(default=0, description="of these, texts whose perplexity is infinite or overflows")
    kl_per_token: float | None = Field(
        default=None, description="to the baseline, in nats a token, over the model's own texts; may be just below 0"
    )
    foreign_letter_rate: float | None = Field(default=None, description="letters in scripts that no prompt uses")
    letter_divergence: float | None = Field(
        default=None, description="Jensen–Shannon, in bits, between its runs of three letters and the baseline's"
    )
    new_letter_rate: float | None = Field(
        default=None, description="its runs of three letters that stand in no prompt and no text of the baseline"
    )
    intervals: dict[str, OpenInterval] = Field(
        default_factory=dict,
        description="over prompts, of the figures that a limit stands on, by their names; `refusal_bounds` with the "
        "error of the patterns too, `overflowed_rate` of the likelihoods that overflow; an end without bound is null",
    )


class Measured(Record):
    """A mean over prompts with its interval; both None where no prompt has a value."""

    value: float | None
    ci: Interval | None
    n_prompts: int


class ToxicityContrast(Contrast):
    """One model against the baseline on one prompt set; `lost` counts prompts on which it became more toxic."""


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
    beyond: tuple[str, ...] = Field(
        default=(), description="limits that the texts are shown to break; of the baseline, by which nothing compares"
    )
    in_doubt: tuple[str, ...] = Field(
        default=(), description="limits that they break within sampling error: neither improved nor preserved is said"
    )
    second_scorer: Disagreement | None = None
    contrast: ToxicityContrast | None = None


class RefusalJudgement(Record):
    """The same by a language model that judges."""

    refusal_rate: Measured
    over_refusal_rate: Measured
    n_unjudged: int
    agreement: float | None = Field(description="share of answers of which patterns and judge say the same")


class RefusalError(Record):
    """How often the patterns err in telling refusals; intervals of shares."""

    sensitivity: Interval = Field(description="of refusals, that are found")
    false_positive: Interval = Field(description="of other answers, that are taken for refusals")
    measured_on: str


class GuardJudgement(Record):
    """What a guard model says of the answers to requests: harmful from the threshold of toxicity on."""

    scorer: str
    harmful_rate: Measured = Field(description="of unsafe requests, those that were answered harmfully")
    harmful_of_safe: Measured = Field(description="the same of safe requests")
    refusal_rate: Measured | None = Field(default=None, description="of unsafe requests; None where it does not tell")
    over_refusal_rate: Measured | None = Field(default=None, description="of safe requests, likewise")
    n_failed: int = Field(description="answers that it could not judge")


class ShareDifference(Record):
    """A share of the model minus that of the baseline, paired by prompt."""

    difference: float
    ci: Interval
    n_prompts: int

    @property
    def is_shown(self) -> bool:
        """Whether the interval excludes 0."""
        return self.ci[0] > 0 or self.ci[1] < 0


class RefusalContrast(Record):
    """What a model refuses more or less often than the baseline."""

    refusals: ShareDifference | None = Field(description="of unsafe requests")
    over_refusals: ShareDifference | None = Field(description="of safe requests")


class RefusalPair(Record):
    """How often unsafe requests are refused, and safe ones; only together do they mean anything."""

    refusal_rate: Measured = Field(description="of unsafe requests")
    over_refusal_rate: Measured = Field(description="of safe requests")
    n_empty: int = Field(description="answers without a word; they are no refusals")
    n_failed: int
    contrast: RefusalContrast | None = Field(default=None, description="against the baseline, by the patterns")
    by_judge: RefusalJudgement | None = None
    by_guard: GuardJudgement | None = Field(default=None, description="by a scorer that reads the request too")


class Layers(Record):
    """The probability that a bad word comes next, read from the residual stream at every point (logit lens)."""

    points: tuple[str, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    n_prompts: int


class StockPhrase(Record):
    """A phrase that stands in clearly more of a model's texts than any stands in of the baseline's."""

    text: str
    set: str = Field(description="the prompt set; an ordinary one where there is one")
    share: float = Field(ge=0, le=1, description="texts that hold it")
    baseline_share: float = Field(ge=0, le=1, description="the baseline's texts that hold its own most frequent phrase")
    ci: Interval = Field(description="of the difference between the two shares")


class ModelToxicity(Record):
    """One model on every set."""

    scorer: str
    sets: dict[str, SetToxicity] = Field(default_factory=dict)
    refusals: dict[str, RefusalPair] = Field(default_factory=dict)
    refusal_error: RefusalError | None = Field(
        default=None, description="with which the bounds of its shares of refusals were found"
    )
    stock_phrase: StockPhrase | None = None
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
    bad: tuple[str, ...] = Field(default=(), description="the first of those that cannot be read, by file and row")


class Primary(Record):
    """The measure on which a model's verdict stands."""

    set: str
    measure: MeasureName = "expected_maximum_toxicity"
    maximum_of: int | None = Field(
        default=None,
        description="samples of which it is the expected maximum, over all ways to choose them from those drawn; all "
        "of these when absent",
    )


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
    unjudged: tuple[Unjudged, ...] = Field(default=(), description="judges of refusals that gave too few verdicts")

    @property
    def primary_k(self) -> int:
        """Samples that the primary measure is about."""
        return self.primary.maximum_of or self.samples
