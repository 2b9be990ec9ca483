from __future__ import annotations

import pytest

from mplus_eval.harmlessness.continuations import Continuation
from mplus_eval.harmlessness.sanity import measure_sanity
from mplus_eval.harmlessness.sanity_intervals import difference_interval, share_interval
from mplus_eval.harmlessness.stock_phrase import FIRST_WORDS, LEAST_SHARE, most_frequent_phrase, stock_phrase
from mplus_eval.records.toxicity import Sanity


def phrase_of(*texts: str) -> str | None:
    found = most_frequent_phrase(texts)
    return found.text if found else None


def test_the_pair_that_most_texts_hold_is_found_with_where_it_stands() -> None:
    found = most_frequent_phrase(["A jerk, I'm sorry.", "Go away.", "i’m  SORRY to bother you", "I am"])
    assert found is not None
    assert (found.text, found.stands_in) == ("i'm sorry", (True, False, True, False))


def test_words_beside_it_belong_to_it_while_as_many_texts_hold_them() -> None:
    assert phrase_of("I am so sorry.", "Well, I am so sorry.", "I am so glad.") == "i am so"
    # Once in a text, however often it is said there.
    assert phrase_of("go on go on go on", "you fool", "you fool") == "you fool"


def test_only_the_first_words_count_so_that_long_texts_hold_no_more() -> None:
    filler = " ".join(f"w{n}" for n in range(FIRST_WORDS - 1))
    assert phrase_of(f"{filler} of the", f"x{filler} of the", "you fool", "a b") != "of the"
    assert phrase_of("of the end", f"the top of the {filler}") == "of the"


def test_every_character_is_a_word_where_a_script_has_no_spaces() -> None:
    assert phrase_of("他坏,我不知道。", "我不知道他是谁", "走开") == "我不知道"
    assert phrase_of("знаю, не знаю", "Я не знаю.") == "не знаю"


def test_texts_without_two_words_have_no_phrase() -> None:
    assert most_frequent_phrase([]) is None
    assert most_frequent_phrase(["", "No.", "?!"]) is None


def test_of_phrases_that_as_many_texts_hold_the_order_of_the_texts_chooses_none() -> None:
    texts = ["a b", "c d", "e f"]
    assert phrase_of(*texts) == phrase_of(*reversed(texts)) == "e f"


def texts(n_of_phrase: int, n: int = 40) -> list[Continuation]:
    """One text each of so many prompts, the first of which say the same."""
    said = [f"I don't know word{i}" if i < n_of_phrase else f"some{i} other{i}" for i in range(n)]
    return [Continuation(f"Prompt {i}", text) for i, text in enumerate(said)]


def test_its_rate_and_interval_are_those_of_the_texts_over_prompts() -> None:
    found = measure_sanity(texts(30))
    assert (found.same_phrase, found.same_phrase_rate) == ("i don't know", 0.75)
    of_prompts = [1.0] * 30 + [0.0] * 10
    assert found.intervals["same_phrase_rate"] == pytest.approx(share_interval(0.75, of_prompts))
    # What the texts of one prompt share may be the prompt's doing.
    alone = measure_sanity([Continuation("Say it.", "I don't know.")] * 9)
    assert (alone.same_phrase, alone.same_phrase_rate) == (None, None)


def test_a_difference_has_the_interval_that_both_sides_leave_it() -> None:
    # Newcombe 1998, table II, 56/70 less 48/80 by method 10: 0.0524 to 0.3339.
    assert difference_interval(0.8, (0.6918, 0.8767), 0.6, (0.4904, 0.7004)) == pytest.approx(
        (0.0524, 0.3339), abs=2e-4
    )
    low, high = difference_interval(0.8, (None, 0.9), 0.6, (0.5, 0.7))
    assert (low, high) == (-float("inf"), pytest.approx(0.2 + 0.02**0.5))


def sanity(rate: float, phrase: str = "don't know", ci: tuple[float, float] | None = None) -> Sanity:
    known = {} if ci is None else {"same_phrase_rate": ci}
    return Sanity(n_texts=100, same_phrase=phrase, same_phrase_rate=rate, intervals=known)


BASE = sanity(0.08, "in the", (0.05, 0.11))


def test_a_phrase_far_above_the_baselines_own_is_a_stock_phrase() -> None:
    found = stock_phrase({"said": sanity(0.9, ci=(0.85, 0.94))}, {"said": BASE})
    assert found is not None
    assert (found.text, found.set, found.share, found.baseline_share) == ("don't know", "said", 0.9, 0.08)
    assert found.ci == pytest.approx((0.82 - (0.05**2 + 0.03**2) ** 0.5, 0.82 + (0.04**2 + 0.03**2) ** 0.5))


def test_a_phrase_that_is_seldom_or_no_more_frequent_than_the_baselines_is_none() -> None:
    assert stock_phrase({"said": sanity(LEAST_SHARE - 0.01, ci=(0.28, 0.3))}, {"said": BASE}) is None
    alike = sanity(0.5, "so the", (0.45, 0.55))
    assert stock_phrase({"said": sanity(0.55, ci=(0.5, 0.6))}, {"said": alike}) is None
    # Nothing is known of a rate without an interval, and nothing of a model that said nothing.
    assert stock_phrase({"said": sanity(0.9)}, {"said": BASE}) is None
    assert stock_phrase({"said": Sanity(n_texts=5)}, {"said": BASE}) is None


def test_it_is_looked_for_in_ordinary_prompts_where_there_are_any() -> None:
    model = {"provoking": sanity(0.9, "i am sorry", (0.85, 0.94)), "talk": sanity(0.4, "at the", (0.35, 0.45))}
    base = {"provoking": BASE, "talk": BASE}
    on_talk = stock_phrase(model, base, provoking=["provoking"])
    assert on_talk is not None
    assert (on_talk.set, on_talk.text) == ("talk", "at the")
    only = stock_phrase({"provoking": model["provoking"]}, base, provoking=["provoking"])
    assert only is not None
    assert only.set == "provoking"
    # Of several, the one that is shown best.
    both = stock_phrase(model, base)
    assert both is not None
    assert both.set == "provoking"


def test_a_mute_baseline_says_no_phrase() -> None:
    found = stock_phrase({"said": sanity(0.9, ci=(0.85, 0.94))}, {"said": Sanity(n_texts=100, empty_rate=1.0)})
    assert found is None, "nothing is known of what the baseline would say"
