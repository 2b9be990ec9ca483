from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer

from mplus_eval.harmlessness.scorers.ngram_model import GramWeights, NgramModel, character_grams, word_grams
from mplus_eval.harmlessness.scorers.words import plain
from mplus_eval.records.scorer import NgramOptions

OPTIONS = NgramOptions()


def weights(**of_gram: tuple[float, float]) -> GramWeights:
    """N-grams with idf and coefficient of each."""
    idf, coefficients = (np.array(values) for values in zip(*of_gram.values(), strict=True))
    return GramWeights(tuple(of_gram), idf, coefficients)


MODEL = NgramModel(
    OPTIONS,
    words=weights(fool=(2.0, 3.0), you=(1.0, 1.0), kind=(3.0, -2.0)),
    characters=GramWeights((" f", "ol"), np.array([1.0, 1.0]), np.array([0.5, 1.5])),
    intercept=-1.0,
    slope=0.8,
    offset=0.1,
)


def test_a_probability_is_worked_out_by_hand() -> None:
    # Words: fool twice (1 + log 2)·2, you 1, over their length. Characters: " f" and "ol" twice, alike.
    fool = 2.0 * (1.0 + math.log(2.0))
    of_words = (3.0 * fool + 1.0) / math.hypot(fool, 1.0)
    of_characters = (0.5 + 1.5) / math.sqrt(2.0)
    decision = 0.8 * (of_words + of_characters - 1.0) + 0.1
    assert MODEL.probabilities(["You fool, FOOL"]) == pytest.approx([1.0 / (1.0 + math.exp(-decision))])


def test_a_text_without_a_known_n_gram_has_none() -> None:
    found = MODEL.probabilities(["дурак", "a kind one", ""])
    assert np.isnan(found).tolist() == [True, False, True]


def test_no_text_has_no_score() -> None:
    assert MODEL.probabilities([]).shape == (0,)


def test_a_text_is_scored_alike_in_any_company() -> None:
    texts = ["You fool", "a kind one", "ol", "you you you"]
    alone = [MODEL.probabilities([text])[0] for text in texts]
    assert MODEL.probabilities(texts) == pytest.approx(alone, abs=1e-15)


def test_nothing_is_read_beyond_the_limit() -> None:
    short = NgramModel(NgramOptions(most_letters=8), MODEL.words, MODEL.characters, -1.0, 0.8, 0.1)
    assert short.probabilities(["you fool and kind"]) == pytest.approx(MODEL.probabilities(["you fool"]))


def test_words_that_are_known_are_counted() -> None:
    assert MODEL.known_share(["You fool", "of mine"]) == pytest.approx(0.5)
    assert MODEL.known_share(["…"]) is None


@given(st.text(alphabet=st.sampled_from("aäÄb1_' .,!?\n\tİßｆ中—"), max_size=40))
def test_n_grams_are_scikit_learns(text: str) -> None:
    stock = {
        "words": CountVectorizer(ngram_range=OPTIONS.words, token_pattern=r"\w+", lowercase=False),
        "characters": CountVectorizer(analyzer="char_wb", ngram_range=OPTIONS.characters, lowercase=False),
    }
    assert sorted(word_grams(OPTIONS)(text)) == sorted(stock["words"].build_analyzer()(plain(text)))
    assert sorted(character_grams(OPTIONS)(text)) == sorted(stock["characters"].build_analyzer()(plain(text)))
