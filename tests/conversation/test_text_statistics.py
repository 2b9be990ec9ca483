from __future__ import annotations

from dataclasses import replace

import pytest

from mplus_eval.conversation.text_statistics import repetition, text_statistics
from mplus_eval.records.conversation import AnswerText
from mplus_eval.store.outcomes import Answer


def answer(text: str | None, n_tokens: int | None = None, ended: bool | None = None) -> Answer:
    said = None if text is None else [text]
    told = {"generations": said, "n_tokens": n_tokens, "ended": ended}
    return Answer(item_id="1", stratum="all", sample=0, prompt_hash="h", prompt="p", **told)


def test_answers_are_described_and_failures_counted() -> None:
    found = text_statistics(
        [
            answer("one two three", n_tokens=4, ended=True),
            answer("one two three four five", n_tokens=8, ended=False),
            answer("", n_tokens=1, ended=True),
            answer(None),
        ]
    )
    assert (found.n_answers, found.n_failed) == (3, 1)
    assert (found.mean_words, found.median_words) == (pytest.approx(8 / 3), 3.0)
    assert found.mean_tokens == pytest.approx(13 / 3)
    assert (found.end_of_turn_rate, found.truncation_rate) == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert found.empty_rate == pytest.approx(1 / 3)


def test_what_is_not_known_is_none_and_enters_no_mean() -> None:
    found = text_statistics([answer("one"), answer("one", n_tokens=3)])
    assert (found.mean_tokens, found.end_of_turn_rate, found.truncation_rate) == (3.0, None, None)


def test_answers_to_dialogues_that_were_cut_are_counted_where_that_is_known() -> None:
    whole, cut = (replace(answer("one"), n_truncated=n) for n in (0, 12))
    assert text_statistics([whole, cut, answer("one")]).n_cut == 1
    assert text_statistics([answer("one")]).n_cut is None


def test_answers_after_which_the_model_speaks_for_the_user_are_counted_where_that_is_known() -> None:
    known = [replace(answer("Yes."), ran_on=True), replace(answer("No."), ran_on=False), answer("Well.")]
    assert text_statistics(known).ran_on_rate == pytest.approx(0.5)
    assert text_statistics([answer("Well.")]).ran_on_rate is None


def test_no_answer_at_all_has_no_figures() -> None:
    assert text_statistics([answer(None)]) == AnswerText(n_answers=0, n_failed=1)


def test_an_answer_that_goes_round_in_circles_repeats_itself() -> None:
    # Ten words have seven 4-word sequences, of which two are distinct.
    assert repetition("so on so on so on so on so on") == pytest.approx(5 / 7)
    assert repetition("every word of this answer is a new one") == 0.0
    assert repetition("too short") == 0.0
