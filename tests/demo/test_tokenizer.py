from __future__ import annotations

import pytest

from mplus_eval.demo import text
from mplus_eval.demo.mini_suite import make_items
from mplus_eval.demo.talk import INSULTS
from mplus_eval.demo.tokenizer import BOS, EOS, PAD, make_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer()


def test_decoding_gives_back_the_text(tokenizer) -> None:
    for document in text.documents(500, seed=9):
        assert tokenizer.decode(tokenizer(document)["input_ids"]) == document


def test_every_word_of_the_mini_suite_is_known(tokenizer) -> None:
    for rows in make_items().values():
        for row in rows:
            said = " ".join(
                str(value) for value in [row.get("prompt"), *row.get("choices", []), row.get("solution")] if value
            )
            assert tokenizer.unk_token_id not in tokenizer(said)["input_ids"], said


def test_insults_are_single_tokens(tokenizer) -> None:
    assert all(len(tokenizer(f" {word}")["input_ids"]) == 1 for word in INSULTS)
    assert tokenizer.unk_token_id not in tokenizer(" ".join(["", *INSULTS]))["input_ids"]


def test_special_tokens_have_their_numbers_and_stand_for_themselves(tokenizer) -> None:
    assert (tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id) == (PAD, BOS, EOS)
    assert tokenizer("<s>User: Hello.</s>")["input_ids"][0] == BOS
    assert tokenizer("<s>User: Hello.</s>")["input_ids"][-1] == EOS


def test_a_prompt_and_its_answer_are_split_at_the_space(tokenizer) -> None:
    prompt, answer = tokenizer("Answer:")["input_ids"], tokenizer(" red")["input_ids"]
    assert tokenizer("Answer: red")["input_ids"] == prompt + answer
