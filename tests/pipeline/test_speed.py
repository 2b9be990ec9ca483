from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from lm_eval.api.instance import Instance

from mplus_eval.backends.base import LoadedModel, Response
from mplus_eval.backends.work import Draw, Work
from mplus_eval.pipeline.speed import Calibration, Rate, Span, Speed


class Clocked:
    """A backend of known speed: a clock that only it moves.

    A token that is scored or read takes a millisecond, a token that is written ten; answers are eight tokens long.
    """

    facts = LoadedModel("rule", "float32", 7, "cuda:0")
    requests_per_call = 64
    opened = None

    def __init__(self, length: int = 8) -> None:
        self.now, self.length, self.asked = 0.0, length, 0

    def respond(self, requests: Sequence[Any]) -> list[Response]:
        self.asked += len(requests)
        responses = []
        for request in requests:
            if request.request_type == "generate_until":
                limit = request.args[1]["max_gen_toks"]
                # What ends an answer is taken from those that are timed.
                n_tokens = min(limit, self.length) if request.args[1]["until"] else limit
                self.now += 0.001 * len(request.args[0]) / 4 + 0.01 * n_tokens
                responses.append(Response(text="", n_tokens=n_tokens))
            else:
                self.now += 0.001 * (len("".join(request.args)) / 4 - 1)
                responses.append(Response(log_probability=-1.0, is_greedy=False))
        return responses

    def close(self) -> None:
        pass


def choice(number: int) -> list[Instance]:
    return [Instance("loglikelihood", {}, (f"{number:04}bbbb", "cccc"), 0)]


def question(number: int) -> list[Instance]:
    return [Instance("generate_until", {}, (f"{number:04}bbbb", {"until": ["\n"], "max_gen_toks": 32}), 0)]


def measured(backend: Clocked, seconds: float = 30.0) -> Speed:
    draws = {
        "choices": [Draw(500, [choice(number) for number in range(64)])],
        "texts": [Draw(500, [question(number) for number in range(64)])],
    }
    return Calibration(backend, None, clock=lambda: backend.now).measure(draws, seconds, loading=2.0)  # type: ignore[arg-type]


def test_what_is_measured_is_the_speed_that_the_model_has() -> None:
    speed = measured(Clocked())
    assert (speed.loading, speed.device) == (2.0, "cuda:0")
    assert speed.scoring["choices"].seconds_for(1000) == pytest.approx(1.0)
    assert speed.writing["texts"].seconds_for(1000) == pytest.approx(10.0)
    # Reading is timed with one new token, which takes ten milliseconds of twelve.
    assert speed.reading["texts"].seconds_for(1000) == pytest.approx(6.0)
    assert set(speed.shares["texts"]) == {0.25}


def test_measuring_takes_about_as_long_as_it_may() -> None:
    slow = Clocked(length=400)
    measured(slow, seconds=3.0)
    assert 1.0 < slow.now < 4.5
    quick = Clocked()
    measured(quick, seconds=1000.0)
    assert quick.asked >= 64 * 4
    assert quick.now < 60


def test_a_task_is_estimated_by_its_own_rates() -> None:
    scoring = {"a": Rate(100, 1.0), "b": Rate(100, 3.0)}
    speed = Speed(0.0, None, scoring, {"g": Rate(10, 1.0)}, {"g": Rate(10, 2.0)}, {"g": [0.5] * 4})
    a = speed.scoring_seconds("a", Work(scored=200))
    assert a == Span(pytest.approx(2 / 1.25), pytest.approx(2.0), pytest.approx(2.5))
    # Another task: both together, 200 tokens in 4 seconds, and further off.
    assert speed.scoring_seconds("c", Work(scored=200)) == Span.around(4.0, 1.6)
    # Ten tokens are read in one second; twenty of forty written in four.
    g = speed.generation_seconds("g", Work(read=10, written=40))
    assert g == Span(pytest.approx(5 / 1.25), pytest.approx(5.0), pytest.approx(5 * 1.25))
    assert speed.scoring_seconds("g", Work(written=40)) == Span()


def test_how_answers_lengths_differ_makes_the_range() -> None:
    speed = Speed(0.0, None, {}, {"g": Rate(1, 0.0)}, {"g": Rate(1, 1.0)}, {"g": [0.4, 0.6, 0.4, 0.6]})
    # Mean 0.5, standard deviation 0.1155, of the mean 0.0577: twice that on both sides.
    span = speed.generation_seconds("g", Work(read=1, written=100))
    assert span is not None
    assert (span.low * 1.25, span.middle, span.high / 1.25) == pytest.approx((38.453, 50.0, 61.547), abs=1e-3)


def test_of_few_answers_little_is_known() -> None:
    speed = Speed(0.0, None, {}, {"g": Rate(1, 0.0)}, {"g": Rate(1, 1.0)}, {"g": [0.3, 0.3]})
    span = speed.generation_seconds("g", Work(read=1, written=100))
    assert span is not None
    assert (span.low * 1.25, span.middle, span.high / 1.25) == pytest.approx((15.0, 30.0, 60.0))


def test_what_was_not_measured_is_not_known() -> None:
    speed = Speed(0.0, None, {"a": Rate(100, 1.0)}, {}, {}, {})
    assert speed.generation_seconds("g", Work(written=5)) is None
    assert speed.generation_seconds("g", Work()) == Span()


def test_an_uncertain_count_widens_the_range() -> None:
    speed = Speed(0.0, None, {"a": Rate(100, 1.0)}, {}, {}, {})
    span = speed.scoring_seconds("a", Work(scored=100, variance=25.0**2))
    assert span == Span.around(1.0, 1.25 + 0.5)
