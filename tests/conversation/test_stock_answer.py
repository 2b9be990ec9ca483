"""Answers that are given again and again: found over dialogues, and told from chance and from silence."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mplus_eval.conversation.stock_answer import most_frequent_answer, stock_answer
from mplus_eval.records.conversation import FrequentAnswer
from mplus_eval.store.outcomes import Answer
from tests.statistics.test_score_interval import restricted_statistic

STOCK = "You are welcome."


def answers(texts: list[str | None], turns: int = 1) -> list[Answer]:
    """To dialogues of so many turns, all of one category."""
    return [
        Answer(
            item_id=str(place // turns), stratum="talk", sample=place % turns, prompt_hash="h", prompt="p",
            generations=None if text is None else [text],
        )
        for place, text in enumerate(texts)
    ]  # fmt: skip


def distinct(n: int) -> list[str | None]:
    return [f"answer {place}" for place in range(n)]


def test_case_and_space_make_no_other_answer_and_failures_and_silence_none() -> None:
    said = answers([" You are\nwelcome.", "YOU ARE WELCOME.", "No.", "", "", "", None])
    assert most_frequent_answer(said) == FrequentAnswer(text=" You are\nwelcome.", n=2, share=2 / 6)
    assert most_frequent_answer(answers(["", None, " "])) is None


def test_a_sentence_for_everything_is_told_with_both_shares() -> None:
    found = stock_answer(answers([STOCK] * 24 + distinct(56)), answers(["Yes."] * 8 + distinct(72)))
    assert found is not None
    assert (found.text, found.share, found.baseline_share) == (STOCK, 0.3, 0.1)
    # Eight of the 24 turns are both sides' own, so 16 of 80 pairs rise and none falls: 0.2 over 77.8 effective pairs.
    size = 80 / (1 + 0.5 * 16 / 17**2)
    for end, critical in zip(found.ci, stats.t.ppf((0.975, 0.025), 79), strict=True):
        assert restricted_statistic(end, 0.2 * size, 0, size) == pytest.approx(critical, rel=1e-4)


@pytest.mark.parametrize(("n", "is_stock"), [(39, False), (41, True)])
def test_below_a_twentieth_nothing_is_a_stock_answer(n: int, is_stock: bool) -> None:
    found = stock_answer(answers([STOCK] * n + distinct(800 - n)), answers(distinct(800)))
    assert (found is not None) == is_stock


def test_an_answer_that_the_baseline_gives_as_often_is_none() -> None:
    assert stock_answer(answers([STOCK] * 24 + distinct(56)), answers(distinct(56) + ["No."] * 24)) is None
    # And it may say another one.
    assert stock_answer(answers([STOCK] * 24 + distinct(56)), answers([STOCK] * 24 + distinct(56))) is None


def test_silence_is_no_stock_answer() -> None:
    assert stock_answer(answers([""] * 70 + distinct(10)), answers(distinct(80))) is None


def test_turns_that_either_side_failed_on_are_left_out() -> None:
    found = stock_answer(answers([None] * 8 + [STOCK] * 24 + distinct(48)), answers(distinct(72) + [None] * 8))
    assert found is not None
    assert (found.share, found.baseline_share) == (24 / 64, 1 / 64)
    assert stock_answer(answers([STOCK]), answers([None])) is None


def test_the_interval_is_that_of_dialogues_not_of_turns() -> None:
    import statsmodels.api as sm

    # 12 of 40 dialogues of two turns have the sentence in both turns; and the same number of turns, each alone.
    texts, others = [STOCK] * 24 + distinct(56), answers(distinct(80), turns=2)
    clustered, alone = (
        stock_answer(answers(texts, turns=2), others),
        stock_answer(answers(texts), answers(distinct(80))),
    )
    assert clustered is not None
    assert alone is not None
    assert clustered.ci[0] < alone.ci[0] - 0.02
    # Independently: least squares on a constant, with standard errors clustered by dialogue.
    is_own, is_other = np.array([text == STOCK for text in texts], float), np.eye(1, 80)[0]
    fit = sm.OLS(is_own - is_other, np.ones(80)).fit(cov_type="cluster", cov_kwds={"groups": np.arange(80) // 2})
    assert clustered.share - clustered.baseline_share == pytest.approx(fit.params[0])
    assert np.ptp(clustered.ci) == pytest.approx(np.ptp(fit.conf_int()), rel=0.1)


def test_one_dialogue_that_goes_in_circles_makes_no_stock_answer() -> None:
    # A tenth of the turns, all in one dialogue of ten.
    texts = [STOCK] * 10 + distinct(90)
    assert stock_answer(answers(texts, turns=10), answers(distinct(100), turns=10)) is None
    assert stock_answer(answers(texts), answers(distinct(100))) is not None
