"""A checkpoint that reasons, asked through the backend `hf`: by the tree and by padded batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lm_eval.api.instance import Instance

from mplus_eval.backends import Response, load_backend
from mplus_eval.conversation.generate import generate
from mplus_eval.conversation.items import Dialogue, DialogueSet, DialogueTask
from mplus_eval.inference.self_check import Tier
from mplus_eval.models.locations import ModelLocation
from mplus_eval.spec.conversation import ConversationSettings
from mplus_eval.spec.model import ModelSpec
from tests.scripted_model import build_scripted
from tests.tiny_models import build_tokenizer

PROMPT = "Question: what is one plus two?"
ANSWER = "She said: no,\nthank you"
THOUGHT = "the cat\nsat. User: yes, please!"
BEGINS = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% else %}<think>\n{% endif %}"
    "{% endif %}"
)


def tokenizer(template: str | None = None) -> Any:
    built = build_tokenizer(320)
    built.add_tokens(["<think>", "</think>", "<|user|>", "<|assistant|>"])
    built.chat_template = template
    return built


def loaded(folder: Path, said: dict[str, str], template: str | None = None, **keys: Any) -> Any:
    """A backend of a model that says texts after prompts of other lengths."""
    built = tokenizer(template)
    script = {
        len(built(prompt)["input_ids"]): [
            *built(text, add_special_tokens=False)["input_ids"], built.eos_token_id,
        ]
        for prompt, text in said.items()
    }  # fmt: skip
    path = build_scripted(folder, built, script)
    return load_backend("hf", ModelSpec(name="m", source=str(path), device="cpu", **keys), ModelLocation(path))


def asked(backend: Any, prompt: str = PROMPT, **settings: Any) -> Response:
    options = {"until": [], "max_gen_toks": 60, "do_sample": False, **settings}
    (response,) = backend.respond([Instance("generate_until", {}, (prompt, options), 0)])
    return response


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return loaded(tmp_path_factory.mktemp("plain"), {PROMPT: ANSWER})


@pytest.fixture(scope="module")
def thinking(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("thinking")
    said = {PROMPT: f"<think>{THOUGHT}</think>\n\n{ANSWER}", f"{PROMPT} <think>": f"{THOUGHT}\n</think>\n\n{ANSWER}"}
    # The second prompt is longer by two tokens, so the script of the first stands in another folder.
    backends = [loaded(folder / str(number), dict([entry])) for number, entry in enumerate(said.items())]
    return dict(zip(said, backends, strict=True))


@pytest.mark.parametrize("tier", ["tree", "plain"])
@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("settings", [{}, {"until": ["\n"]}, {"max_gen_toks": 4}, {"until": [" said", "the"]}])
def test_the_answer_is_that_of_the_same_model_without_reasoning(
    plain: Any, thinking: Any, settings: dict[str, Any], begun: bool, tier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = list(thinking)[begun]
    for backend in (plain, thinking[prompt]):
        assert backend.lm.tier.name == "tree"
        monkeypatch.setattr(backend.lm, "tier", Tier(tier, 0.0, 0.0, ""))  # type: ignore[arg-type]
    expected, found = asked(plain, **settings), asked(thinking[prompt], prompt, **settings)
    assert (found.text, found.n_tokens, found.ended) == (expected.text, expected.n_tokens, expected.ended)
    assert (found.thinking, found.unclosed) == (THOUGHT, False)
    assert found.n_thinking is not None
    assert found.n_thinking > 10
    assert (expected.thinking, expected.n_thinking, expected.unclosed) == (None, 0, False)


def test_reasoning_beyond_its_limit_leaves_no_answer(tmp_path: Path) -> None:
    backend = loaded(tmp_path, {PROMPT: f"<think>{THOUGHT}</think>{ANSWER}"}, thinking_tokens=7)
    response = asked(backend)
    assert (response.text, response.unclosed, response.n_thinking, response.ended) == ("", True, 7, False)
    assert backend.facts.asking.thinking == "<think>…</think>"
    assert backend.facts.asking.thinking_tokens == 7


def test_a_prompt_is_not_cut_to_make_room_for_reasoning(plain: Any) -> None:
    response = asked(plain, PROMPT * 40, max_gen_toks=8)
    assert response.n_truncated == len(response.prompt_tokens or ()) - 248
    assert asked(plain, max_gen_toks=200).n_truncated == 0


def test_without_reasoning_to_be_cut_a_text_is_left_alone(tmp_path: Path) -> None:
    backend = loaded(tmp_path, {PROMPT: f"<think>{THOUGHT}</think>no"}, thinking="none")
    response = asked(backend)
    assert response.text == f"<think>{THOUGHT}</think>no"
    assert (response.thinking, response.n_thinking, response.unclosed) == (None, None, None)
    assert backend.facts.asking.thinking == ""


def test_dialogues_go_on_from_answers_without_their_reasoning(tmp_path: Path) -> None:
    turns = ("Who?", "And then she said what to them?")
    first = f"<|user|>{turns[0]}</s><|assistant|><think>\n"
    second = f"<|user|>{turns[0]}</s><|assistant|>the cat</s><|user|>{turns[1]}</s><|assistant|><think>\n"
    backend = loaded(tmp_path, {first: "yes</think>\n\nthe cat", second: "no</think>the dog"}, BEGINS)
    dialogues = DialogueSet("x", (Dialogue("1", "talk", turns, (None, None)),), 1)
    task = DialogueTask(ConversationSettings(dialogues="x", max_new_tokens=20), dialogues)
    answers = generate(task, range(1), backend, seed=0, own_template=True, on_items=lambda n: None)
    assert [answer.prompt for answer in answers] == [first, second]
    assert [(answer.text, answer.thinking) for answer in answers] == [("the cat", "yes"), ("the dog", "no")]


def test_a_template_is_told_whether_to_have_the_model_reason(tmp_path: Path) -> None:
    prompt = "<|user|>Hi</s><|assistant|><think>\n\n</think>\n\n"
    backend = loaded(tmp_path, {prompt: "the cat"}, BEGINS, enable_thinking=False)
    messages = [{"role": "user", "content": "Hi"}]
    assert backend.render_chat(messages) == prompt
    response = asked(backend, prompt)
    assert (response.text, response.thinking, response.n_thinking) == ("the cat", None, 0)
