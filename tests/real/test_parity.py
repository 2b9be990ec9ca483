"""Two real models answer as lm-eval's own HFLM has them answer: log-probabilities, greedy flags, texts, every metric.

HFLM loads the checkpoint by itself and asks one request at a time. It pays for every prompt in full, and Gemma for its
262,144 tokens at every position, so choices are asked without examples but for MMLU's, and Gemma is asked fewer items.

Log-probabilities are equal to 1e-4 nats, or 1e-6 of their size. HFLM's log-softmax is computed in float64 for that, by
its own option: in float32 torch loses small terms of the sum over a large vocabulary, and log-probabilities come out
too high, by 8.0e-6 nats a token for SmolLM2 and 2.1e-5 for Gemma.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from lm_eval.models.huggingface import HFLM

from mplus_eval.backends.hf import HfModel
from mplus_eval.capability.items import load_tasks
from mplus_eval.spec.limit import Limit
from mplus_eval.spec.suite import SuiteTask
from tests.hflm_parity import Differences, compare
from tests.real.conftest import RealModel
from tests.real.models import GEMMA, SMOL, loaded

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]


class Sides(NamedTuple):
    """A model twice."""

    name: str
    ours: HfModel
    theirs: HFLM


class Asked(NamedTuple):
    """A task of lm-eval, how many of its items each model is asked, and behind how many examples."""

    task: str
    n_smol: int
    n_gemma: int
    shots: int | None = 0


SCORED = (
    Asked("arc_easy", 50, 10),
    Asked("arc_challenge", 50, 10),
    Asked("hellaswag", 30, 10),
    Asked("winogrande", 50, 25),
    Asked("race", 2, 1),
    Asked("race_middle", 2, 1),
    Asked("mmlu_abstract_algebra", 10, 5, shots=5),
    Asked("mmlu_marketing", 10, 5, shots=5),
    Asked("agieval_aqua_rat", 4, 2),
    Asked("agieval_logiqa_en", 4, 2),
    Asked("agieval_lsat_ar", 1, 1),
    Asked("agieval_sat_math", 2, 1),
)
GENERATED = (
    Asked("gsm8k_cot", 4, 2, shots=8),
    Asked("agieval_math", 2, 1),
    Asked("bbh_cot_fewshot_snarks", 1, 1, shots=3),
)


@pytest.fixture(scope="module", params=(GEMMA, SMOL))
def sides(request: pytest.FixtureRequest, real_model: RealModel) -> Iterator[Sides]:
    """Both loaders over one checkpoint."""
    path = real_model(request.param)
    theirs = HFLM(pretrained=str(path), dtype="float32", softmax_dtype="float64", device="cpu", batch_size=1)
    ours = loaded(path)
    yield Sides(request.param, ours, theirs)
    ours.close()


def test_prefixes_are_shared_by_a_tree(sides: Sides) -> None:
    tier = sides.ours.facts.scoring
    assert tier is not None
    assert (tier.name, tier.why) == ("tree", "")
    assert sides.ours.facts.dtype == "float32"


@pytest.mark.parametrize("asked", SCORED, ids=lambda asked: asked.task)
def test_scores_are_hflms(sides: Sides, asked: Asked, benchmark_data: Path) -> None:
    found = differences(sides, asked, benchmark_data)
    assert found.requests >= 2 * n_items(sides, asked)
    assert not found.is_fault, found


@pytest.mark.parametrize("asked", GENERATED, ids=lambda asked: asked.task)
def test_texts_are_hflms(sides: Sides, asked: Asked, benchmark_data: Path) -> None:
    found = differences(sides, asked, benchmark_data)
    assert found.requests == n_items(sides, asked)
    assert not found.is_fault, found


def n_items(sides: Sides, asked: Asked) -> int:
    return asked.n_smol if sides.name == SMOL else asked.n_gemma


def differences(sides: Sides, asked: Asked, data_dir: Path) -> Differences:
    task = SuiteTask(name=asked.task, lm_eval=asked.task, shots=asked.shots)
    (ready,) = load_tasks([task], data_dir=data_dir, tasks_dir=None)
    return compare(ready, Limit(n_items(sides, asked)), sides.ours, sides.theirs)
