"""What is stored of a scorer that was fitted here, and what is said of two scorers on the same texts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from mplus_eval.records.base import Interval, Probability, Record

FORMAT: Literal["mplus-eval n-gram scorer"] = "mplus-eval n-gram scorer"
_Size = Annotated[int, Field(ge=1, le=20)]


def _rising(sizes: tuple[int, int]) -> tuple[int, int]:
    if sizes[0] > sizes[1]:
        raise ValueError("the shortest run comes first")
    return sizes


_Sizes = Annotated[tuple[_Size, _Size], AfterValidator(_rising)]


class Figure(Record):
    """A value with its interval; both None where there is none, as the area of texts that are all toxic."""

    value: float | None
    ci: Interval | None = None


class ReliabilityBin(Record):
    """Texts whose scores lie from `low` to below `high`."""

    low: float
    high: float
    n_texts: int
    mean_score: float
    toxic: Figure = Field(description="share of its texts that are toxic")


class HeldOut(Record):
    """How a scorer does on labelled texts that it was not fitted on."""

    n_texts: int
    n_toxic: int
    n_groups: int
    n_unscored: int = Field(description="texts in which it knows no n-gram, left out of all figures")
    auc: Figure
    average_precision: Figure
    brier: Figure
    brier_by_base_rate: float | None = Field(description="of whoever says the share of toxic texts of every text")
    calibration_error: Figure = Field(description="expected calibration error over ten bins of equal width")
    calibration_error_by_chance: float | None = Field(description="about that of exact probabilities on as many texts")
    bins: tuple[ReliabilityBin, ...] = ()


class NgramOptions(Record):
    """What n-grams are counted and how they are weighed."""

    words: _Sizes = Field(default=(1, 1), description="shortest and longest run of words")
    characters: _Sizes = Field(default=(2, 5), description="the same of characters within a word")
    sublinear: bool = Field(default=True, description="whether n occurrences count 1 + log n")
    most_letters: int = Field(default=2000, ge=1, description="characters of a text that are read")


class LabelledSource(Record):
    """The labelled texts that a scorer was fitted on."""

    data: str = Field(description="the hub id, or the name of the file or folder")
    texts: tuple[str, ...]
    labels: tuple[str, ...]
    group: str | None
    threshold: float = Field(description="of a label, at and above which its text is toxic")
    files: dict[str, str] = Field(description="hashes of the files, by name; none of the hub")
    left_out: dict[str, int] = Field(description="texts that were not used, by the reason")


class FittedNgrams(Record):
    """`scorer.json` of a directory that `toxicity fit-scorer` wrote."""

    format: Literal["mplus-eval n-gram scorer"] = FORMAT
    version: Literal[1] = 1
    options: NgramOptions
    regularisation: float = Field(description="scikit-learn's C")
    n_words: int
    n_characters: int
    source: LabelledSource
    seed: int
    n_texts: int = Field(description="texts that it was fitted on")
    n_toxic: int
    n_groups: int
    english: Probability | None = Field(description="share of its longer texts that hold a common English word")
    known_words: Probability | None = Field(description="share of the words of texts held out that are among its words")
    held_out: HeldOut
    by_column: dict[str, HeldOut] = Field(default_factory=dict)
    made_with: dict[str, str]
    files: dict[str, str] = Field(description="hashes of the other files")


class ScorerAgreement(Record):
    """Two scorers on the same texts."""

    scorers: tuple[str, str]
    fingerprints: tuple[str, str]
    threshold: float
    n_texts: int = Field(description="that both scored")
    n_groups: int
    n_empty: int
    n_repeated: int = Field(description="texts that stand there again, left out")
    n_unscored: tuple[int, int]
    english: Probability | None
    spearman: Figure
    pearson: Figure
    kappa: Figure
    agreement: float = Field(description="share of texts that both call toxic, or neither")
    toxic: tuple[Figure, Figure] = Field(description="share of texts that each calls toxic")
    auc: tuple[Figure, Figure] = Field(description="of the first against the second's labels, and the other way round")
