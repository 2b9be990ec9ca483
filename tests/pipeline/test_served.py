"""Runs whose models are behind a server: what is found, refused, counted, asked again, and kept secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mplus_eval
from mplus_eval import cli
from mplus_eval.backends import openai
from mplus_eval.errors import SpecError
from mplus_eval.pipeline.finished import STAMP
from mplus_eval.servers.failures import Patience
from mplus_eval.store.run_directory import RunDirectory
from tests.conftest import TinyModel
from tests.server import CompletionServer, Reply, serving
from tests.tiny_models import CHAT_TEMPLATE
from tests.toy import write_tasks

KEY = "sk-a-key-that-must-not-be-seen"


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai, "PATIENCE", Patience(timeout=5.0, silence=1.0, tries=2, first_wait=0.01, in_a_row=3))


@pytest.fixture(scope="module")
def checkpoint(tiny_model: TinyModel) -> Path:
    return tiny_model(chat_template=CHAT_TEMPLATE)


@pytest.fixture
def server(checkpoint: Path) -> Iterator[CompletionServer]:
    with serving(CompletionServer(checkpoint)) as server:
        server.usage = {"prompt_tokens": 1000, "completion_tokens": 100}
        yield server


def run(folder: Path, server: CompletionServer, *, suite: str = "", **keys: Any) -> mplus_eval.Run:
    path = write_tasks(folder / "tasks", 6)
    if suite:
        path.write_text(path.read_text() + suite)
    model = {"source": server.url, **keys}
    return mplus_eval.compare(
        {"base": model, "plus": model}, suite=str(path), tasks_dir=folder / "tasks", output=folder / "run"
    )


def stored(folder: Path, model: str, task: str) -> dict[str, Any]:
    return {each.item_id: each for each in RunDirectory(folder / "run").read_outcomes(model, task)}


def test_a_chat_server_is_compared_on_generated_tasks_and_choices_as_letters(
    tmp_path: Path, server: CompletionServer
) -> None:
    server.apis, server.has_tokenizer = ["chat"], False
    found = run(tmp_path, server, suite="choices: generate\n", price_in=2.0, price_out=10.0)
    assert found.comparison.missing == ()
    entry = found.comparison.models["plus"]
    assert entry.asking is not None
    assert (entry.asking.api, entry.chat_template) == ("chat completions (max_tokens)", "one user message")
    sums = found.comparison.tasks["sums"]
    assert (sums.metric, sums.departs) == (
        "letter",
        ("choices asked for as letters instead of scored by log-probabilities",),
    )
    assert sums.chance == pytest.approx(1 / 3)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    told = manifest["models"]["plus"]
    assert told["api"] == "chat completions (max_tokens)"
    assert told["spent"] == {"n_requests": 12, "tokens_in": 12000, "tokens_out": 1200, "n_uncounted": 0}
    assert told["cost"] == pytest.approx(12000 * 2e-6 + 1200 * 10e-6)
    assert "chat completions (max_tokens)" in (tmp_path / "run" / "report.md").read_text()


def test_choices_of_a_server_without_log_probabilities_are_refused_before_anything_runs(
    tmp_path: Path, server: CompletionServer
) -> None:
    server.apis, server.has_tokenizer = ["chat"], False
    with pytest.raises(SpecError) as caught:
        run(tmp_path, server)
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert lines[1] == (
        f"model 'plus': the server {server.url} tells no log-probabilities of a prompt (chat completions), which sums "
        "needs; accepted: a server whose completions take echo and logprobs, as vLLM's, tasks that are generated "
        "(--tasks), or `choices: generate` in the suite"
    )
    assert not (tmp_path / "run").exists()
    assert server.chats == []
    # Asked once, though two models are there.
    assert len(server.probes) == 1


def test_letters_and_log_probabilities_never_meet_in_one_run(tmp_path: Path, server: CompletionServer) -> None:
    server.apis = ["completions", "chat"]
    run(tmp_path, server, suite="choices: generate\n", api="chat")
    (tmp_path / "tasks" / "toy.suite.yaml").unlink()
    with pytest.raises(SpecError, match=r"holds another run, with different .*task definition"):
        run(tmp_path, server, api="completions", tokenizer=str(server.tokenizer.name_or_path))


def test_items_that_failed_outside_the_model_are_asked_again_and_no_others(
    tmp_path: Path, server: CompletionServer, checkpoint: Path
) -> None:
    keys = {"tokenizer": str(checkpoint), "concurrency": 1}
    server.failures = [500, 500]
    run(tmp_path, server, **keys)
    before = stored(tmp_path, "base", "sums")
    (failed,) = [each for each in before.values() if each.error]
    assert failed.error == f"outside the model: the server {server.url} answered 500 (told to fail), 2 times"
    assert failed.score is None
    assert not (tmp_path / "run" / STAMP).exists()

    server.completions.clear()
    found = run(tmp_path, server, **keys)
    # The three choices of one item.
    assert len(server.completions) == 3
    after = stored(tmp_path, "base", "sums")
    assert after[failed.item_id].error is None
    assert after[failed.item_id].score is not None
    assert list(after) == list(before)
    others = [name for name in before if name != failed.item_id]
    assert [after[name] for name in others] == [before[name] for name in others]
    assert found.comparison.tasks["sums"].scores["base"] == found.comparison.tasks["sums"].scores["plus"]
    assert (tmp_path / "run" / STAMP).exists()
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    # 18 choices and 6 texts, one try that failed, and one item once more.
    assert manifest["models"]["base"]["spent"]["n_requests"] == 24 + 1 + 3


def test_an_item_that_the_server_refuses_is_not_asked_again(
    tmp_path: Path, server: CompletionServer, checkpoint: Path
) -> None:
    server.failures = [400]
    run(tmp_path, server, tokenizer=str(checkpoint), concurrency=1)
    assert [each.error for each in stored(tmp_path, "base", "sums").values() if each.error] == [
        f"the server {server.url} answered 400 (told to fail)"
    ]
    server.completions.clear()
    run(tmp_path, server, tokenizer=str(checkpoint), concurrency=1)
    assert server.completions == []


def test_a_cell_whose_server_is_gone_is_missing_and_tried_by_the_next_run(
    tmp_path: Path, server: CompletionServer, checkpoint: Path
) -> None:
    server.failures = [502] * 10_000
    found = run(tmp_path, server, tokenizer=str(checkpoint))
    assert len(found.comparison.missing) == 4
    assert all("ServerError: the server" in each.cause for each in found.comparison.missing)
    server.failures = []
    assert run(tmp_path, server, tokenizer=str(checkpoint)).comparison.missing == ()


def test_a_key_stands_in_no_file_and_no_line(
    tmp_path: Path,
    server: CompletionServer,
    checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.key = KEY
    # A server that repeats the key in what it refuses, for good and in passing.
    said = json.dumps({"error": {"message": f"no such thing for Bearer {KEY}"}})
    server.failures = [Reply(400, said), Reply(500, said), Reply(500, said)]
    suite = write_tasks(tmp_path / "tasks", 6)
    given = ["--suite", str(suite), "--tasks-dir", str(tmp_path / "tasks"), "--output", str(tmp_path / "run")]
    models = [f"{name}={server.url},tokenizer={checkpoint},concurrency=1" for name in ("base", "plus")]
    cli.run(["compare", *models, *given, "--verbose"])
    out, err = capfd.readouterr()
    assert "Report:" in out
    assert KEY not in out + err
    assert "base: " in err
    assert "requests, " in err
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert len(files) > 8
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    errors = [each.error for each in stored(tmp_path, "base", "sums").values() if each.error]
    assert all("no such thing for Bearer ***" in error for error in errors)
    assert errors


@pytest.mark.parametrize(
    "model",
    ["m=http://someone:pass-word-7@127.0.0.1:1/v1", "m=served,base_url=http://someone:pass-word-7@127.0.0.1:1/v1"],
)
def test_a_password_in_an_address_is_refused_and_not_repeated(
    tmp_path: Path, model: str, capfd: pytest.CaptureFixture[str]
) -> None:
    suite = write_tasks(tmp_path / "tasks", 6)
    given = ["--suite", str(suite), "--tasks-dir", str(tmp_path / "tasks"), "--output", str(tmp_path / "run")]
    assert cli.run(["compare", model, *given, "--backend", "openai", "--verbose"]) == 2
    out, err = capfd.readouterr()
    assert "its key is read from OPENAI_API_KEY" in err
    assert "pass-word-7" not in out + err
    assert not (tmp_path / "run").exists()
