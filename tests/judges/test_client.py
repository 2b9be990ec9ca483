from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from mplus_eval.judges.base import PairwiseItem, Question
from mplus_eval.judges.cache import JudgeVerdict
from mplus_eval.judges.client import JudgeClient
from mplus_eval.judges.endpoint import Endpoint
from mplus_eval.judges.errors import UnansweredError
from mplus_eval.judges.prompt import JudgePrompt, pairwise_prompt
from mplus_eval.servers.usage import UsageTracker
from tests.judges.server import KEY, NAME, ChatServer, Failure, asked_text, prefers, refusing, serving, verdict

GARBAGE = "I would rather not say."
PROMPT = pairwise_prompt(PairwiseItem(Question("1", "writing", ("Say something.",)), 1, ("good",), ("bad",)))


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with serving(ChatServer(prefers("good"))) as server:
        yield server


def client_at(server: ChatServer, waits: list[float] | None = None, **keys: Any) -> JudgeClient:
    """A client that takes no time between tries."""
    endpoint = Endpoint(server.url, NAME, **{"timeout_seconds": 20.0, "tries": 3, **keys})
    return JudgeClient(endpoint, UsageTracker(), (waits if waits is not None else []).append)


def cause_of(client: JudgeClient, prompt: JudgePrompt = PROMPT) -> str:
    with pytest.raises(UnansweredError) as caught:
        client.ask(prompt)
    return caught.value.cause


def test_a_verdict_has_its_reason_and_its_tokens(server: ChatServer) -> None:
    assert client_at(server).ask(PROMPT) == JudgeVerdict("A", "It is better.", 100, 10)


def test_tokens_of_a_failed_try_and_replies_without_a_count_are_tracked(server: ChatServer) -> None:
    replies = iter((GARBAGE, verdict("B")))
    server.script = lambda body: next(replies)
    usage = UsageTracker()
    client = JudgeClient(Endpoint(server.url, NAME), usage, lambda seconds: None)
    client.ask(PROMPT)
    assert (usage.n_requests, usage.tokens_in, usage.tokens_out, usage.n_uncounted) == (2, 200, 20, 0)
    server.script, server.usage = prefers("good"), None
    assert client.ask(PROMPT).tokens_in == 0
    assert (usage.n_requests, usage.tokens_in, usage.n_uncounted) == (3, 200, 1)


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(Failure(500), id="500"),
        pytest.param(Failure(503), id="503"),
        pytest.param(Failure(429), id="429"),
        pytest.param(Failure(408), id="408"),
        pytest.param(Failure(cut=True), id="cut connection"),
        pytest.param(Failure(content="<html>bad gateway</html>", headers={"Content-Type": "text/html"}), id="a page"),
        pytest.param(Failure(content="{"), id="half a JSON"),
        pytest.param(Failure(content='{"choices": []}'), id="no choice"),
        pytest.param(Failure(content='{"choices": [{"message": {"content": null}}]}'), id="no text"),
        pytest.param(Failure(content='[]'), id="a list"),
    ],
)  # fmt: skip
def test_a_passing_failure_is_tried_again(server: ChatServer, failure: Failure) -> None:
    server.failures = [failure]
    waits: list[float] = []
    assert client_at(server, waits).ask(PROMPT).value == "A"
    assert (len(server.asked), len(waits)) == (2, 1)


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        (Failure(500), "the judge scripted answered 500 (told to fail), 3 times"),
        (Failure(429), "the judge scripted answered 429 (told to fail), 3 times"),
        (Failure(content="{"), "the judge scripted answered what is no completion ({), 3 times"),
        (GARBAGE, f"the judge scripted gave no verdict at the end of its reply ({GARBAGE}), 3 times"),
    ],
)
def test_a_lasting_failure_is_told_with_the_number_of_tries(
    server: ChatServer, reply: str | Failure, cause: str
) -> None:
    server.script = lambda body: reply
    assert cause_of(client_at(server)) == cause
    assert len(server.asked) == 3


def test_a_try_after_garbage_is_random_and_the_third_is_plain(server: ChatServer) -> None:
    server.script = lambda body: GARBAGE
    cause_of(client_at(server))
    assert [body["temperature"] for body in server.asked] == [0.0, 0.7, 0.7]
    assert ["response_format" in body for body in server.asked] == [True, True, False]
    assert asked_text(server.asked[2]).endswith("[[C]] when neither is.")


def test_a_silent_server_is_given_up(server: ChatServer) -> None:
    server.script = lambda body: Failure(hangs=True)
    cause = cause_of(client_at(server, timeout_seconds=0.2, tries=2))
    assert cause == "the judge scripted did not answer within 0.2 s, 2 times"


def test_a_server_that_is_gone_is_named_as_such() -> None:
    with serving(ChatServer(prefers("good"))) as server:
        client = client_at(server)
    cause = cause_of(client)
    assert cause.startswith("the judge scripted could not be reached (")
    assert cause.endswith("refused), 3 times")


def test_the_pause_that_the_server_asks_for_is_kept(server: ChatServer) -> None:
    in_90_seconds = format_datetime(datetime.now(UTC) + timedelta(seconds=90))
    server.failures = [Failure(429, {"Retry-After": "77"}), Failure(503, {"Retry-After": in_90_seconds})]
    waits: list[float] = []
    client_at(server, waits).ask(PROMPT)
    assert waits == [77.0, pytest.approx(80, abs=10)]


def test_an_hours_pause_is_not_waited_for(server: ChatServer) -> None:
    server.script = lambda body: Failure(429, {"Retry-After": "3600"})
    waits: list[float] = []
    cause = cause_of(client_at(server, waits))
    assert cause == "the judge scripted answered 429 (told to fail) and asks to wait 3600 s"
    assert waits == []


def test_pauses_without_a_wish_grow_and_stay_below_half_a_minute(server: ChatServer) -> None:
    server.script = lambda body: Failure(500)
    waits: list[float] = []
    cause_of(client_at(server, waits, tries=9))
    assert all(0 <= wait <= min(2**number, 30) for number, wait in enumerate(waits))
    assert len(waits) == 8


def test_a_refused_key_is_not_tried_again(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.key = KEY
    monkeypatch.setenv("OPENAI_API_KEY", "sk-another")
    assert cause_of(client_at(server)) == "the judge scripted answered 401 (wrong key Bearer ***)"


def test_the_key_may_stand_in_another_variable(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.key = KEY
    monkeypatch.setenv("JUDGE_KEY", KEY)
    assert client_at(server, key_variable="JUDGE_KEY").ask(PROMPT).value == "A"


def test_a_server_that_fails_for_good_is_not_asked_on_and_on(server: ChatServer) -> None:
    server.script = lambda body: Failure(500)
    client = client_at(server)
    causes = [cause_of(client) for _ in range(12)]
    assert len(server.asked) == 10 * 3
    assert set(causes[10:]) == {"not asked, since 10 questions in a row had failed"}


@pytest.mark.parametrize("reply", [GARBAGE, Failure(400)])
def test_questions_that_a_living_judge_cannot_answer_do_not_stop_the_rest(
    server: ChatServer, reply: str | Failure
) -> None:
    server.script = lambda body: reply
    client = client_at(server)
    for _ in range(12):
        cause_of(client)
    server.script = prefers("good")
    assert client.ask(PROMPT).value == "A"


def test_nothing_is_asked_or_waited_for_once_it_is_stopping(server: ChatServer) -> None:
    server.script = lambda body: Failure(500)
    client = JudgeClient(Endpoint(server.url, NAME, tries=500), UsageTracker(), None)
    threading.Timer(0.5, client.stopping.set).start()
    cause_of(client)
    assert 1 <= len(server.asked) < 50
    assert cause_of(client) == "not asked, since the run was stopped"


@pytest.mark.parametrize(
    ("script", "n_asked"),
    [
        (refusing(), 1),
        (refusing(maximum=True), 2),
        (refusing(schema=True), 3),
        (refusing(older=True), 4),
        (refusing(older=True, maximum=True), 5),
        (refusing(older=True, schema=True), 6),
    ],
)
def test_the_format_that_a_server_takes_is_found_once(
    server: ChatServer, script: Callable[[dict[str, Any]], str | Failure], n_asked: int
) -> None:
    server.script = script
    client = client_at(server)
    assert client.ask(PROMPT).value == "C"
    assert len(server.asked) == n_asked
    client.ask(PROMPT)
    assert len(server.asked) == n_asked + 1


def test_a_server_that_takes_no_format_is_told_by_its_first_refusal(server: ChatServer) -> None:
    server.script = lambda body: Failure(404, content='{"error": {"message": "no such model"}}')
    assert cause_of(client_at(server)) == "the judge scripted answered 404 (no such model)"
    assert len(server.asked) == 6


@pytest.mark.parametrize(("ending", "cut"), [("", True), ("}", False)])
def test_a_reply_that_was_cut_is_no_verdict_unless_its_object_is_whole(
    server: ChatServer, ending: str, cut: bool
) -> None:
    server.finish_reason = "length"
    server.script = lambda body: verdict("A") if ending else "The first answer prints\n[[A]]"
    client = client_at(server)
    if cut:
        assert cause_of(client) == "the judge scripted came to no end within max_tokens, 3 times"
    else:
        assert client.ask(PROMPT).value == "A"


def test_a_quoted_object_at_the_end_of_a_reply_that_was_cut_is_no_verdict(server: ChatServer) -> None:
    server.finish_reason = "length"
    server.script = lambda body: f"B answers with {verdict('B')}"
    assert cause_of(client_at(server)) == "the judge scripted came to no end within max_tokens, 3 times"


def test_two_verdicts_in_one_reply_are_none_with_that_cause(server: ChatServer) -> None:
    server.script = lambda body: "[[A]]\n[[B]]"
    cause = "the judge scripted gave different verdicts in one reply, A and B ([[A]] [[B]]), 3 times"
    assert cause_of(client_at(server)) == cause


def test_half_a_surrogate_pair_in_a_reply_is_fit_to_be_stored(server: ChatServer) -> None:
    server.script = lambda body: "Half \ud83d of it.\n[[A]]"
    reason = client_at(server).ask(PROMPT).reason
    assert reason.encode("utf-8").decode("utf-8") == reason == "Half ? of it."
