"""A tokenizer whose ids would mean nothing is refused by name; whatever writes text in tokens of its own is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.models.tokenizer_check import TokenizerError, refuse_broken
from tests.conftest import TinyModel
from tests.tiny_models import build_tokenizer, retokenize


def loaded(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def of_letters(*extra: str) -> Any:
    """A tokenizer of one token a letter, which its vocabulary has none beyond."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = [chr(number) for number in range(32, 127)] + ["\n", *extra]
    tokenizer = Tokenizer(models.WordLevel({letter: place for place, letter in enumerate(letters)}, unk_token="#"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("[\\s\\S]"), "isolated")
    fast: Any = PreTrainedTokenizerFast
    return fast(tokenizer_object=tokenizer, eos_token="|")


@pytest.mark.parametrize("vocabulary", [258, 270, 320, 400])
def test_a_small_vocabulary_is_whole(vocabulary: int) -> None:
    refuse_broken(build_tokenizer(vocabulary))


def test_the_demos_vocabulary_is_whole() -> None:
    from mplus_eval.demo import BASE

    refuse_broken(loaded(BASE))


def test_a_vocabulary_of_letters_is_whole() -> None:
    refuse_broken(of_letters())


def test_words_that_are_added_tokens_say_nothing_of_merges() -> None:
    tokenizer = of_letters()
    tokenizer.add_tokens([f"{first}{second}ord" for first in "abcde" for second in "abcde"])
    refuse_broken(tokenizer)


def test_a_vocabulary_that_has_lost_its_merges_is_named_with_the_way_out(tiny_model: TinyModel, tmp_path: Path) -> None:
    lost = loaded(retokenize(tiny_model(), tmp_path, merges=[]))
    with pytest.raises(TokenizerError) as caught:
        refuse_broken(lost)
    message = str(caught.value)
    assert message.startswith("its tokenizer writes ' the' in 4 tokens, though its vocabulary has it as one")
    assert message.endswith("its merges are lost; name the folder of a whole one with tokenizer=DIR")


def test_a_vocabulary_that_has_lost_some_merges_writes_its_words_in_pieces(
    tiny_model: TinyModel, tmp_path: Path
) -> None:
    merges = json.loads((tiny_model() / "tokenizer.json").read_text())["model"]["merges"]
    of_two_letters = [merge for merge in merges if len("".join(merge)) == 2]
    with pytest.raises(TokenizerError, match=r"writes ' the' in 2 tokens, .* 9 of 9 words alike: its merges are lost"):
        refuse_broken(loaded(retokenize(tiny_model(), tmp_path, merges=of_two_letters)))


def test_a_special_token_within_plain_text_is_named(tiny_model: TinyModel, tmp_path: Path) -> None:
    # Before every word, whether special tokens are asked for or not.
    doubled = {"type": "Replace", "pattern": {"String": " "}, "content": "</s> "}
    with pytest.raises(TokenizerError, match="puts </s> into plain text, though asked not to"):
        refuse_broken(loaded(retokenize(tiny_model(), tmp_path, normalizer=doubled)))


def test_a_choice_without_a_token_is_named(tiny_model: TinyModel, tmp_path: Path) -> None:
    # A normalizer that strips what follows the prompt.
    stripping = {"type": "Replace", "pattern": {"Regex": "(?<=Answer:) .*"}, "content": ""}
    with pytest.raises(TokenizerError, match="has no token for ' A' after a prompt"):
        refuse_broken(loaded(retokenize(tiny_model(), tmp_path, normalizer=stripping)))


def test_a_prompt_that_changes_with_what_follows_is_named(tiny_model: TinyModel, tmp_path: Path) -> None:
    turning = {"type": "Replace", "pattern": {"Regex": "^The(?=[\\s\\S]*Answer: )"}, "content": "A"}
    with pytest.raises(TokenizerError, match="writes a prompt in other tokens when ' A' follows it"):
        refuse_broken(loaded(retokenize(tiny_model(), tmp_path, normalizer=turning)))
