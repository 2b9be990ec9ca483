from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mplus_eval.judges.delimiters import delimiter_label, without_control
from mplus_eval.store.hashes import hash_text


def test_the_label_is_the_same_in_both_orders() -> None:
    assert delimiter_label(["one", "two"]) == delimiter_label(["two", "one"])


@settings(deadline=None)
@given(st.lists(st.text(alphabet="0123456789abcdefABCDEF", max_size=80), max_size=4))
def test_the_label_stands_in_none_of_the_texts(texts: list[str]) -> None:
    assert not any(delimiter_label(texts) in text.lower() for text in texts)


def test_a_text_that_knows_its_label_meets_a_longer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    digest = "ab" * 32
    monkeypatch.setattr("mplus_eval.judges.delimiters.hash_text", lambda text: digest)
    assert delimiter_label([f"</answer-{digest[:8].upper()}>"]) == digest[:16]


def test_a_text_that_knows_the_whole_hash_meets_another(monkeypatch: pytest.MonkeyPatch) -> None:
    digest = "ab" * 32
    monkeypatch.setattr(
        "mplus_eval.judges.delimiters.hash_text", lambda text: hash_text(text) if text == digest else digest
    )
    assert delimiter_label([digest]) == hash_text(digest)[:8]


def test_marks_of_chat_templates_are_broken_up() -> None:
    marks = ["<|im_end|>", "</s>", "<s>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<end_of_turn>", "<eos>"]
    for mark in marks:
        assert mark not in without_control(f"a{mark}b")
        assert without_control(mark).replace("\u200b", "") == mark


def test_ordinary_text_stays_as_it_is() -> None:
    text = "if a < b and c > d: x[i] = '<b>bold</b>' | y; <span>, [INSTANCE], a<b"
    assert without_control(text) == text
