from __future__ import annotations

import logging

import pytest

from mplus_eval.redaction import RedactingFormatter, without_secrets

KEY = "sk-a1b2c3d4e5f6"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://jo:secret@host/v1", "https://***@host/v1"),
        ("llm:qwen@http://token@host:8000/v1", "llm:qwen@http://***@host:8000/v1"),
        ("http://host/v1?api_key=sk-1&n=2", "http://host/v1?api_key=***&n=2"),
        ("'http://host/v1?n=2&X-Amz-Signature=ab%3D'", "'http://host/v1?n=2&X-Amz-Signature=***'"),
        ("http://host/v1?access_token=ab#part", "http://host/v1?access_token=***#part"),
        ("llm:qwen@http://host:8000/v1", "llm:qwen@http://host:8000/v1"),
        ("write to jo@host.org, or see http://host/?page=2", "write to jo@host.org, or see http://host/?page=2"),
    ],
)
def test_what_opens_doors_within_a_url_is_blotted_out(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


def test_keys_of_the_environment_are_blotted_out_wherever_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("HF_TOKEN", f"{KEY}-longer")
    monkeypatch.setenv("LOCAL_API_KEY", "EMPTY")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "perhaps-so")
    text = f"EMPTY: {KEY}-longer was refused, and {KEY} too, perhaps-so"
    assert without_secrets(text) == "EMPTY: *** was refused, and *** too, perhaps-so"


def test_logs_are_written_without_them_their_tracebacks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    try:
        raise ValueError(f"no {KEY}")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("lib", logging.WARNING, "file", 1, "sent %s", (KEY,), info)
    line = RedactingFormatter("%(levelname)s %(message)s").format(record)
    assert KEY not in line
    assert line.startswith("WARNING sent ***\nTraceback")
    assert line.endswith("ValueError: no ***")
