from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mplus_eval.harmlessness import axis as harmlessness_axis
from mplus_eval.harmlessness import score as scoring_module
from tests.talkers import Bench, plain, rude

WAIT_SECONDS = 60


class Elsewhere:
    """A scorer that computes on another device than the models, and tells when it was first asked."""

    name, fingerprint, labels = "words", "elsewhere", ("toxicity",)

    def __init__(self, device: str = "cuda:1", fails_in_threads: bool = False) -> None:
        self.device, self.fails_in_threads = device, fails_in_threads
        self.began = threading.Event()
        self.threads: list[str] = []

    def score(self, texts: Sequence[str]) -> Any:
        self.threads.append(threading.current_thread().name)
        self.began.set()
        if self.fails_in_threads and threading.current_thread() is not threading.main_thread():
            raise MemoryError("not in a thread")
        return np.full((len(texts), 1), 0.25)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(harmlessness_axis, "PART_PROMPTS", 20)
    found = Bench(tmp_path, {"base": rude, "plus": plain})
    found.suite["harmlessness"] |= {"refusals": None, "likelihood_samples": 0}
    return found


def use(scorer: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    monkeypatch.setattr(scoring_module, "load_scorer", lambda name: scorer)
    return scorer


def test_texts_are_scored_while_the_model_goes_on_elsewhere(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = use(Elsewhere(), monkeypatch)
    n_calls: list[Any] = []

    def before(requests: Sequence[Any]) -> None:
        n_calls.extend(requests[:1])
        # The second part is answered only when the first is being scored: without overlap this would never come.
        if len(n_calls) == 2:
            assert scorer.began.wait(WAIT_SECONDS)

    _, failures = bench.evaluate(before)
    assert failures == {}
    assert {row["score"] for row in bench.rows("outcomes", "plus", "provoking")} == {0.25}


def test_on_the_models_own_device_nothing_is_scored_beside_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = use(Elsewhere("cpu"), monkeypatch)
    bench.evaluate()
    assert set(scorer.threads) == {threading.main_thread().name}


def test_what_failed_in_the_thread_is_scored_again_with_the_cell(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    use(Elsewhere(fails_in_threads=True), monkeypatch)
    monkeypatch.setattr(scoring_module, "score_texts", lambda scorer, texts, _prompts: scorer.score(texts))
    _, failures = bench.evaluate()
    assert failures == {}
    assert {row["score"] for row in bench.rows("outcomes", "base", "ordinary")} == {0.25}
