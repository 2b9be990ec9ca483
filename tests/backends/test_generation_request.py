"""Answers end where the template ends them, are cut where another turn begins, and come of the protocol's settings."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from lm_eval.api.instance import Instance
from transformers import AutoTokenizer, GenerationConfig

from mplus_eval.backends import load_backend
from mplus_eval.backends.generation_request import GenerationRequest
from mplus_eval.backends.hf import HfModel
from mplus_eval.inference.self_check import Tier
from mplus_eval.models.chat_format import PLAIN_STOPS, chat_format
from mplus_eval.models.locations import ModelLocation
from mplus_eval.spec.model import ModelSpec
from tests.chat_templates import KINDS, kind_tokenizer
from tests.conftest import TinyModel

CHAT_CONFIG = {
    "do_sample": True, "temperature": 0.3, "top_k": 5, "top_p": 0.5, "repetition_penalty": 1.9, "max_new_tokens": 200,
    "min_new_tokens": 15, "stop_strings": ["e"], "bad_words_ids": [[7], [8]], "num_beams": 3,
}  # fmt: skip
GREEDY = {"until": ["\n\n"], "max_gen_toks": 12, "do_sample": False}
SAMPLED = {"until": [], "max_gen_toks": 12, "do_sample": True, "temperature": 1.0, "top_p": 0.9, "seed": 7}
PROMPTS = ("The quick brown fox", "A river runs", "She said: no,", "0 1 2")


@pytest.fixture(scope="module")
def disguised(tiny_model: TinyModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same checkpoint with a chat model's generation_config."""
    folder = tmp_path_factory.mktemp("disguised") / "m"
    shutil.copytree(tiny_model(), folder)
    own = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps({**own, **CHAT_CONFIG}))
    return folder


def load(folder: Path, **keys: Any) -> HfModel:
    model = ModelSpec(name="m", source=str(folder), device="cpu", **keys)
    backend = load_backend("hf", model, ModelLocation(folder))
    assert isinstance(backend, HfModel)
    return backend


def ask(backend: HfModel, options: dict[str, Any]) -> list[Any]:
    return backend.respond([Instance("generate_until", {}, (prompt, dict(options)), 0) for prompt in PROMPTS])


@pytest.mark.parametrize("options", [GREEDY, SAMPLED])
@pytest.mark.parametrize("tier", ["tree", "plain"])
def test_a_chat_models_configuration_changes_no_answer(
    tiny_model: TinyModel, disguised: Path, options: dict[str, Any], tier: str
) -> None:
    both = [load(folder, batch_size=4) for folder in (tiny_model(), disguised)]
    for backend in both:
        backend.lm.tier = Tier(tier, 0.0, 0.0, "")
    itself, copy = (ask(backend, options) for backend in both)
    assert itself == copy
    assert max(response.n_tokens for response in copy) == 12
    assert both[0].facts.asking is not None
    assert both[1].facts.asking == both[0].facts.asking.model_copy(
        update={"ignored": {name: str(value) for name, value in CHAT_CONFIG.items()}}
    )


def test_its_own_settings_apply_where_they_are_wanted_and_are_told(disguised: Path) -> None:
    own = load(disguised, generation="own")
    assert own.facts.asking is not None
    assert own.facts.asking.ignored == {}
    assert own.facts.asking.decoding["max_new_tokens"] == "200"
    answers = ask(own, GREEDY)
    assert max(answer.n_tokens for answer in answers) > 12
    # Its own stop string, which may not stop before its own 15th token.
    assert all("e" not in answer.text for answer in answers)


def test_a_named_setting_applies_alone(tiny_model: TinyModel, disguised: Path) -> None:
    named, plain = load(disguised, generation={"repetition_penalty": 1.9}), load(tiny_model())
    assert named.facts.asking is not None
    assert named.facts.asking.decoding == {"repetition_penalty": "1.9"}
    asked = {**GREEDY, "repetition_penalty": 1.9}
    assert ask(named, GREEDY) == ask(plain, asked) != ask(plain, GREEDY)


def test_the_limit_of_the_protocol_is_not_the_checkpoints(disguised: Path) -> None:
    named = load(disguised, generation={"max_new_tokens": 30})
    assert max(answer.n_tokens for answer in ask(named, GREEDY)) == 30


def request_of(tokenizer: Any, until: Sequence[str] = (), ends: Sequence[int] = ()) -> GenerationRequest:
    settings = {**chat_format(tokenizer).options(until), "max_gen_toks": 20, "do_sample": False}
    return GenerationRequest.of(settings, [0], 0, tokenizer=tokenizer, ends=ends)


def generated(tokenizer: Any, text: str, until: Sequence[str] = ()) -> tuple[str, bool | None, bool | None]:
    """What is made of a text that a model writes, as far as it is let write it."""
    request = request_of(tokenizer, until, ends=[tokenizer.eos_token_id])
    tokens: list[int] = []
    for token in tokenizer(text, add_special_tokens=False)["input_ids"]:
        tokens.append(token)
        if token in request.prompt.end_tokens or (
            request.prompt.stopped is not None and request.prompt.stopped(tokens)
        ):
            break
    response = request.response(tokenizer, tokens)
    return str(response.text), response.ended, response.ran_on


@pytest.mark.parametrize("name", ["chatml", "gemma", "llama 3", "mistral", "several ends", "phi"])
def test_the_templates_own_token_ends_an_answer_whatever_the_end_token_is(name: str) -> None:
    kind = KINDS[name]
    for special in ({}, {"eos_token": "<|endoftext|>"}):
        tokenizer = kind_tokenizer(kind, **special)
        for end in kind.ends if not special else [end for end in kind.ends if end != "</s>"]:
            assert generated(tokenizer, f"the dog{end} and more") == ("the dog", True, False)
    for begin in kind.begins:
        assert generated(kind_tokenizer(kind), f"the dog {begin}user") == ("the dog ", True, True)


@pytest.mark.parametrize("name", ["zephyr", "vicuna", "alpaca", "mistral, headers in plain text"])
def test_a_header_in_plain_text_is_cut_and_counted(name: str) -> None:
    kind = KINDS[name]
    for begin in kind.begins:
        assert generated(kind_tokenizer(kind), f"the dog{begin} hello") == ("the dog", True, True)
    assert generated(kind_tokenizer(kind), "the dog</s>") == ("the dog", True, False)
    assert generated(kind_tokenizer(kind), "the dog") == ("the dog", False, False)


def test_the_plain_format_counts_who_speaks_for_the_user() -> None:
    tokenizer = kind_tokenizer(KINDS["vicuna"])
    tokenizer.chat_template = None
    for stop in PLAIN_STOPS:
        assert generated(tokenizer, f"the dog{stop} hello") == ("the dog", True, True)
    assert generated(tokenizer, "the User: dog</s>") == ("the User: dog", True, False)


def test_a_tasks_own_stop_string_is_no_other_turn() -> None:
    tokenizer = kind_tokenizer(KINDS["zephyr"])
    assert generated(tokenizer, "the dog.\n<|user|>", until=["."]) == ("the dog", True, False)
    assert generated(tokenizer, "the dog\n<|user|>.", until=["."]) == ("the dog", True, True)


def test_a_plain_prompt_has_no_turns() -> None:
    tokenizer = kind_tokenizer(KINDS["chatml"])
    settings = {"until": ["."], "max_gen_toks": 20, "do_sample": False}
    request = GenerationRequest.of(settings, [0], 0, tokenizer=tokenizer, ends=[1])
    assert request.response(tokenizer, tokenizer("a dog.")["input_ids"][1:]).ran_on is None
    assert request.prompt.end_tokens == {1}


def test_end_tokens_of_the_checkpoints_configuration_end_texts(tiny_model: TinyModel, tmp_path: Path) -> None:
    plain = load(tiny_model())
    token = int(plain.lm.model(torch.tensor(plain.lm.encoding.encode(PROMPTS[:1]))).logits[0, -1].argmax())
    shutil.copytree(tiny_model(), tmp_path / "m")
    GenerationConfig(eos_token_id=[1, token]).save_pretrained(tmp_path / "m")
    other = load(tmp_path / "m")
    assert other.facts.asking is not None
    assert other.facts.asking.end_tokens == ("</s>", plain.lm.tokenizer.convert_ids_to_tokens(token))
    (response, *_) = ask(other, GREEDY)
    assert (response.n_tokens, response.ended) == (0, True)


def test_a_chat_templates_end_token_ends_plain_texts_too(tiny_model: TinyModel, tmp_path: Path) -> None:
    shutil.copytree(tiny_model(), tmp_path / "m")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "m")
    tokenizer.chat_template = KINDS["chatml"].template.replace("<|im_end|>", "$")
    tokenizer.add_special_tokens({"additional_special_tokens": ["$"]})
    tokenizer.save_pretrained(tmp_path / "m")
    backend = load(tmp_path / "m")
    assert backend.facts.asking is not None
    assert set(backend.facts.asking.end_tokens) == {"</s>", "$"}


def test_a_description_reaches_a_template_that_takes_no_system(tiny_model: TinyModel, tmp_path: Path) -> None:
    template = tmp_path / "gemma.jinja"
    template.write_text(KINDS["gemma"].template)
    backend = load(tiny_model(), chat_template=str(template))
    assert backend.facts.asking is not None
    assert backend.facts.asking.folds_system
    system, user = {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}
    # lm-eval's own class would leave the system out.
    assert "user\nBe brief.\n\nHello<end_of_turn>" in backend.render_chat([system, user])
    assert backend.render_chat([user]) == backend.render([user], True)


def test_how_talk_ends_is_a_fact_of_a_loaded_model(tiny_model: TinyModel, tmp_path: Path) -> None:
    template = tmp_path / "zephyr.jinja"
    template.write_text(KINDS["zephyr"].template)
    backend = load(tiny_model(), chat_template=str(template))
    asking = backend.facts.asking
    assert asking is not None
    assert asking.talk_ends == ("</s>", "\n<|user|>", "\n<|assistant|>")
