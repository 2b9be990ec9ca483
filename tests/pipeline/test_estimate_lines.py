from __future__ import annotations

from dataclasses import replace

import pytest

from mplus_eval.backends.work import Work
from mplus_eval.pipeline.estimate import Estimate, ModelEstimate
from mplus_eval.pipeline.estimate_lines import NOT_KNOWN, estimate_lines
from mplus_eval.pipeline.speed import Span

WORK = Work(
    items=1200, requests=4800, sent=2_340_000, scored=310_000, read=41_000, texts=200, written=51_200, stored=7.1e6
)
MODEL = ModelEstimate("base", WORK, 0.4, Span(200, 240, 300), Span(100, 120, 300), None, n_gpus=0)
ESTIMATE = Estimate(4, 0, (MODEL,), 80_000_000_000, at_most=False, not_timed={}, beside=())


def test_one_model_is_told_in_four_lines() -> None:
    assert list(estimate_lines(ESTIMATE)) == [
        "plan: 4 cells, 1,200 items, 4,800 requests",
        "tokens: 310 k to score, 41 k of prompts to go on from (every prefix once; 2.3 M without), "
        "up to 51 k to generate",
        "time: about 6 min (5 min to 10 min): scoring 4 min, generation 2 min",
        "disk: about 7.1 MB; 80 GB are free",
    ]


def test_several_models_have_a_line_each() -> None:
    plus = replace(MODEL, name="plus-long", loading=60.0)
    lines = list(estimate_lines(replace(ESTIMATE, models=(MODEL, plus))))
    assert "  base       about 6 min (5 min to 10 min)" in lines
    assert "  plus-long  about 7 min (6 min to 11 min), loading 60 s" in lines


def test_gpu_hours_price_and_what_comes_on_top_are_told() -> None:
    model = replace(MODEL, n_gpus=1, price=1.234)
    lines = list(
        estimate_lines(replace(ESTIMATE, models=(model,), beside=("toxicity scorers (75 texts)", "judges (8 texts)")))
    )
    assert lines[2].endswith("; 0.1 GPU hours; toxicity scorers (75 texts) and judges (8 texts) come on top, not timed")
    assert lines[-1] == "price: up to 1.23, in the currency of the models' prices"


def test_a_model_over_four_gpus_takes_the_hours_of_four() -> None:
    assert replace(ESTIMATE, models=(replace(MODEL, n_gpus=4),)).gpu_hours == pytest.approx(4 * (0.4 + 360) / 3600)


def test_time_that_is_not_known_is_told_as_such() -> None:
    model = replace(MODEL, scoring=None)
    lines = list(estimate_lines(replace(ESTIMATE, models=(model,), not_timed={"base": "OSError: no such file"})))
    assert lines[2:4] == ["base: could not be measured: OSError: no such file", NOT_KNOWN]


def test_stored_cells_and_rounds_are_told() -> None:
    assert next(estimate_lines(replace(ESTIMATE, n_stored=1, at_most=True))) == (
        "plan: 3 cells, at most 1,200 items, 4,800 requests; 1 of 4 cells are stored"
    )
    assert list(estimate_lines(replace(ESTIMATE, models=()))) == ["plan: 4 cells, all of them stored"]


def test_what_several_workers_take_together_is_told() -> None:
    shared = replace(ESTIMATE, n_workers=4, together=Span(60, 90, 130))
    assert list(estimate_lines(shared))[2] == (
        "time: about 90 s (60 s to 2 min) by 4 workers: scoring 4 min, generation 2 min"
    )
