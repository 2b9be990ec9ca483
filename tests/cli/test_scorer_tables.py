from __future__ import annotations

from pathlib import Path

from mplus_eval.cli.scorer_tables import agreement_lines, fitted_lines
from mplus_eval.records.scorer import (
    Figure,
    FittedNgrams,
    HeldOut,
    LabelledSource,
    NgramOptions,
    ReliabilityBin,
    ScorerAgreement,
)

HELD_OUT = HeldOut(
    n_texts=951,
    n_toxic=411,
    n_groups=478,
    n_unscored=2,
    auc=Figure(value=0.9282, ci=(0.909, 0.944)),
    average_precision=Figure(value=0.93),
    brier=Figure(value=0.099, ci=(0.086, 0.113)),
    brier_by_base_rate=0.245,
    calibration_error=Figure(value=0.03),
    calibration_error_by_chance=0.025,
    bins=(ReliabilityBin(low=0.0, high=0.1, n_texts=289, mean_score=0.042, toxic=Figure(value=0.06, ci=(0.04, 0.09))),),
)
FITTED = FittedNgrams(
    options=NgramOptions(),
    regularisation=10.0,
    n_words=7046,
    n_characters=30863,
    source=LabelledSource(
        data="mine.csv", texts=("a", "b"), labels=("x", "y"), group=None, threshold=0.5, files={},
        left_out={"without a label": 19},
    ),
    seed=0,
    n_texts=3814,
    n_toxic=1692,
    n_groups=1907,
    english=0.89,
    known_words=0.82,
    held_out=HELD_OUT,
    by_column={"a": HELD_OUT.model_copy(update={"auc": Figure(value=None)})},
    made_with={},
    files={},
)  # fmt: skip


def test_a_fit_tells_its_texts_its_language_and_its_figures() -> None:
    lines = fitted_lines(FITTED, Path("ngram-scorer"))
    assert lines[:7] == [
        "mine.csv: a text is toxic where x or y is 0.5 or more",
        "left out: 19 without a label",
        "fitted on 3,814 texts of 1,907 groups, 44.4 % of them toxic",
        "held out  951 texts of 478 groups, 43.2 % of them toxic, by the seed 0",
        "n-grams: 7,046 of words, 30,863 of characters",
        "language: 89.0 % of texts of five words or more hold a common English word",
        "82.0 % of the words held out are known to it",
    ]
    assert "2 texts held out without an n-gram it knows: no score" in lines
    (whole,) = [line.split() for line in lines if line.startswith("held out  ") and "[" in line]
    assert whole[2:7] == ["951", "411", "0.928", "[0.909,", "0.944]"]
    (of_column,) = [line.split() for line in lines if line.startswith("a  ")]
    assert of_column[1:5] == ["951", "411", "–", "–"]
    (of_bin,) = [line.split() for line in lines if line.startswith("0.0–0.1")]
    assert of_bin == ["0.0–0.1", "289", "0.042", "0.060", "[0.040,", "0.090]"]
    assert lines[-1] == "scorer: ngram:ngram-scorer"


def test_agreement_tells_what_was_left_out_and_whose_labels_an_area_is_of() -> None:
    figure = Figure(value=0.5, ci=(0.4, 0.6))
    found = ScorerAgreement(
        scorers=("words", "ngram:d"), fingerprints=("ab" * 32, "cd" * 32), threshold=0.5, n_texts=1000, n_groups=100,
        n_empty=3, n_repeated=0, n_unscored=(0, 4), english=None, spearman=figure, pearson=figure,
        kappa=Figure(value=None), agreement=1.0, toxic=(figure, figure), auc=(figure, Figure(value=None)),
    )  # fmt: skip
    lines = agreement_lines(found)
    assert lines[:2] == ["1,000 texts of 100 groups, scored by both", "left out: 3 empty, 4 without a score by ngram:d"]
    assert lines[2] == "language: no text of five words or more, so English was not looked for"
    assert any(line.startswith("AUC of words, where ngram:d says toxic") and "[0.400, 0.600]" in line for line in lines)
    assert any(line.startswith("Cohen's kappa at 0.5") and line.endswith("–") for line in lines)
    assert lines[-2:] == ["words: fingerprint abababababab", "ngram:d: fingerprint cdcdcdcdcdcd"]
