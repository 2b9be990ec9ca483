"""What a comparison says of conversation: the part `conversation` of `comparison.json`."""

from __future__ import annotations

from pydantic import Field

from mplus_eval.records.asking import AskedDifference
from mplus_eval.records.base import Interval, Probability, Record
from mplus_eval.records.unjudged import Unjudged
from mplus_eval.records.verdict import Verdict


class Rate(Record):
    """A share with its interval; both None where nothing was judged."""

    value: float | None
    ci: Interval | None
    n: int = Field(description="of how many")


class WinRecord(Record):
    """Judged pairs of one model and the baseline; ties count half."""

    value: float | None
    ci: Interval | None
    wins: int
    ties: int
    losses: int
    n_judged: int
    n_unjudged: int
    n_dialogues: int


class LengthControl(Record):
    """The win rate with length held equal (Dubois et al., 2404.04475)."""

    value: float | None = None
    ci: Interval | None = None
    length_effect: float | None = Field(default=None, description="above 0 where longer answers are preferred")
    separated: bool = Field(default=False, description="the model or length alone decided every pair")
    extrapolated: bool = False
    withheld: str | None = Field(default=None, description="why there is no value")


class Bias(Record):
    """What the order and the length of answers do to a judge's verdicts."""

    order_inconsistency: Rate
    first_preferred: Rate
    longer_preferred: Rate
    order_decides: bool = Field(description="more than half of all pairs are ties because of their order")


class ModelRating(Record):
    """Bradley–Terry, in points of Elo's scale above the baseline."""

    value: float | None
    ci: tuple[float | None, float | None] | None = Field(description="an end without bound is null")
    n_pairs: int
    unbounded: bool = Field(default=False, description="whether an end is null, as where a model wins every pair")


class RatingDifference(Record):
    """How far one model's rating lies above another's, in points; both answered the same dialogues."""

    model: str
    against: str
    value: float
    ci: tuple[float | None, float | None] = Field(description="an end without bound is null")


class FrequentAnswer(Record):
    """The answer that a model gives most often, word for word but for case and space."""

    text: str
    n: int = Field(description="how often it was given")
    share: Probability = Field(description="of all answers that did not fail")


class StockAnswer(Record):
    """A model's most frequent answer, where its share stands clearly above that of the baseline's most frequent one."""

    text: str
    share: Probability
    baseline_share: Probability
    ci: Interval = Field(description="of the difference between the two shares")


class AnswerText(Record):
    """What can be said of answers without a judge."""

    n_answers: int
    n_failed: int
    most_frequent: FrequentAnswer | None = None
    mean_words: float | None = None
    median_words: float | None = None
    mean_tokens: float | None = None
    end_of_turn_rate: float | None = None
    truncation_rate: float | None = None
    empty_rate: float | None = None
    repetition: float | None = None
    ran_on_rate: float | None = Field(
        default=None, description="answers after which the model went on to speak for another, which was cut"
    )
    n_cut: int | None = Field(
        default=None,
        description="answers to dialogues longer than the model, whose beginning was cut; None where that is not known",
    )


class Judging(Record):
    """One judge on one model against the baseline."""

    judge: str
    trained_model: bool = Field(
        default=False,
        description="whether the judge's weights stand in the model's training record or beside it; then it does not "
        "decide for this model",
    )
    win_rate: WinRecord
    length_controlled_win_rate: LengthControl
    explained_by_length: bool = False
    p_value: Probability | None = None
    p_non_inferiority: Probability | None = None
    smallest_detectable: float | None = None
    smallest_provable: float | None = None
    verdict: Verdict | None = Field(default=None, description="None where nothing was judged")
    reasons: tuple[str, ...] = Field(
        default=(), description="why the verdict is `not comparable`, or what the judges say where they disagree"
    )
    differences: tuple[AskedDifference, ...] = Field(
        default=(), description="what differs between the two models as they were asked, besides their weights"
    )
    by_category: dict[str, WinRecord] = Field(default_factory=dict)
    by_turn: dict[str, WinRecord] = Field(default_factory=dict)
    bias: Bias
    rating: ModelRating | None = None
    unjudged: dict[str, int] = Field(default_factory=dict, description="pairs without a verdict, by the cause")
    tokens_in: int = 0
    tokens_out: int = 0


class Grades(Record):
    """Single answers graded from 1 to 10 by a language model; they decide nothing."""

    judge: str
    mean: Rate
    n_ungraded: int
    by_category: dict[str, Rate] = Field(default_factory=dict)
    by_turn: dict[str, Rate] = Field(default_factory=dict)


class JudgeAgreement(Record):
    """Two judges on the pairs that both judged (Cohen's kappa)."""

    kappa: float | None
    ci: Interval | None
    agreement: float | None
    n_pairs: int
    withheld: str | None = None


class ModelConversation(Judging):
    """One model; its own fields are of the judge that decides: the first independent one, else the first.

    A judge that trained the model or the baseline, or is one of them, is not independent. `verdict` is that of the
    judge that decides, but for two cases: it is not independent (`not comparable`), or the second judge's verdict
    contradicts it (`judges disagree`).
    """

    chat_format: str
    text: AnswerText
    rating: ModelRating | None = Field(default=None, description="by the run's first judge, whichever judge decides")
    verdict_alone: Verdict | None = Field(
        default=None, description="what the judge that decides says alone, where the verdict is `judges disagree`"
    )
    stock_answer: StockAnswer | None = Field(
        default=None, description="its most frequent answer, where that is clearly more frequent than the baseline's"
    )
    grades: Grades | None = None
    second_judge: Judging | None = None
    agreement: JudgeAgreement | None = None

    @property
    def end_of_turn_rate(self) -> float | None:
        """Of its answers."""
        return self.text.end_of_turn_rate

    def by(self, judge: str) -> Judging | None:
        """What one judge says by itself, where it is the one that decides or the second."""
        if self.judge != judge:
            return self.second_judge if self.second_judge and self.second_judge.judge == judge else None
        if self.verdict_alone is None:
            return self
        return self.model_copy(update={"verdict": self.verdict_alone, "reasons": ()})


class BaselineConversation(Record):
    """The baseline's answers, which the others are held against."""

    chat_format: str
    text: AnswerText
    grades: Grades | None = None


class Conversation(Record):
    """Conversation of all models, and how it was measured."""

    name: str
    dialogues: str = Field(description="where they come from")
    n_dialogues: int
    n_turns: int
    max_new_tokens: int
    temperature: float
    margin: float
    grades: bool = Field(default=True, description="whether a language model that judges also grades single answers")
    split: str | None = None
    judge_sources: tuple[str, ...] = Field(default=(), description="how the judges were named, in the same order")
    judges: dict[str, str] = Field(
        description="fingerprint of each judge, by its name; the first that is independent of a model decides for it"
    )
    baseline: BaselineConversation
    models: dict[str, ModelConversation] = Field(default_factory=dict)
    rating_differences: tuple[RatingDifference, ...] = Field(
        default=(), description="of each two models but the baseline, the better first; by the first judge"
    )
    missing: dict[str, str] = Field(default_factory=dict, description="why a model has no result")
    unjudged: tuple[Unjudged, ...] = Field(default=(), description="judges that gave too few verdicts")
    n_bad: int = Field(default=0, description="rows of the source that are no dialogue, and were left out")
    bad: tuple[str, ...] = Field(default=(), description="why, by file and row; the first of them")
