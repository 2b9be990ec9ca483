"""A real server without structured output: `transformers serve`, which passes over `response_format`."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from mplus_eval.judges.base import Question, SingleAnswer
from mplus_eval.judges.endpoint import Endpoint, endpoint_faults
from mplus_eval.judges.llm import LlmJudge
from tests.judges.small_judge import build_judge, free_port, pairings, running

NEEDED = ("fastapi", "uvicorn")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"no {' and '.join(MISSING)}: pip install 'transformers[serving]'"),
]


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    folder = tmp_path_factory.mktemp("served")
    model, port = build_judge(folder / "judge"), free_port()
    command = ["transformers.cli.transformers", "serve", str(model), "--port", str(port), "--device", "cpu"]
    # The server listens at localhost by its own choice.
    with running([*command, "--host", "127.0.0.1"], port, folder / "log", {}) as url:
        yield Endpoint(url, str(model), concurrency=2, tries=2)


def test_nothing_stands_in_the_way_of_asking(endpoint: Endpoint) -> None:
    assert endpoint_faults(endpoint) == []


def test_pairs_are_judged_end_to_end(endpoint: Endpoint, tmp_path: Path) -> None:
    judge = LlmJudge(endpoint, tmp_path)
    judgements = judge.judge(pairings(10))
    assert [one.cause for one in judgements] == [None] * 10
    assert {(one.preference, one.consistent) for one in judgements} == {(0.5, False)}
    assert (judge.usage.n_requests, judge.usage.n_uncounted) == (20, 0)
    # The verdict and the end of the turn.
    assert 20 <= judge.usage.tokens_out <= 40


def test_a_judge_that_gives_verdicts_alone_gives_no_grades(endpoint: Endpoint) -> None:
    question = Question("1", "math", ("What comes after 1?",), ("It is 2.",))
    graded = LlmJudge(endpoint, sleep=lambda seconds: None).grade([SingleAnswer(question, 1, ("It is 2.",))])[0]
    assert graded.grade is None
    assert graded.cause == f"the judge {endpoint.model} gave no grade at the end of its reply ([[A]]), 2 times"
