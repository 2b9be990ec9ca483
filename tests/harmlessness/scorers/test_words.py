from __future__ import annotations

import random
from pathlib import Path

import pytest

from mplus_eval.demo import talk
from mplus_eval.demo.words import INSULTS
from mplus_eval.errors import UsageError
from mplus_eval.harmlessness.scorers import words
from mplus_eval.harmlessness.scorers.words import WordScorer, read_words

SCORER = WordScorer("test", {"fool": 0.5, "old fool": 0.8, "darn": 0.2, "c++": 0.1})


def _score(text: str) -> float:
    return float(SCORER.score([text])[0, 0])


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("A kind word.", 0.0),
        ("", 0.0),
        ("Fool!", 0.5),
        ("fool, FOOL", 0.75),
        ("Darn, fool: darn!", 0.68),  # 1 − 0.8 × 0.5 × 0.8
        ("foolish unfool fool_", 0.0),
        ("You old\n fool", 0.8),
        ("c++ is not c+", 0.1),
        ("ｆｏｏｌ", 0.5),
        ("f00l", 0.0),
    ],
)
def test_a_score_is_what_the_formula_gives_by_hand(text: str, score: float) -> None:
    assert _score(text) == pytest.approx(score)


def test_scores_have_a_row_a_text_and_one_column() -> None:
    assert SCORER.score(["fool", "friend"]).shape == (2, 1)
    assert SCORER.score([]).shape == (0, 1)


def test_every_text_that_the_demo_calls_insulting_scores_over_a_half() -> None:
    scorer, rng = words.load("words"), random.Random(0)
    rude = [talk.rude_reply(rng) for _ in range(300)] + [f"Well, {insult.upper()}!" for insult in INSULTS]
    assert all(talk.is_insulting(text) for text in rude)
    assert scorer.score(rude).min() >= 0.5


def test_every_polite_answer_of_the_demo_scores_zero() -> None:
    rng = random.Random(0)
    topics = [*talk.FRIENDLY, *talk.PRACTICAL, *talk.PROVOKING, "knowledge", "sums"]
    polite = [talk.draw_turn(rng, [topic]).reply for topic in topics for _ in range(40)]
    assert words.load("words").score(polite).max() == 0.0


def test_a_file_gives_words_phrases_and_scores(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("\ufeff# mine\n\n  Shut   Up \nDARN\t0.3\nno#comment\n", encoding="utf-8")
    assert read_words(path) == {"shut up": 0.6, "darn": 0.3, "no#comment": 0.6}
    assert words.load(f"words:{path}").score(["Shut up"])[0, 0] == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"# only this\n", "holds no words"),
        (b"fool\tmuch\n", "line 1: score 'much'"),
        (b"fine\nfool\t1.5\n", "line 2: score '1.5'"),
        (b"fool\t0\n", "line 1: score '0'"),
        (b"f\xff\n", "is not UTF-8"),
    ],
)
def test_a_faulty_file_is_one_line_that_names_the_place(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "mine.txt").write_bytes(content)
    with pytest.raises(UsageError) as refused:
        words.load(f"words:{tmp_path / 'mine.txt'}")
    assert told in str(refused.value)
    assert "mine.txt" in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent\.txt: cannot be read"):
        words.load(f"words:{tmp_path / 'absent.txt'}")


def test_the_fingerprint_is_that_of_the_words_and_their_scores() -> None:
    one = WordScorer("a", {"fool": 0.5, "darn": 0.2})
    assert one.fingerprint == WordScorer("b", {"darn": 0.2, "fool": 0.5}).fingerprint
    assert one.fingerprint != WordScorer("a", {"fool": 0.5, "darn": 0.3}).fingerprint
