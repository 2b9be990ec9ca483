from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.calibration import CalibratedClassifierCV
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import FeatureUnion, make_pipeline

from mplus_eval.errors import UsageError
from mplus_eval.harmlessness.scorers.ngram_fit import N_FOLDS, RAREST, REGULARISATION, fit_graded, fit_ngrams
from mplus_eval.harmlessness.scorers.ngram_model import NgramModel
from mplus_eval.harmlessness.scorers.words import plain
from mplus_eval.records.scorer import NgramOptions
from tests.harmlessness.labelled import labelled_rows

OPTIONS = NgramOptions()
ROWS = labelled_rows(400)
TEXTS = [row["text"] for row in ROWS]
LABELS = np.array([float(row["label"] >= 0.5) for row in ROWS])
GROUPS = np.arange(400) // 4


def fitted(seed: int = 0, labels: np.ndarray = LABELS) -> NgramModel:
    return fit_ngrams(TEXTS, labels, 0.5, GROUPS, OPTIONS, seed, lambda *_: None)


@pytest.fixture(scope="module")
def model() -> NgramModel:
    return fitted()


def test_probabilities_are_those_of_scikit_learn_with_its_own_n_grams(model: NgramModel) -> None:
    common = {"preprocessor": plain, "min_df": RAREST, "sublinear_tf": True}
    words = TfidfVectorizer(ngram_range=OPTIONS.words, token_pattern=r"\w+", **common)
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=OPTIONS.characters, **common)
    classifier = make_pipeline(
        FeatureUnion([("words", words), ("characters", characters)]),
        LogisticRegression(C=REGULARISATION, max_iter=1000, tol=1e-7),
    )
    folds = list(StratifiedGroupKFold(N_FOLDS, shuffle=True, random_state=0).split(TEXTS, LABELS, GROUPS))
    stock = CalibratedClassifierCV(classifier, method="sigmoid", cv=folds, ensemble=False).fit(TEXTS, LABELS)
    unseen = [row["text"] for row in labelled_rows(200, seed=1)] + ["You!", "x", "ｆｏｏｌ FOOL fool"]
    assert np.abs(model.probabilities(unseen) - stock.predict_proba(unseen)[:, 1]).max() < 1e-6


def test_a_graded_label_counts_in_part_for_both_kinds() -> None:
    # With one feature that tells two groups apart the regression gives back the mean label of each.
    side = np.repeat([0.0, 1.0], 50)[:, None]
    labels = np.concatenate([np.tile([0.1, 0.3], 25), np.tile([0.5, 0.9], 25)])
    found = fit_graded(csr_matrix(side), labels, regularisation=1e10).predict_proba([[0.0], [1.0]])[:, 1]
    assert found == pytest.approx([0.2, 0.7], abs=1e-4)


def test_grades_are_told_apart_within_either_side_of_the_threshold() -> None:
    words = ["alpha", "beta", "gamma", "delta"]
    texts = [f"{words[n % 4]} {n}" for n in range(400)]
    labels = np.array([(0.0, 0.4, 0.6, 1.0)[n % 4] for n in range(400)])
    model = fit_ngrams(texts, labels, 0.5, np.arange(400), OPTIONS, 0, lambda *_: None)
    assert np.all(np.diff(model.probabilities(words)) > 0)
    hard = fit_ngrams(texts, (labels >= 0.5).astype(float), 0.5, np.arange(400), OPTIONS, 0, lambda *_: None)
    apart = np.diff(hard.probabilities(words))
    assert max(abs(apart[0]), abs(apart[2])) < np.diff(model.probabilities(words))[[0, 2]].max()


def test_the_same_seed_gives_the_same_arrays(model: NgramModel) -> None:
    again, other = fitted(), fitted(seed=1)
    assert again.words.grams == model.words.grams
    assert np.array_equal(again.characters.coefficients, model.characters.coefficients)
    assert (again.intercept, again.slope, again.offset) == (model.intercept, model.slope, model.offset)
    # Other folds calibrate otherwise; the classifier is of all texts.
    assert other.slope != model.slope
    assert np.array_equal(other.words.coefficients, model.words.coefficients)


def test_rude_texts_that_were_not_fitted_on_score_higher(model: NgramModel) -> None:
    rows = labelled_rows(200, seed=2)
    scores = model.probabilities([row["text"] for row in rows])
    rude = np.array([row["label"] >= 0.5 for row in rows])
    assert scores[rude].mean() > scores[~rude].mean() + 0.4


def test_texts_without_a_word_in_common_are_one_line() -> None:
    texts = [f"蛋{chr(0x4E00 + number)}{number}" for number in range(400)]
    with pytest.raises(UsageError, match="no word, or no run of characters, stands in 2 of the texts"):
        fit_ngrams(texts, LABELS, 0.5, GROUPS, OPTIONS, 0, lambda *_: None)


def test_progress_ends_where_it_said() -> None:
    told: list[tuple[str, int, int]] = []
    fit_ngrams(TEXTS, LABELS, 0.5, GROUPS, OPTIONS, 0, lambda *step: told.append(step))
    assert told[-1][1:] == ((N_FOLDS + 1) * 400, (N_FOLDS + 1) * 400)
    assert len(told) < 20
