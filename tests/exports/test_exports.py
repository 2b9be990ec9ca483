"""The table of formats, and the command."""

from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval import cli
from mplus_eval.errors import UsageError
from mplus_eval.exports import FORMATS, export


def test_every_format_has_a_module_that_writes(run_directory: Path, tmp_path: Path) -> None:
    for kind in FORMATS:
        written = export(run_directory, kind, tmp_path / kind)
        assert written
        assert all(path.is_file() and path.is_relative_to(tmp_path / kind) for path in written)
        on_disk = {path for path in (tmp_path / kind).rglob("*") if path.is_file()}
        assert on_disk == set(written)


def test_an_unknown_format_is_refused_with_what_was_meant(run_directory: Path) -> None:
    with pytest.raises(UsageError, match="--format 'lmeval': did you mean lm-eval"):
        export(run_directory, "lmeval")


def test_a_folder_without_a_run_and_a_file_for_an_output_are_refused(run_directory: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no comparison\.json"):
        export(tmp_path, "csv")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        export(run_directory, "csv", tmp_path / "file")


def test_the_command_names_what_it_wrote(
    run_directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["export", str(run_directory), "--format", "latex", "--output", str(tmp_path)]) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / "decision.tex"), str(tmp_path / "matrix.tex")]
    assert cli.run(["export", str(run_directory), "--format", "docx"]) == 2
    assert "known: parquet, csv" in capsys.readouterr().err
