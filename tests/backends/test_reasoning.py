"""Reasoning followed while it is generated, and cut after it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lm_eval.api.instance import Instance

from mplus_eval.backends.base import Response
from mplus_eval.backends.reasoning import Reasoning, Reasons, Watch, decoder, reasoning_of
from mplus_eval.models.thinking import DEFAULT_TOKENS, KNOWN, Thinking
from mplus_eval.spec.model import ModelSpec
from tests.tiny_models import build_tokenizer

THINK = KNOWN[0]
HARMONY = next(pair for pair in KNOWN if "analysis" in pair.start)
END = "</s>"
PROMPT = "Question: what is one plus two?"


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """Writes <think> letter by letter, [THINK] as special tokens and harmony's marks as special tokens."""
    tokenizer = build_tokenizer(320)
    special = ["[THINK]", "[/THINK]", "<|start|>", "<|channel|>", "<|message|>", "<|end|>"]
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    return tokenizer


def reasoning(tokenizer: Any, thinking: Thinking = THINK) -> Reasoning:
    def encode(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])

    return Reasoning(thinking, 60, decoder(tokenizer, thinking), tokenizer.decode, encode)


def generated(watch: Watch, tokens: Sequence[int], most: int = 500) -> list[int]:
    """What a generator makes of a model that would say these tokens."""
    new: list[int] = []
    for token in tokens[:most]:
        new.append(token)
        if watch(new):
            break
    return new


def followed(watch: Watch, tokens: Sequence[int]) -> Response:
    response, _ = watch.response(tokens)
    return response


def ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


@pytest.mark.parametrize("limit", [1, 3, 40])
@pytest.mark.parametrize("stops", [(), ("\n",), (" sat", "laughed")])
@pytest.mark.parametrize(
    "answer", ["the cat sat on the mat", "She said:\n no, thank you", "Then both of them laughed."]
)
@pytest.mark.parametrize(
    ("prompt", "before"),
    [
        (PROMPT, "<think>\nthe dog sat\n\nShe laughed.</think>\n\n"),
        (f"{PROMPT}<think>\n", "the dog sat\n\nShe laughed.\n</think>\n\n"),
        (PROMPT, "<think></think>"),
    ],
)
def test_an_answer_after_reasoning_is_that_of_a_model_without(
    tokenizer: Any, prompt: str, before: str, answer: str, stops: tuple[str, ...], limit: int
) -> None:
    end = tokenizer.eos_token_id
    script = [*ids(tokenizer, answer), end]

    def said(prompt: str, tokens: list[int]) -> Any:
        watch = Reasons(reasoning(tokenizer), prompt, 60).watch(stops=stops, limit=limit, ends={end})
        return followed(watch, generated(watch, tokens))

    plain, thought = said(PROMPT, script), said(prompt, [*ids(tokenizer, before), *script])
    assert (thought.text, thought.n_tokens, thought.ended) == (plain.text, plain.n_tokens, plain.ended)
    assert (plain.thinking, plain.n_thinking, plain.unclosed) == (None, 0, False)
    assert thought.thinking == ("" if before == "<think></think>" else "the dog sat\n\nShe laughed.")
    assert thought.n_thinking == len(ids(tokenizer, before))
    assert thought.unclosed is False


def test_reasoning_has_a_limit_of_its_own_and_without_an_end_there_is_no_answer(tokenizer: Any) -> None:
    watch = Reasons(reasoning(tokenizer), PROMPT, 30).watch(stops=["\n"], limit=2)
    tokens = generated(watch, ids(tokenizer, "<think>" + "the cat\n sat " * 30))
    response = followed(watch, tokens)
    assert (response.text, response.unclosed, response.n_tokens, response.ended) == ("", True, 0, False)
    assert response.n_thinking == len(tokens) == 30
    assert str(response.thinking).startswith("the cat\n sat")


def test_an_end_token_inside_the_reasoning_ends_it_unclosed(tokenizer: Any) -> None:
    end = tokenizer.eos_token_id
    watch = Reasons(reasoning(tokenizer), f"{PROMPT}<think>", 60).watch(stops=[], limit=9, ends={end})
    tokens = generated(watch, [*ids(tokenizer, "the cat"), end, *ids(tokenizer, " sat")])
    response = followed(watch, tokens)
    assert tokens[-1] == end
    assert (response.text, response.thinking, response.unclosed, response.ended) == ("", "the cat", True, True)


def test_marks_that_are_special_tokens_are_seen_and_no_other_is_said(tokenizer: Any) -> None:
    pair = KNOWN[1]
    watch = Reasons(reasoning(tokenizer, pair), PROMPT, 60).watch(stops=[], limit=40, ends={tokenizer.eos_token_id})
    script = "[THINK]the cat[/THINK]the <|channel|>dog</s>"
    response = followed(watch, generated(watch, ids(tokenizer, script)))
    assert (response.text, response.thinking, response.ended) == ("the dog", "the cat", True)
    assert response.n_tokens == len(ids(tokenizer, "the <|channel|>dog"))


def test_an_end_token_that_parts_messages_ends_no_reasoning(tokenizer: Any) -> None:
    ends = {tokenizer.convert_tokens_to_ids("<|end|>"), tokenizer.eos_token_id}
    script = (
        "<|channel|>analysis<|message|>the cat<|end|><|start|>assistant<|channel|>final<|message|>the dog<|end|> sat"
    )
    watch = Reasons(reasoning(tokenizer, HARMONY), "<|start|>assistant", 60).watch(stops=[], limit=40, ends=ends)
    response = followed(watch, generated(watch, ids(tokenizer, script)))
    assert (response.text, response.thinking, response.ended) == ("the dog", "the cat", True)


def test_where_only_the_end_comes_back_all_before_it_was_reasoning(tokenizer: Any) -> None:
    watch = Reasons(reasoning(tokenizer), PROMPT, 60).watch(stops=["\n"], limit=60)
    response = followed(watch, generated(watch, ids(tokenizer, "the cat</think>\n\nthe dog\n sat")))
    assert (response.text, response.thinking, response.ended) == ("the dog", "the cat", True)
    assert response.n_thinking == len(ids(tokenizer, "the cat</think>\n\n"))


def request(prompt: str, **settings: Any) -> Instance:
    return Instance("generate_until", {}, (prompt, settings), 0)


def test_a_model_that_cannot_be_followed_is_asked_without_stops_and_cut_afterwards(tokenizer: Any) -> None:
    asked = request(PROMPT, until=["\n"], max_gen_toks=5, do_sample=False)
    how = reasoning(tokenizer)
    assert how.widened(asked, 1000).args == (PROMPT, {"until": [], "max_gen_toks": 65, "do_sample": False})
    response = how.parted(asked, "<think>the\ncat</think>\n\nthe cat sat on the mat and the dog\n")
    # Of the answer five tokens are taken.
    assert response.text == tokenizer.decode(ids(tokenizer, "the cat sat on the mat")[:5])
    assert (response.thinking, response.unclosed, response.n_tokens) == ("the\ncat", False, 5)
    assert response.n_thinking == len(ids(tokenizer, "<think>the\ncat</think>"))


def test_room_for_reasoning_never_costs_a_prompt_its_beginning(tokenizer: Any) -> None:
    asked = request(PROMPT, max_gen_toks=5)
    length = len(ids(tokenizer, PROMPT)) + 5
    # Two tokens are left for what a tokenizer may put around a prompt.
    assert reasoning(tokenizer).widened(asked, length + 20).args[1] == {"until": [], "max_gen_toks": 5 + 18}
    assert reasoning(tokenizer).widened(asked, length - 3).args[1] == {"until": [], "max_gen_toks": 5}
    assert reasoning(tokenizer).widened(request(PROMPT, max_gen_toks=7), 4096).args[1]["max_gen_toks"] == 67


def test_a_server_without_a_tokenizer_is_cut_with_nothing_counted() -> None:
    how = Reasoning(THINK, 60, str, str)
    response = how.parted(request(PROMPT, until=["\n"]), "Hm.</think>Yes\nno")
    assert (response.text, response.thinking, response.unclosed) == ("Yes", "Hm.", False)
    assert (response.n_tokens, response.n_thinking) == (None, None)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, (KNOWN[1], DEFAULT_TOKENS)),
        ({"thinking_tokens": 7}, (KNOWN[1], 7)),
        ({"thinking": "<think>…</think>"}, (THINK, DEFAULT_TOKENS)),
    ],
)
def test_a_models_pair_is_found_in_its_tokens_or_named(
    tokenizer: Any, keys: dict[str, Any], expected: tuple[Thinking, int]
) -> None:
    found = reasoning_of(ModelSpec(name="a", source="x", **keys), tokenizer)
    assert found is not None
    assert (found.thinking, found.tokens) == expected


def test_a_model_without_a_pair_or_told_none_is_left_alone(tokenizer: Any, tmp_path: Path) -> None:
    assert reasoning_of(ModelSpec(name="a", source="x"), build_tokenizer(320)) is None
    assert reasoning_of(ModelSpec(name="a", source="x", thinking="none"), tokenizer) is None
    assert reasoning_of(ModelSpec(name="a", source="x"), None) is None


@pytest.mark.parametrize(("n_prompt", "expected"), [(100, 600), (450, 512), (900, 100), (1000, 0), (2000, 0)])
def test_room_is_what_the_context_leaves_in_few_sizes(tokenizer: Any, n_prompt: int, expected: int) -> None:
    assert replace(reasoning(tokenizer), tokens=600).room(n_prompt, 0, 1000) == expected


def test_the_ends_of_talk_are_heeded_by_a_model_that_cannot_be_followed(tokenizer: Any) -> None:
    talk = {"ends": ["<|im_end|>"], "turns": ["\nUser:", "<|im_start|>"], "max_gen_toks": 9, "until": ["#"]}
    asked, how = request(PROMPT, **talk), reasoning(tokenizer)
    assert how.widened(asked, 4096).args[1] == {"until": ["<|im_end|>"], "max_gen_toks": 69}
    response = how.parted(asked, "<think>a\nUser: b</think>yes\nUser: no")
    assert (response.text, response.thinking, response.ran_on) == ("yes", "a\nUser: b", True)
    assert how.parted(asked, "yes<|im_end|>").ran_on is False


def test_beams_are_followed_each_by_itself(tokenizer: Any) -> None:
    watch = Reasons(reasoning(tokenizer), PROMPT, 60).watch(stops=["\n"], limit=40)
    one, other = ids(tokenizer, "<think>the cat</think>yes\n"), ids(tokenizer, "the dog sat on the mat")
    assert watch(one)
    assert not watch(other)
    assert not watch(one[:-1])
    assert followed(watch, one).text == "yes"
