"""Ids are lm-eval's wherever no token spans a boundary, begin once, end with the text, and leave every choice alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from mplus_eval.backends.encoding import Encoding, TokenizerError, encode_requests, unscorable
from tests.backends.requests import choices
from tests.conftest import TinyModel
from tests.tiny_models import around, build_tokenizer, retokenize

BOS, EOS = 0, 1
TEXT = "A river runs to the sea"


def choice(context: str, continuation: str, item: int | None = 0) -> Instance:
    return Instance("loglikelihood", {}, (context, continuation), 0, ("task", item, 1))


def loaded(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def beginning() -> Any:
    """A tokenizer that begins every text with <s>."""
    return build_tokenizer(320)


@pytest.mark.parametrize("architecture", ["mistral", "gpt2"])
def test_requests_are_encoded_as_lm_eval_itself_encodes_them(
    tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch, architecture: str
) -> None:
    theirs = HFLM(pretrained=str(tiny_model(architecture=architecture)), device="cpu")
    seen: list[Any] = []
    monkeypatch.setattr(theirs, "_loglikelihood_tokens", lambda encoded, disable_tqdm: seen.extend(encoded))
    asked = [*choices(), choice("<s>" + TEXT, " and"), choice(TEXT + " \n ", "and"), choice("", "<s>and")]
    theirs.loglikelihood(asked, disable_tqdm=True)
    encoded = encode_requests(Encoding.of(theirs.tokenizer), asked)
    assert [(each.texts, each.context, each.continuation) for each in encoded] == seen
    assert {each.n_spanned for each in encoded} == {0}


@pytest.mark.parametrize(
    ("bos", "add_bos", "begins"),
    [
        (True, "auto", "<s>"), (True, True, "<s>"), (True, False, ""),
        (False, "auto", ""), (False, True, "<s>"), (False, False, ""),
    ],
)  # fmt: skip
def test_a_plain_text_begins_as_the_tokenizer_or_the_key_says(bos: bool, add_bos: Any, begins: str) -> None:
    encoding = Encoding.of(build_tokenizer(320, bos=bos), add_bos)
    (bare,) = encoding.bare([TEXT])
    assert encoding.text_of(encoding.begins) == begins
    assert encoding.encode([TEXT]) == [[BOS, *bare] if begins else bare]


@pytest.mark.parametrize("add_bos", ["auto", True, False])
def test_a_text_that_begins_itself_is_given_no_second_beginning(beginning: Any, add_bos: Any) -> None:
    encoding = Encoding.of(beginning, add_bos)
    (bare,) = encoding.bare([TEXT])
    # A template's text may stand beside one that brings nothing.
    assert encoding.encode(["<s>" + TEXT, TEXT])[0] == [BOS, *bare]
    (asked,) = encode_requests(encoding, [choice("<s>" + TEXT, " and")])
    assert (asked.context, asked.n_spanned) == ([BOS, *bare], 0)


def test_a_beginning_that_a_normalizer_writes_is_not_doubled(tiny_model: TinyModel, tmp_path: Path) -> None:
    writing = {"type": "Replace", "pattern": {"Regex": "^A(?= )"}, "content": "<s>A"}
    encoding = Encoding.of(loaded(retokenize(tiny_model(), tmp_path, normalizer=writing)))
    assert encoding.bare([TEXT]) == encoding.encode([TEXT]) == encoding.encode(["<s>" + TEXT])


def test_a_beginning_that_a_tokenizer_doubles_is_put_once(tiny_model: TinyModel, tmp_path: Path) -> None:
    tokenizer = loaded(retokenize(tiny_model(), tmp_path, post_processor=around("<s>", "<s>")))
    assert tokenizer(TEXT)["input_ids"][:2] == [BOS, BOS]
    assert Encoding.of(tokenizer).encode([TEXT]) == Encoding.of(build_tokenizer(320)).encode([TEXT])


@pytest.mark.parametrize("names", [("<s>", "</s>"), ("</s>",)])
def test_what_a_tokenizer_appends_is_left_off_and_known(
    tiny_model: TinyModel, tmp_path: Path, names: tuple[str, ...]
) -> None:
    tokenizer = loaded(retokenize(tiny_model(), tmp_path, post_processor=around(*names)))
    assert tokenizer(TEXT)["input_ids"][-1] == EOS
    encoding = Encoding.of(tokenizer)
    assert encoding.text_of(encoding.leaves_off) == "</s>"
    assert encoding.text_of(encoding.begins) == "".join(names[:-1])
    whole = Encoding.of(build_tokenizer(320, bos=len(names) == 2))
    assert encode_requests(encoding, choices()) == encode_requests(whole, choices())
    assert encoding.encode([TEXT, "", "</s>"]) == whole.encode([TEXT, "", "</s>"])


def test_a_beginning_that_there_is_not_cannot_be_put() -> None:
    tokenizer = build_tokenizer(320, bos=False)
    tokenizer.bos_token = None
    with pytest.raises(TokenizerError, match="has no beginning-of-text token, though add_bos=true"):
        Encoding.of(tokenizer, True)
    # What has no context follows the end token then, as in lm-eval.
    assert encode_requests(Encoding.of(tokenizer), [choice("", "the")])[0].context == [EOS]
    tokenizer.eos_token = None
    with pytest.raises(TokenizerError, match="has neither a beginning- nor an end-of-text token"):
        Encoding.of(tokenizer)


def test_every_choice_is_scored_from_before_a_token_that_spans(beginning: Any) -> None:
    encoding = Encoding.of(beginning)
    # " the" is one token, which neither " th" nor "e" is made of.
    context = "A river runs from th"
    ids = encoding.encode([context, context + "e", context + " A"])
    n_common = next(i for i, token in enumerate(ids[0]) if token != ids[1][i])
    assert ids[2][: len(ids[0])] == ids[0]
    spanned, beside, other = encode_requests(
        encoding, [choice(context, "e"), choice(context, " A"), choice(context, " A", item=1)]
    )
    n_spanned = len(ids[0]) - n_common
    assert n_spanned > 0
    for found, whole in ((spanned, ids[1]), (beside, ids[2])):
        assert (found.context, found.continuation) == (whole[:n_common], whole[n_common:])
        assert found.n_spanned == n_spanned
    # Another item is scored as lm-eval scores it.
    assert (other.context, other.continuation, other.n_spanned) == (ids[0], ids[2][len(ids[0]) :], 0)


def test_what_is_no_item_stands_alone(beginning: Any) -> None:
    context = "A river runs from th"
    asked = [choice(context, "e", item=None), choice(context, " A", item=None)]
    spanned, beside = encode_requests(Encoding.of(beginning), asked)
    assert spanned.n_spanned > 0
    assert beside.n_spanned == 0


def test_a_choice_without_its_context_spans_nothing(beginning: Any) -> None:
    # As tasks ask that hold a choice against its probability without the question.
    spanned, alone = encode_requests(Encoding.of(beginning), [choice("from th", "e"), choice("", "e")])
    assert spanned.n_spanned > 0
    assert (alone.context, alone.n_spanned) == ([BOS], 0)


@pytest.mark.parametrize("bos", [True, False])
def test_an_item_is_lost_only_where_nothing_is_left_before_it(bos: bool) -> None:
    encoding = Encoding.of(build_tokenizer(320, bos=bos))
    (whole,) = encoding.encode(["he"])
    (found,) = encode_requests(encoding, [choice("h", "e")])
    error = unscorable(found.context, found.continuation, 100)
    if bos:
        assert ([*found.context, *found.continuation], error) == (whole, None)
    else:
        assert error == "no token of the prompt is left before the continuation, since tokens span both"
