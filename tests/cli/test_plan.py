from __future__ import annotations

import json
from pathlib import Path

import pytest

from mplus_eval import cli
from mplus_eval.pipeline import remembered
from tests.toy import write_tasks


def arguments(folder: Path, command: str, *models: str) -> list[str]:
    suite = write_tasks(folder / "tasks")
    given = ["--suite", str(suite), "--tasks-dir", str(folder / "tasks"), "--output", str(folder / "run")]
    return [command, *models, *given]


def test_a_plan_is_told_and_leaves_nothing(
    tmp_path: Path,
    tiny_model,
    capsys: pytest.CaptureFixture[str],  # type: ignore[no-untyped-def]
) -> None:
    models = [f"base={tiny_model()}", f"plus={tiny_model(seed=1)}"]
    assert cli.run(arguments(tmp_path, "plan", *models)) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "plan: 4 cells, 48 items, 96 requests"
    assert out[2].startswith("time: about ")
    assert [line.split()[0] for line in out[3:5]] == ["base", "plus"]
    assert out[5].startswith("disk: about ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tasks"]


def test_a_dry_run_ends_there_and_takes_its_times_from_another(
    tmp_path: Path,
    tiny_model,
    capsys: pytest.CaptureFixture[str],  # type: ignore[no-untyped-def]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remembered, "cache_directory", lambda: tmp_path / "cache")
    model = f"base={tiny_model()}"
    assert cli.run([*arguments(tmp_path, "compare", model), "--dry-run"]) == 0
    out, _ = capsys.readouterr()
    assert "time: not known before something is measured" in out
    assert not (tmp_path / "run").exists()

    assert cli.run(arguments(tmp_path, "compare", model)) == 0
    assert "plan: 2 cells, 24 items, 48 requests" in capsys.readouterr().err
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert (manifest["estimate"]["items"], manifest["estimate"]["seconds"]) == (24, None)
    assert manifest["outcome"]["seconds"] == manifest["seconds"]
    assert manifest["outcome"]["disk_bytes"] > 1000

    again = [*arguments(tmp_path, "compare", model), "--output", str(tmp_path / "second"), "--dry-run"]
    assert cli.run([*again, "--from-run", str(tmp_path / "run")]) == 0
    assert "time: about " in capsys.readouterr().out
    assert not (tmp_path / "second").exists()


def test_a_run_that_is_none_is_one_line(tmp_path: Path, tiny_model, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    given = arguments(tmp_path, "plan", f"base={tiny_model()}")
    assert cli.run([*given, "--from-run", str(tmp_path / "nowhere"), "--quiet"]) == 2
    assert capsys.readouterr().err == (
        f"mplus-eval: --from-run {tmp_path / 'nowhere'}: holds no manifest.json; "
        "the directory of a finished run is accepted\n"
    )


def test_what_is_wrong_is_said_before_anything_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([*arguments(tmp_path, "plan", "base=./nowhere"), "--quiet"]) == 2
    assert "nowhere" in capsys.readouterr().err
