from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval import cli
from tests.cli.test_compare import toy_arguments
from tests.reports import build


def test_a_report_is_rendered_again_from_what_is_stored(
    tmp_path: Path,
    tiny_model,
    capsys: pytest.CaptureFixture[str],  # type: ignore[no-untyped-def]
) -> None:
    cli.run(toy_arguments(tmp_path, f"base={tiny_model()}", f"plus={tiny_model(seed=1)}"))
    page = tmp_path / "run" / "report.html"
    before = page.read_bytes()
    page.unlink()
    capsys.readouterr()

    assert cli.run(["report", str(tmp_path / "run")]) == 0
    assert page.read_bytes() == before
    assert str(page) in capsys.readouterr().out


def test_the_items_that_the_report_holds_are_chosen_and_their_size_is_said(
    tmp_path: Path,
    tiny_model,
    capsys: pytest.CaptureFixture[str],  # type: ignore[no-untyped-def]
) -> None:
    arguments = toy_arguments(tmp_path, f"base={tiny_model()}", f"plus={tiny_model(seed=1)}")
    cli.run([*arguments, "--items", "flips"])
    run, page = tmp_path / "run", tmp_path / "run" / "report.html"
    assert "MB, of which items 0.1 MB" in capsys.readouterr().out
    chosen = page.read_bytes()

    assert cli.run(["report", str(run), "--items", "none"]) == 0
    assert "of which items" not in capsys.readouterr().out
    assert cli.run(["report", str(run), "--items", "all"]) == 0
    assert len(page.read_bytes()) > len(chosen)
    # As the run was made.
    assert cli.run(["report", str(run)]) == 0
    assert page.read_bytes() == chosen


def test_a_directory_without_a_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["report", str(tmp_path)]) == 2
    assert "holds no comparison.json" in capsys.readouterr().err


def test_a_short_report_is_written_for_a_comment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build.write_run(tmp_path, build.of_size(3, 2))
    assert cli.run(["report", str(tmp_path), "--short"]) == 0
    short = tmp_path / "report-short.md"
    assert "model-1 and model-2 compared with model-0" in short.read_text(encoding="utf-8")
    assert f"For a comment: {short}" in capsys.readouterr().out
