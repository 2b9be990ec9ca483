"""Keys and passwords stand in nothing that a run leaves or says, and in no child's list of arguments."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mplus_eval import cli
from mplus_eval.models import templates
from tests.tiny_models import CHAT_TEMPLATE
from tests.toy import RuleBackend, write_checkpoint, write_tasks

SECRETS = {"OPENAI_API_KEY": "sk-a1b2c3d4e5f6", "HF_TOKEN": "hf_q9w8e7r6t5y4", "WANDB_API_KEY": "w-1234567890ab"}
PASSWORD = "correct-horse"


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def assert_told_nowhere(folder: Path, *texts: str) -> None:
    """No secret stands in a text or in a file, in any encoding that we write."""
    files = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for secret in (*SECRETS.values(), PASSWORD):
        assert not [text for text in texts if secret in text]
        assert not [name for name, content in files.items() if secret.encode() in content]
        assert not [name for name in files if secret in name]


class Indiscreet(RuleBackend):
    """Logs and raises what nobody should see, as libraries do with what they were given."""

    def respond(self, requests: Any) -> Any:
        for name, value in SECRETS.items():
            logging.getLogger("mplus_eval.loose").warning("sent with %s=%s", name, value)
        logging.getLogger("urllib3").error("GET https://jo:%s@host/x?api_key=%s", PASSWORD, SECRETS["HF_TOKEN"])
        if self.name == "plus":
            raise ValueError(f"https://jo:{PASSWORD}@host refused Bearer {SECRETS['OPENAI_API_KEY']}")
        return super().respond(requests)


def models(folder: Path) -> list[str]:
    return [f"{name}={write_checkpoint(folder / name, len(name))}" for name in ("base", "plus")]


def test_nothing_that_a_run_leaves_or_says_holds_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mplus_eval.pipeline.executors.worker.load_backend", lambda _, spec, __: Indiscreet(spec.name))
    suite, output = write_tasks(tmp_path / "tasks", 3), tmp_path / "run"
    tasks = ["--suite", str(suite), "--tasks-dir", str(suite.parent), "--output", str(output)]
    command = ["compare", *models(tmp_path), *tasks, "--verbose"]
    # What a user wrote on the command line stands in the manifest, and so in the report.
    monkeypatch.setattr(sys, "argv", ["mplus-eval", *command, f"https://jo:{PASSWORD}@host/?token={PASSWORD}"])
    handlers = list(logging.getLogger().handlers)
    logging.getLogger().handlers.clear()
    try:
        assert cli.run(command) == 3
    finally:
        logging.getLogger().handlers[:] = handlers
    out, err = capfd.readouterr()
    assert "sent with OPENAI_API_KEY=***" in err
    assert "https://***@host refused Bearer ***" in err
    assert "https://***@host/?token=***" in (output / "manifest.json").read_text()
    assert "https://***@host refused Bearer ***" in (output / "comparison.json").read_text()
    assert_told_nowhere(output, out, err)


@pytest.mark.parametrize(
    "given",
    [
        [f"other=http://jo:{PASSWORD}@127.0.0.1:9/v1"],
        [f"other=http://127.0.0.1:9/v1?api_key={PASSWORD}"],
        [f"other=x,base_url=ftp://jo:{PASSWORD}@host/v1,backend=openai"],
        [f"http://jo:{PASSWORD}@host/v1"],
        ["--judge", f"llm:m@http://jo:{PASSWORD}@127.0.0.1:9/v1"],
        ["--judge", f"llm:m@http://127.0.0.1:9/v1?api_key={PASSWORD}"],
        ["--data-dir", f"https://jo:{PASSWORD}@host/data"],
        ["--config", f"https://jo:{PASSWORD}@host/config.yaml"],
        ["--suite", f"/nowhere/{SECRETS['HF_TOKEN']}.yaml"],
    ],
)
def test_what_is_refused_is_named_without_its_password(
    tmp_path: Path, given: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    suite = write_tasks(tmp_path / "tasks", 3)
    tasks = [] if "--suite" in given else ["--suite", str(suite), "--tasks-dir", str(suite.parent)]
    output = tmp_path / "run"
    assert cli.run(["compare", *models(tmp_path), *given, *tasks, "--output", str(output), "--quiet"]) == 2
    out, err = capfd.readouterr()
    assert err.startswith("mplus-eval: ")
    assert_told_nowhere(output, out, err)


def test_a_bug_is_told_with_its_traceback_and_without_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"with {SECRETS['OPENAI_API_KEY']} in it")

    monkeypatch.setattr("mplus_eval.pipeline.run.run", broken)
    assert cli.run(["compare", *models(tmp_path), "--suite", str(write_tasks(tmp_path / "tasks", 3))]) == 70
    out, err = capfd.readouterr()
    assert "RuntimeError: with *** in it" in err
    assert_told_nowhere(tmp_path / "run", out, err)


def test_a_child_is_told_no_key_in_its_arguments_or_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[Any, dict[str, str]]] = []

    class Recorded(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, arguments: Any, env: dict[str, str], **options: Any) -> None:
            started.append((arguments, env))
            super().__init__(arguments, env=env, **options)

    monkeypatch.setattr(templates.subprocess, "Popen", Recorded)
    assert templates.template_faults(CHAT_TEMPLATE, {"bos_token": "<s>", "eos_token": "</s>"}, "model 'm'") == []
    ((arguments, environment),) = started
    assert not [secret for secret in SECRETS.values() if secret in " ".join(arguments)]
    assert not set(SECRETS) & set(environment)
