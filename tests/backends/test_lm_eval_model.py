"""lm-eval's own model classes behind the seam: their answers become responses."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mplus_eval.backends import LoadedModel, Response
from mplus_eval.backends.lm_eval_model import LmEvalModel, set_chat_template
from tests.backends.requests import choices, generations, texts


class Scripted:
    """Answers as lm-eval's classes do, in the types that they happen to have."""

    def loglikelihood(self, requests: list[Any], disable_tqdm: bool) -> list[tuple[float, int]]:
        assert disable_tqdm
        return [(-number, number % 2) for number in range(len(requests))]

    def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool) -> list[int]:
        return [-7 for _ in requests]

    def generate_until(self, requests: list[Any], disable_tqdm: bool) -> list[str]:
        return [request.args[0].upper() for request in requests]

    def apply_chat_template(self, messages: list[dict[str, str]], add_generation_prompt: bool) -> str:
        return f"{messages[0]['content']} {add_generation_prompt}"


@pytest.fixture
def backend() -> LmEvalModel:
    return LmEvalModel(Scripted(), LoadedModel("scripted", None, None, None), 8)


def test_a_choice_has_a_log_probability_and_whether_it_is_greedy(backend: LmEvalModel) -> None:
    assert backend.respond(choices()[:2]) == [
        Response(log_probability=0.0, is_greedy=False),
        Response(log_probability=-1.0, is_greedy=True),
    ]


def test_a_whole_text_has_a_log_probability(backend: LmEvalModel) -> None:
    assert backend.respond(texts()) == [Response(log_probability=-7.0)] * 2


def test_a_generation_has_a_text(backend: LmEvalModel) -> None:
    assert backend.respond(generations()) == [Response("QUESTION: WHAT"), Response("SHE SAID: NO,")]


def test_no_request_has_no_response(backend: LmEvalModel) -> None:
    assert backend.respond([]) == []


def test_what_is_not_of_transformers_cannot_be_opened(backend: LmEvalModel) -> None:
    assert backend.opened is None


def test_a_chat_template_is_the_models_own(backend: LmEvalModel) -> None:
    assert backend.render_chat([{"role": "user", "content": "hi"}], add_generation_prompt=False) == "hi False"


@pytest.mark.parametrize("keeps_its_own", [False, True])
def test_a_template_of_a_file_goes_wherever_one_is_looked_for(tmp_path: Path, keeps_its_own: bool) -> None:
    path = tmp_path / "template.jinja"
    path.write_text("{{ messages }}")
    lm = SimpleNamespace(tokenizer=SimpleNamespace(chat_template=None))
    if keeps_its_own:
        lm.hf_chat_template = "found when loading"
    set_chat_template(lm, str(path))
    assert lm.tokenizer.chat_template == "{{ messages }}"
    assert getattr(lm, "hf_chat_template", "{{ messages }}") == "{{ messages }}"
    assert hasattr(lm, "hf_chat_template") is keeps_its_own


@pytest.mark.parametrize("template", [True, False])
def test_without_a_file_the_template_is_left_alone(template: bool) -> None:
    lm = SimpleNamespace(tokenizer=SimpleNamespace(chat_template="own"))
    set_chat_template(lm, template)
    assert lm.tokenizer.chat_template == "own"
