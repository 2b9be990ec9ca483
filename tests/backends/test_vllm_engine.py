"""The real engine: what vLLM says of a small model beside what transformers says of it, on a processor."""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lm_eval.api.instance import Instance

import mplus_eval
from mplus_eval.backends import load_backend
from mplus_eval.models.locations import ModelLocation, model_faults
from mplus_eval.spec.model import ModelSpec
from tests.backends.requests import choices, generations, texts
from tests.tiny_models import build_model
from tests.toy import write_tasks

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.timeout(900),
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="no vllm: make test-vllm brings it"),
]

TOLERANCE = 1e-4
"""Nats of a log-probability in float32, as docs/vllm.md states."""
KEYS: dict[str, Any] = {"dtype": "float32", "max_length": 512, "enforce_eager": True}


@pytest.fixture(scope="module")
def one_process() -> Iterator[None]:
    """The engine in this process, which starts sooner."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
        patch.setenv("VLLM_CPU_OMP_THREADS_BIND", "nobind")
        patch.setenv("VLLM_NO_USAGE_STATS", "1")
        yield


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Heads of 32, since vLLM has no smaller ones on a processor.
    return build_model(tmp_path_factory.mktemp("model"), architecture="wide", context=1024, brief=True)


@pytest.fixture(scope="module")
def sides(checkpoint: Path, one_process: None) -> Iterator[tuple[Any, Any]]:
    here, there = (
        load_backend(name, ModelSpec(name="m", source=str(checkpoint), **keys), ModelLocation(checkpoint))
        for name, keys in (("hf", {**KEYS, "enforce_eager": False}), ("vllm", KEYS))
    )
    yield here, there
    there.close()


def test_nothing_stands_in_the_way_and_what_would_is_named(checkpoint: Path) -> None:
    model = ModelSpec(name="m", source=str(checkpoint), engine={"block_size": 64, "max_num_seqs": 8}, **KEYS)
    assert model_faults(model, "vllm") == []
    wrong = {"block_sise": 64, "kv_cache_dtype": "fp9", "max_num_seqs": "many"}
    lines = model_faults(model.model_copy(update={"engine": wrong}), "vllm")
    assert [line.split(": ")[2].split()[0] for line in lines] == ["'block_sise'", "kv_cache_dtype", "max_num_seqs"]


def test_the_check_chose_a_tier_that_reads_the_prefix_cache(sides: tuple[Any, Any]) -> None:
    """Which one depends on the build: asked ids need vLLM's newer model runner, which processors have with Triton."""
    scoring = sides[1].facts.scoring
    assert scoring.name in ("prefix cache", "prompt rows")
    assert scoring.difference <= scoring.tolerance == pytest.approx(2e-4, rel=10)
    assert sides[1].facts.dtype == "float32"


def test_asked_ids_of_a_prompt_say_the_same(sides: tuple[Any, Any], checkpoint: Path) -> None:
    """By vLLM's newer model runner, in a process of its own (`vllm_interpreted`)."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.backends.vllm_interpreted", str(checkpoint)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=800,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["tier"], told["why"]) == ("prefix cache", "")
    expected = [each for requests in (choices(), texts()) for each in sides[0].respond(requests)]
    for (value, greedy), other in zip(told["scores"], expected, strict=True):
        assert value == pytest.approx(other.log_probability, abs=TOLERANCE)
        assert greedy == other.is_greedy


def test_choices_and_whole_texts_are_scored_as_by_transformers(sides: tuple[Any, Any]) -> None:
    for requests in (choices(), texts()):
        here, there = (backend.respond(requests) for backend in sides)
        for mine, other in zip(there, here, strict=True):
            assert mine.log_probability == pytest.approx(other.log_probability, abs=TOLERANCE)
            assert mine.is_greedy == other.is_greedy
            assert (mine.prompt_tokens, mine.scored_tokens) == (other.prompt_tokens, other.scored_tokens)


def test_greedy_continuations_are_told_from_near_ones(sides: tuple[Any, Any]) -> None:
    here, there = sides
    prompt = "A river runs from"
    (written,) = here.respond([Instance("generate_until", {}, (prompt, {"until": [], "max_gen_toks": 6}), 0)])
    ids = here.lm.encoding.encode([prompt])[0]
    best = here.lm.encoding.bare([written.text])[0]
    pairs = [(None, ids, best[:n]) for n in (1, 2, 3, len(best))]
    pairs += [(None, ids, [*best[:n], 7]) for n in (0, 1, 2)]
    flags = [each.is_greedy for each in here.lm.score_encoded(pairs)]
    assert {True, False} == set(flags)
    assert [each.is_greedy for each in there._score(pairs)] == flags


def test_shared_contexts_come_from_the_cache(sides: tuple[Any, Any]) -> None:
    from vllm import SamplingParams

    assert SamplingParams(prompt_logprobs=1).skip_reading_prefix_cache
    engine = sides[1].scorer.engine
    shared = list(range(20, 220))
    outputs = engine.run(
        [[*shared, 7], [*shared, 8]], [{"max_tokens": 1, "temperature": 0.0, "logprob_token_ids": [5, 6]}] * 2
    )
    block = 32
    assert outputs[1].num_cached_tokens == len(shared) // block * block


def test_texts_are_those_of_transformers(sides: tuple[Any, Any]) -> None:
    more = [
        Instance("generate_until", {}, ("A river", {"until": until, "max_gen_toks": 24, "do_sample": False}), 0)
        for until in ([], ["e"], ["\n", "o"])
    ]
    for requests in (generations(), more):
        here, there = (backend.respond(requests) for backend in sides)
        assert there == here


def test_samples_depend_on_prompt_seed_and_number_alone(sides: tuple[Any, Any]) -> None:
    """Of 25 samples, asked as one request, the k-th is what the first one's seed and k more give."""
    options = {"until": [], "max_gen_toks": 8, "do_sample": True, "temperature": 2.0, "top_p": 0.99}
    drawn = [
        Instance("generate_until", {}, (prompt, {**options, "seed": 1000 * number + 3}), number)
        for prompt in ("She said", "A river")
        for number in range(25)
    ]
    together = [each.text for each in sides[1].respond(drawn)]
    assert len(set(together[:25])) > 5
    assert [each.text for each in sides[1].respond(drawn[25:])] == together[25:]
    alone = [Instance("generate_until", {}, ("She said", {**options, "seed": 3 + number}), 0) for number in (0, 7, 24)]
    found = [sides[1].respond([each])[0].text for each in alone]
    assert found == [together[number] for number in (0, 7, 24)]


def test_a_comparison_by_both_backends_has_the_same_scores(checkpoint: Path, one_process: None, tmp_path: Path) -> None:
    suite = write_tasks(tmp_path / "tasks")
    models = {
        "here": {"source": str(checkpoint), "dtype": "float32"},
        "vllm": {"source": str(checkpoint), "backend": "vllm", **KEYS},
    }
    run = mplus_eval.compare(models, suite=str(suite), tasks_dir=tmp_path / "tasks", output=tmp_path / "run")
    assert run.comparison.missing == ()
    entry = run.comparison.models["vllm"]
    assert entry.scoring is not None
    assert entry.scoring.name != "plain"
    for task in run.comparison.tasks.values():
        values = [task.scores[name].value for name in models]
        assert not any(value is None or math.isnan(value) for value in values)
        assert values[0] == values[1]
