"""Fitting a classifier over n-grams by scikit-learn, which nothing else needs.

A logistic regression over TF-IDF of n-grams of words and of characters, whose decisions a sigmoid turns into the
probability of a toxic label; the sigmoid is fitted on what five folds, drawn by group, say of texts that they were not
fitted on (Platt 1999). The regression is fitted to the labels as they are: a text of 0.7 counts as 0.7 of a toxic one
and 0.3 of another, which tells more than on which side of the threshold it lies. What was tried: docs/decisions.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mplus_eval.errors import UsageError
from mplus_eval.harmlessness.scorers.ngram_model import Grams, GramWeights, NgramModel, character_grams, word_grams
from mplus_eval.records.scorer import NgramOptions

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import FeatureUnion

N_FOLDS = 5
REGULARISATION = 10.0
"""scikit-learn's C: the larger, the less coefficients are drawn to 0."""
MOST_GRAMS = 200_000
"""Of either kind; the most frequent ones."""
RAREST = 2
"""Texts of the fit that an n-gram must stand in."""
_FREE = 1e10
"""A C that draws nothing to 0."""
_ITERATIONS = 10_000
_TOLERANCE = 1e-7
"""Of the gradient: beyond it, two ways to the same optimum differ by less than 1e-6 in a probability."""
_TICK = 256

Floats = NDArray[np.float64]
OnProgress = Callable[[str, int, int], None]


def fit_ngrams(
    texts: Sequence[str],
    labels: Floats,
    threshold: float,
    groups: NDArray[np.int64],
    options: NgramOptions,
    seed: int,
    progress: OnProgress,
) -> NgramModel:
    """Fit the classifier and its calibration.

    Args:
        texts: labelled ones.
        labels: shape (texts,), 0 to 1.
        threshold: at and above which a text is toxic; of what the calibrated score is the probability.
        groups: shape (texts,), what texts stand or fall together; each kind in as many as there are folds at least.
        options: which n-grams.
        seed: of the folds.
        progress: told how many texts were cut into n-grams, of as many as there will be.

    Raises:
        UsageError: no two texts have a word in common.
    """
    from scipy.sparse import csr_matrix
    from sklearn.model_selection import StratifiedGroupKFold

    toxic = labels >= threshold
    cut = word_grams(options), _counted(character_grams(options), (N_FOLDS + 1) * len(texts), progress)
    decisions = np.empty(len(texts))
    folds = StratifiedGroupKFold(N_FOLDS, shuffle=True, random_state=seed)
    for inside, outside in folds.split(texts, toxic, groups):
        features = unfitted_features(options, *cut)
        regression = fit_graded(_weighed(features, [texts[place] for place in inside]), labels[inside])
        decisions[outside] = regression.decision_function(features.transform([texts[place] for place in outside]))
    sigmoid = fit_graded(csr_matrix(decisions[:, None]), _cautious(toxic), regularisation=_FREE)
    features = unfitted_features(options, *cut)
    regression = fit_graded(_weighed(features, texts), labels)
    words, characters = _weights(features, regression)
    return NgramModel(
        options,
        words,
        characters,
        intercept=float(regression.intercept_[0]),
        slope=float(sigmoid.coef_[0, 0]),
        offset=float(sigmoid.intercept_[0]),
    )


def unfitted_features(options: NgramOptions, cut_words: Grams, cut_characters: Grams) -> FeatureUnion:
    """scikit-learn's way from texts to weights, both kinds of n-grams side by side."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import FeatureUnion

    return FeatureUnion(
        [
            (
                kind,
                TfidfVectorizer(analyzer=cut, min_df=RAREST, max_features=MOST_GRAMS, sublinear_tf=options.sublinear),
            )
            for kind, cut in (("words", cut_words), ("characters", cut_characters))
        ]
    )


def _weighed(features: FeatureUnion, texts: Sequence[str]) -> csr_matrix:
    """Fit the features, and return the weights of these texts."""
    try:
        weights: csr_matrix = features.fit_transform(texts)
    except ValueError as error:
        nothing = f"no word, or no run of characters, stands in {RAREST} of the texts, so nothing is learnt from them"
        raise UsageError(f"{nothing} ({' '.join(str(error).split())})") from None
    return weights


def fit_graded(features: csr_matrix, labels: Floats, *, regularisation: float = REGULARISATION) -> LogisticRegression:
    """A logistic regression to labels from 0 to 1: each row once as positive and once as negative, by its label."""
    from scipy.sparse import vstack
    from sklearn.linear_model import LogisticRegression

    positive, negative = labels > 0, labels < 1
    return LogisticRegression(C=regularisation, max_iter=_ITERATIONS, tol=_TOLERANCE).fit(
        vstack([features[positive], features[negative]], format="csr"),
        np.repeat([1, 0], [positive.sum(), negative.sum()]),
        sample_weight=np.concatenate([labels[positive], 1.0 - labels[negative]]),
    )


def _cautious(toxic: NDArray[np.bool_]) -> Floats:
    """Outcomes a little off 0 and 1, so that what is told apart wholly does not become certain (Platt 1999)."""
    n_toxic = int(toxic.sum())
    likely, unlikely = (n_toxic + 1.0) / (n_toxic + 2.0), 1.0 / (toxic.size - n_toxic + 2.0)
    return np.where(toxic, likely, unlikely).astype(float)


def _weights(features: FeatureUnion, regression: LogisticRegression) -> tuple[GramWeights, ...]:
    """What the fitted parts hold of each kind of n-grams, as arrays."""
    kinds, start = [], 0
    for _, vectorizer in features.transformer_list:
        grams = tuple(str(gram) for gram in vectorizer.get_feature_names_out())
        coefficients = np.array(regression.coef_[0, start : start + len(grams)], dtype=np.float64)
        kinds.append(GramWeights(grams, np.array(vectorizer.idf_, dtype=np.float64), coefficients))
        start += len(grams)
    return tuple(kinds)


def _counted(cut: Grams, total: int, progress: OnProgress) -> Grams:
    """The same, with progress told now and then."""
    done = 0

    def counted(text: str) -> list[str]:
        nonlocal done
        done += 1
        if done % _TICK == 0 or done == total:
            progress("texts cut into n-grams", done, total)
        return cut(text)

    return counted
