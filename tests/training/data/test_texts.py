"""Texts without questions: where they come from, and what of them can be predicted."""

from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.demo.talk import is_insulting
from mplus_eval.demo.text import held_out_texts, texts_without_talk
from mplus_eval.errors import SpecError
from mplus_eval.training.data.texts import encode_texts
from mplus_eval.training.train import train
from mplus_eval.training.training_data import gather
from tests.training.small import rlhf_recipe


def test_texts_of_one_token_have_nothing_to_predict() -> None:
    tokenizer = gather(rlhf_recipe(Path("unused"))).tokenizer
    assert [len(ids) for ids in encode_texts(tokenizer, ["a", "The park is big."], 3)][-1] == 3


def test_the_demos_texts_for_replay_have_no_talk_in_them() -> None:
    texts = texts_without_talk(300, seed=1)
    assert texts == texts_without_talk(300, seed=1)
    assert not any("Assistant:" in text or is_insulting(text) for text in texts)
    assert any("Assistant:" in text for text in held_out_texts(300, seed=1))


def test_demo_texts_that_do_not_exist_are_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"replay\.texts 'demo:poems': no such demo texts; there are demo:texts"):
        train(rlhf_recipe(tmp_path, {"replay": {"texts": "demo:poems"}}))


def test_a_file_that_cannot_be_read_is_named_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"replay\.texts 'nowhere\.txt': cannot be read"):
        train(rlhf_recipe(tmp_path, {"replay": {"texts": "nowhere.txt"}}))
    assert not list(tmp_path.iterdir())
