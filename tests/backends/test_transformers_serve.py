"""A real server that tells no log-probabilities and lists no models: `transformers serve`, in both of its APIs."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lm_eval.api.instance import Instance

from mplus_eval.backends import Backend, load_backend
from mplus_eval.models.locations import model_faults, resolve_source
from mplus_eval.servers.api import forget
from mplus_eval.spec.model import ModelSpec
from tests.judges.small_judge import free_port, running
from tests.tiny_models import CHAT_TEMPLATE, build_model

NEEDED = ("fastapi", "uvicorn")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"no {' and '.join(MISSING)}: pip install 'transformers[serving]'"),
]
TALK = [{"role": "user", "content": "what is one plus two"}]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = build_model(tmp_path_factory.mktemp("served"), chat_template="{{ bos_token }}" + CHAT_TEMPLATE)
    # The server samples at a temperature only where the checkpoint says that it samples.
    (folder / "generation_config.json").write_text(
        json.dumps({"do_sample": True, "bos_token_id": 0, "eos_token_id": 1})
    )
    return folder


@pytest.fixture(scope="module")
def url(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    command = ["transformers.cli.transformers", "serve", str(checkpoint), "--port", str(port), "--device", "cpu"]
    log = tmp_path_factory.mktemp("serving") / "log"
    with running([*command, "--host", "127.0.0.1"], port, log, {}) as found:
        forget()
        yield found


def spec(url: str, checkpoint: Path, api: Any) -> ModelSpec:
    return ModelSpec(name="m", source=url, model=str(checkpoint), api=api, tokenizer=str(checkpoint))


def connect(model: ModelSpec, backend: str) -> Backend:
    return load_backend(backend, model, resolve_source(model, backend))


def asked(prompt: str, **settings: Any) -> Instance:
    options = {"until": [], "max_gen_toks": 8, "do_sample": False, **settings}
    return Instance("generate_until", {}, (prompt, options), 0)


@pytest.mark.parametrize("api", ["completions", "chat"])
def test_nothing_stands_in_the_way_of_asking(url: str, checkpoint: Path, api: str) -> None:
    assert model_faults(spec(url, checkpoint, api), "openai") == []


def test_its_completions_say_what_the_model_says_here(url: str, checkpoint: Path) -> None:
    here = connect(ModelSpec(name="m", source=str(checkpoint)), "hf")
    there = connect(spec(url, checkpoint, "completions"), "openai")
    assert there.facts.asking is not None
    assert there.facts.asking.api == "completions (no log-probabilities)"
    prompts = ["Question: what", "She said: no,"]
    expected = [each.text for each in here.respond([asked(prompt) for prompt in prompts])]
    assert [each.text for each in there.respond([asked(prompt) for prompt in prompts])] == expected


def test_its_chat_says_what_the_model_says_here(url: str, checkpoint: Path) -> None:
    here = connect(ModelSpec(name="m", source=str(checkpoint)), "hf")
    there = connect(spec(url, checkpoint, "chat"), "openai")
    (expected,) = here.respond([asked(here.render_chat(TALK))])
    (response,) = there.respond([asked(there.render_chat(TALK))])
    assert response.error is None
    assert response.text == expected.text
    assert there.facts.spent is not None
    assert there.facts.spent.tokens_in > 0


def test_samples_that_it_does_not_give_together_are_asked_for_one_by_one(url: str, checkpoint: Path) -> None:
    there = connect(spec(url, checkpoint, "chat"), "openai")
    drawn = [asked(there.render_chat(TALK), do_sample=True, temperature=1.0, seed=seed) for seed in range(3)]
    responses = there.respond(drawn)
    assert [response.error for response in responses] == [None] * 3
    assert len({response.text for response in responses}) > 1
