"""A run directory from somebody else is data: names in it open nothing, run nothing and write nowhere."""

from __future__ import annotations

import json
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from mplus_eval import cli
from mplus_eval.store.sealed import read_sealed, write_sealed
from tests.exports.runs import write_every_axis
from tests.toy import write_checkpoint, write_tasks

NAMES = ("../../x", "a/b", "..", "a\x1b[31mb", "a\nb", "a\x00b", "-x", "", "x" * 300, "é")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with every axis; to be copied."""
    return write_every_axis(tmp_path_factory.mktemp("foreign") / "run")


def commands(run: Path, out: Path) -> list[list[str]]:
    """Every command that reads a run directory."""
    models = [f"{name}={write_checkpoint(out / name, len(name))}" for name in ("base", "plus")]
    tasks = ["--suite", str(write_tasks(out / "tasks")), "--tasks-dir", str(out / "tasks")]
    return [
        ["report", str(run), "--quiet"],
        ["gate", str(run)],
        ["export", str(run), "--format", "csv"],
        ["report", str(run), "--model-card", "plus"],
        ["report", str(run), "--push", "dataset:org/name", "--dry-run"],
        ["conversation", "export", str(run), str(out / "pairs.csv")],
        ["conversation", "import", str(run), str(out / "pairs.csv")],
        ["conversation", "rejudge", str(run), "--judge", "reward"],
        ["toxicity", "rescore", str(run), "--scorer", "words"],
        ["contamination", *models, *tasks, "--into", str(run)],
        ["power", "--from", str(run), *tasks],
    ]


def renamed(document: dict[str, Any], what: str, name: str) -> dict[str, Any]:
    """A comparison in which one model, task, set of prompts or set of dialogues is called otherwise."""
    if what == "set":
        sets = document["toxicity"]["sets"]
        return document | {"toxicity": document["toxicity"] | {"sets": {name: next(iter(sets.values()))}}}
    if what == "talk":
        return document | {"conversation": document["conversation"] | {"name": name}}
    old = {"model": "plus", "task": "gsm8k"}[what]
    changed: dict[str, Any] = json.loads(json.dumps(document).replace(json.dumps(old), json.dumps(name)))
    return changed


@pytest.mark.parametrize("what", ["model", "task", "set", "talk"])
def test_names_are_held_to_what_the_command_line_accepts(
    run: Path, tmp_path: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = Path(shutil.copytree(run, tmp_path / "in" / "run"))
    document = read_sealed(directory / "comparison.json")
    everything = {path for path in tmp_path.rglob("*") if path.is_file()}
    for name in NAMES:
        write_sealed(directory / "comparison.json", renamed(document, what, name))
        assert cli.run(["gate", str(directory)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert f"{directory / 'comparison.json'}: the name {name[:100]!r}" in line
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == everything


def test_every_command_refuses_them(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = Path(shutil.copytree(run, tmp_path / "in" / "run"))
    write_sealed(
        directory / "comparison.json", renamed(read_sealed(directory / "comparison.json"), "task", "../../../x")
    )
    for command in commands(directory, tmp_path / "out"):
        assert cli.run(command) == 2, command
        assert "the name '../../../x'" in capsys.readouterr().err, command


def test_what_is_said_of_a_model_that_is_not_there_is_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = Path(shutil.copytree(run, tmp_path / "run"))
    document = read_sealed(directory / "comparison.json")
    write_sealed(directory / "comparison.json", document | {"baseline": "nobody"})
    assert cli.run(["gate", str(directory)]) == 2
    assert "'nobody' is named and is none of its models" in capsys.readouterr().err


def test_no_command_imports_or_asks_what_stands_in_a_run(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = Path(shutil.copytree(run, tmp_path / "run"))
    document = read_sealed(directory / "comparison.json")
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')\ndef judge(*_): return 0.0\n")
    monkeypatch.chdir(tmp_path)
    asked: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", lambda _, address: asked.append(address))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-a1b2c3d4e5f6")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    for judge in ("function:evil:judge", "llm:m@http://127.0.0.1:9/v1"):
        talk = document["conversation"] | {"judge_sources": [judge], "dialogues": "org/evil"}
        write_sealed(directory / "comparison.json", document | {"conversation": talk})
        for command in commands(directory, tmp_path / "out")[:-2]:
            assert cli.run(command) in (0, 1, 2, 4), command
    assert "evil" not in sys.modules
    assert asked == []
    said = capsys.readouterr().err
    assert "imported" not in said
    assert "'org/evil' of the hub, which is not asked for what a stored run names" in said
    # The verdicts of people are there, and what judged beside them must be named again.
    talk = document["conversation"] | {"judge_sources": ["function:evil:judge"], "dialogues": "demo"}
    write_sealed(directory / "comparison.json", document | {"conversation": talk})
    assert cli.run(["conversation", "import", str(directory), "pairs.csv"]) == 2
    assert "name it again with --judge 'function:evil:judge'" in capsys.readouterr().err


def test_a_run_that_is_only_looked_at_for_its_times_is_not_followed_either(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = Path(shutil.copytree(run, tmp_path / "run"))
    elsewhere = tmp_path / "elsewhere.json"
    (directory / "manifest.json").rename(elsewhere)
    (directory / "manifest.json").symlink_to(elsewhere)
    models = [f"{name}={write_checkpoint(tmp_path / name, len(name))}" for name in ("base", "plus")]
    tasks = ["--suite", str(write_tasks(tmp_path / "tasks")), "--tasks-dir", str(tmp_path / "tasks")]
    for more in (["--from-run", str(directory)], ["--output", str(directory)]):
        assert cli.run(["plan", *models, *tasks, *more, "--dry-run", "--quiet"]) == 2
        assert "a file of this run is expected there, found a link" in capsys.readouterr().err
