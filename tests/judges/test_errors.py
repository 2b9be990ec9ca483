from __future__ import annotations

import httpx
import openai
import pytest

from mplus_eval.judges.endpoint import Endpoint
from mplus_eval.judges.errors import UnansweredError, UnreadableError, shown, unanswered
from tests.judges.server import KEY

ENDPOINT = Endpoint("http://127.0.0.1:8000/v1", "scripted", timeout_seconds=7)
REQUEST = httpx.Request("POST", ENDPOINT.base_url)


def refusal(status: int, body: object = None, **headers: str) -> UnansweredError:
    response = httpx.Response(
        status, request=REQUEST, headers={name.replace("_", "-"): headers[name] for name in headers}
    )
    return unanswered(openai.APIStatusError("refused", response=response, body=body), ENDPOINT)


@pytest.mark.parametrize(
    ("status", "passing", "of_server"),
    [
        (400, False, False), (401, False, True), (404, False, True), (408, True, True), (409, True, True),
        (413, False, False), (422, False, False), (425, True, True), (429, True, True), (500, True, True),
        (501, False, True), (503, True, True),
    ],
)  # fmt: skip
def test_a_status_tells_whether_to_try_again_and_whose_fault_it_is(status: int, passing: bool, of_server: bool) -> None:
    error = refusal(status)
    assert (error.status, error.passing, error.of_server) == (status, passing, of_server)


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ({"message": "told to fail"}, "answered 500 (told to fail)"),
        ({"detail": "no such model"}, "answered 500 (no such model)"),
        ({}, "answered 500 (Internal Server Error)"),
        ("a page\n of text", "answered 500 (a page of text)"),
        (None, "answered 500 (Internal Server Error)"),
    ],
)
def test_a_refusal_says_what_the_server_said(body: object, cause: str) -> None:
    assert refusal(500, body).cause == cause


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("77", 77.0), ("0.5", 0.5), ("-3", 0.0), ("Fri, 01 Jan 2021 00:00:00 GMT", 0.0), ("soon", None), ("", None)],
)
def test_a_wish_to_wait_is_a_number_or_a_date(header: str, seconds: float | None) -> None:
    assert refusal(429, retry_after=header).retry_after == seconds


def test_a_longer_wait_than_anybody_waits_is_no_wish_to_be_asked_again() -> None:
    error = refusal(429, retry_after="3600")
    assert error.cause == "answered 429 (Too Many Requests) and asks to wait 3600 s"
    assert not error.passing


def test_a_server_that_is_silent_or_gone_may_be_asked_again() -> None:
    silent = unanswered(openai.APITimeoutError(REQUEST), ENDPOINT)
    assert (silent.cause, silent.passing, silent.of_server) == ("did not answer within 7 s", True, True)
    lost = openai.APIConnectionError(request=REQUEST)
    lost.__cause__ = OSError("connection refused")
    gone = unanswered(lost, ENDPOINT)
    assert (gone.cause, gone.passing) == ("could not be reached (connection refused)", True)


def test_a_reply_that_cannot_be_read_is_not_the_servers_fault() -> None:
    error = UnreadableError("said nothing")
    assert (error.passing, error.of_server) == (True, False)


def test_of_a_long_text_the_end_is_shown_in_one_line_without_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert shown(f"You sent\n{KEY}.", ENDPOINT) == "You sent ***."
    assert shown("a" * 200 + "the end", ENDPOINT) == "\u2026 " + "a" * 73 + "the end"
