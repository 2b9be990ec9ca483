"""Whatever happens to the files of a finished run, the next one ends in the same comparison or in one line."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mplus_eval import cli
from tests.damage import flip, truncate, zero
from tests.toy import RuleBackend, write_checkpoint, write_tasks

Break = Callable[[Path], None]


class Stand:
    """A small finished run, copies of it, and the command that made it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.suite = write_tasks(path / "tasks", 6)
        self.models = [f"{name}={write_checkpoint(path / name, len(name))}" for name in ("base", "plus")]
        assert self.compare(path / "run") == 0
        self.comparison = (path / "run" / "comparison.json").read_bytes()

    def compare(self, output: Path) -> int:
        options = ["--suite", str(self.suite), "--tasks-dir", str(self.path / "tasks"), "--output", str(output)]
        return cli.run(["compare", *self.models, *options, "--quiet"])

    def copy(self, output: Path) -> Path:
        return Path(shutil.copytree(self.path / "run", output, symlinks=True))


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mplus_eval.pipeline.executors.worker.load_backend", lambda _, spec, __: RuleBackend(spec.name))
        yield Stand(tmp_path_factory.mktemp("stand"))


def nothing(path: Path) -> None:
    path.write_bytes(b"")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "inside").write_text("x")


def link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def to_nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("/nonexistent/nowhere")


def foreign(path: Path) -> None:
    path.write_text('{"another": ["program"]}')


FAULTS: tuple[Break, ...] = (flip, truncate, zero, nothing, folder, link, to_nowhere, foreign)


def end(stand: Stand, output: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Run again; either the comparison is the undisturbed one, or one line is returned that was said."""
    capsys.readouterr()
    code = stand.compare(output)
    said = capsys.readouterr().err
    assert "Traceback" not in said, said
    if code == 0:
        assert (output / "comparison.json").read_bytes() == stand.comparison
        return ""
    assert code == 2, said
    (line,) = said.splitlines()
    assert str(output) in line
    return line


PART = "answers/plus/sums/part-00000.parquet"


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        (PART, flip),
        ("outcomes/base/words/part-00000.parquet", truncate),
        ("answers/plus/words/part-00000.parquet", folder),
        ("comparison.json", flip),
        (".finished.json", zero),
        ("manifest.json", truncate),
    ],
)
def test_what_is_damaged_is_made_again(
    stand: Stand, tmp_path: Path, name: str, fault: Break, capsys: pytest.CaptureFixture[str]
) -> None:
    output = stand.copy(tmp_path / "run")
    fault(output / name)
    assert end(stand, output, capsys) == ""


@pytest.mark.parametrize("name", [PART, "comparison.json", "answers/plus", "figures", ".lock"])
def test_a_link_is_named_and_neither_followed_nor_written_through(
    stand: Stand, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    output, elsewhere = stand.copy(tmp_path / "run"), tmp_path / "elsewhere"
    if (output / name).exists():
        (output / name).rename(elsewhere)
    else:
        elsewhere.mkdir()
    (output / name).symlink_to(elsewhere)
    before = {path: path.read_bytes() for path in [elsewhere, *elsewhere.rglob("*")] if path.is_file()}
    assert f"{output / name}: " in end(stand, output, capsys)
    for command in (["report", str(output)], ["export", str(output), "--format", "csv"]):
        assert cli.run(command) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert f"{output / name}: " in line
    assert {path: path.read_bytes() for path in [elsewhere, *elsewhere.rglob("*")] if path.is_file()} == before


def test_a_file_where_a_models_folder_should_be_is_named(
    stand: Stand, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = stand.copy(tmp_path / "run")
    shutil.rmtree(output / "answers" / "plus")
    (output / "answers" / "plus").write_text("x")
    assert f"{output / 'answers' / 'plus'}: a folder of this run is expected there" in end(stand, output, capsys)


def test_what_killed_runs_left_half_written_is_cleared_by_the_next(
    stand: Stand, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from mplus_eval.store.files import _machine

    output = stand.copy(tmp_path / "run")
    (output / ".finished.json").unlink()
    left = output / "answers" / "plus" / "sums" / f".part-00000.parquet.{_machine()}.{2**22 + 1}.17"
    living = left.with_name(f".part-00000.parquet.{_machine()}.{os.getppid()}.17")
    for path in (left, living):
        path.write_bytes(b"half")
    assert end(stand, output, capsys) == ""
    assert (left.exists(), living.exists()) == (False, True)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(4))
def test_no_random_damage_of_any_file_changes_a_number(
    stand: Stand, tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(seed)
    names = sorted(str(path.relative_to(stand.path / "run")) for path in (stand.path / "run").rglob("*"))
    for number in range(40):
        output = stand.copy(tmp_path / f"run-{number}")
        files = [name for name in names if (output / name).is_file()]
        for name in chance.sample(files, chance.choice((1, 1, 2, 5))):
            fault = chance.choice((flip, flip, flip, *FAULTS))
            if fault is flip:
                if (output / name).stat().st_size:
                    flip(output / name, chance.random())
            else:
                fault(output / name)
        end(stand, output, capsys)
        shutil.rmtree(output)
