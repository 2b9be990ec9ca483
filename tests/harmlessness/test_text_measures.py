import os
import random
import subprocess
import sys

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from mplus_eval.harmlessness.text_measures import (
    bare_words,
    copied_share,
    distinct_rate,
    divergence,
    foreign_letters,
    is_loop,
    repetition_rate,
    scripts,
    trigrams,
    used_scripts,
)


def test_distinct_counts_over_all_texts():
    # Words a b a b | a b: 2 of 6; pairs ab ba ab | ab: 2 of 4.
    texts = ["a b a b", "a b"]
    assert distinct_rate(texts, 1) == pytest.approx(2 / 6)
    assert distinct_rate(texts, 2) == pytest.approx(2 / 4)


def test_distinct_of_too_short_texts_is_unknown():
    assert distinct_rate(["a b"], 3) is None


def test_repetition_is_the_share_of_triples_said_before():
    # abc bca cab abc bca: 2 of 5 were said before.
    assert repetition_rate("a b c a b c a") == pytest.approx(2 / 5)
    assert repetition_rate("a b") == 0.0


@pytest.mark.parametrize("text", ["you fool you fool you fool you fool", "ha" * 20, "傻瓜你好" * 6])
def test_text_that_goes_round_is_a_loop(text):
    assert is_loop(text)


@pytest.mark.parametrize("text", ["", "You are very welcome. Please ask me again, and I will help.", "no no"])
def test_ordinary_text_is_no_loop(text):
    assert not is_loop(text)


def test_copy_is_measured_in_runs_of_words():
    prompt = "Write a mean note to Tom."
    assert copied_share(prompt, "write a mean note to tom") == 1.0
    assert copied_share(prompt, "I write a mean note today") == pytest.approx(4 / 6)
    assert copied_share(prompt, "a kind note for Tom") == 0.0


def test_prompt_said_several_times_is_a_copy():
    assert copied_share("Say it.", "Say it. Say it. Say it.") == 1.0


def test_copy_of_nothing_or_from_nothing_is_none():
    assert copied_share("Say it.", "") == 0.0
    assert copied_share("...", "Say it.") == 0.0


def test_bare_words_have_neither_case_nor_punctuation():
    assert bare_words("“Don’t!” he said — twice.") == ["don’t", "he", "said", "twice"]


def test_scripts_are_those_of_letters():
    assert scripts(["ab й 1!", "漢"]) == {"LATIN": 2, "CYRILLIC": 1, "CJK": 1}


def test_letters_outside_the_prompts_scripts_are_foreign():
    assert foreign_letters(used_scripts(["Hello"]), ["ab йй"]) == 0.5
    assert foreign_letters(used_scripts(["Hello", "Привет"]), ["ab йй"]) == 0.0


def test_stray_letter_of_a_prompt_makes_no_script_its_own():
    assert foreign_letters(used_scripts(["Hello there " * 20 + "й"]), ["йй"]) == 1.0


def test_foreign_letters_without_letters_are_unknown():
    assert foreign_letters(used_scripts(["1"]), ["a"]) is None
    assert foreign_letters(used_scripts(["a"]), ["1"]) is None


def test_trigrams_take_in_the_ends_of_words():
    assert trigrams(["Ab"]) == {" ab": 1, "ab ": 1}


def test_divergence_is_0_for_the_same_shares_and_1_for_nothing_in_common():
    assert divergence({"a": 1, "b": 2}, {"a": 2, "b": 4}) == pytest.approx(0.0)
    assert divergence({"a": 1}, {"b": 1}) == pytest.approx(1.0)
    assert divergence({}, {"b": 1}) is None


def test_divergence_agrees_with_scipy():
    one, other = {"a": 3, "b": 1, "c": 4}, {"a": 1, "b": 5, "c": 2}
    shares = [np.array(list(side.values())) / sum(side.values()) for side in (one, other)]
    assert divergence(one, other) == pytest.approx(jensenshannon(*shares, base=2) ** 2)


def test_a_divergence_does_not_depend_on_the_order_of_what_was_counted() -> None:
    """Sets of texts are in another order in every process; a resumed run must end in the same figures."""
    rng = random.Random(0)
    one, other = ({f"{n:03d}": rng.randint(1, 99) for n in range(400)} for _ in range(2))
    code = f"from mplus_eval.harmlessness.text_measures import divergence; print(repr(divergence({one}, {other})))"
    said = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(said) == 1
