from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from mplus_eval.servers.waiting import asked_wait, may_pass


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "2"}, 2.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"Retry-After": "Fri, 01 Jan 2021 00:00:00 GMT"}, 0.0),
        ({"x-ratelimit-reset-requests": "1s", "x-ratelimit-remaining-requests": "0"}, 1.0),
        ({"x-ratelimit-reset-tokens": "6m0s", "x-ratelimit-reset-requests": "20ms"}, 360.0),
        ({"X-RateLimit-Reset-Tokens": "1m30.5s", "X-RateLimit-Remaining-Tokens": "12"}, None),
        ({"ratelimit-reset": "7"}, 7.0),
        ({"x-ratelimit-reset": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_a_server_says_in_many_ways_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert asked_wait(headers) == seconds


def test_a_date_that_is_to_come_is_waited_for() -> None:
    then = datetime.now(UTC) + timedelta(seconds=30)
    for value in (format_datetime(then, usegmt=True), then.isoformat(), str(int(time.time()) + 30)):
        assert asked_wait({"Retry-After": value}) == pytest.approx(30, abs=2)


def test_an_answer_asks_to_wait_only_when_a_limit_is_used_up() -> None:
    headers = {"x-ratelimit-reset-requests": "1s"}
    assert asked_wait(headers, limited=False) is None
    assert asked_wait({**headers, "x-ratelimit-remaining-requests": "0"}, limited=False) == 1.0


@pytest.mark.parametrize(("status", "passes"), [(400, False), (404, False), (408, True), (429, True), (501, False)])
def test_some_statuses_pass(status: int, passes: bool) -> None:
    assert may_pass(status) is passes
