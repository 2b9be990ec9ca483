from __future__ import annotations

import errno
import io
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
import typer
from typer.core import TyperGroup

from mplus_eval import __version__, cli
from mplus_eval.errors import InterruptedRunError, SpecError


def raising(error: BaseException) -> Callable[..., None]:
    def app(**_: object) -> None:
        raise error

    return app


def left_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    monkeypatch.setattr(cli, "app", raising(error))
    return cli.run([])


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out == f"mplus-eval {__version__}\n"


@pytest.mark.parametrize("command", [[], ["compare"], ["report"], ["tasks"], ["tasks", "list"], ["doctor"]])
def test_help_says_what_a_command_does(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([*command, "--help"]) == 0
    assert "Usage: mplus-eval" in capsys.readouterr().out


def test_help_needs_no_heavy_library() -> None:
    code = (
        "import sys\nfrom mplus_eval import cli\ncli.run(['compare', '--help'])\n"
        "heavy = {'torch', 'transformers', 'lm_eval', 'pandas', 'scipy', 'matplotlib', 'trl', 'datasets'}\n"
        "print('loaded', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "loaded []"


def test_an_unknown_option_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["compare", "--limmit", "3"]) == 2
    assert "--limmit" in capsys.readouterr().err


def test_every_fault_is_a_line_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert left_with(monkeypatch, SpecError(["first fault", "second fault"])) == 2
    assert capsys.readouterr().err == "mplus-eval: first fault\nmplus-eval: second fault\n"


def test_an_interrupt_is_resumable(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert left_with(monkeypatch, KeyboardInterrupt()) == 5
    assert "goes on from there" in capsys.readouterr().err


def test_a_stopped_run_is_resumable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert left_with(monkeypatch, InterruptedRunError("stopped")) == 5


def test_a_full_disk_is_resumable(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert left_with(monkeypatch, OSError(errno.ENOSPC, "No space left on device")) == 5
    assert "disk is full" in capsys.readouterr().err


def test_a_bug_shows_its_traceback_and_where_to_report_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert left_with(monkeypatch, ZeroDivisionError("a bug")) == 70
    err = capsys.readouterr().err
    assert "ZeroDivisionError: a bug" in err
    assert "please report it" in err


def test_another_operating_system_error_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    assert left_with(monkeypatch, OSError(errno.EIO, "input/output error")) == 70


@pytest.mark.parametrize("fault", [errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG])
def test_a_fault_of_a_place_is_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fault: int
) -> None:
    assert left_with(monkeypatch, OSError(fault, "No way", "/its/hidden", None, "/its/place")) == 2
    assert capsys.readouterr().err == "mplus-eval: /its/place: No way\n"


def test_letters_that_the_output_lacks_are_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, where what is piped has 256 letters."""
    piped = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(piped, encoding="cp1252"))
    assert cli.run(["--version"]) == 0
    print("base × mmlu → ≤", flush=True)
    assert piped.getvalue().splitlines()[-1] == "base × mmlu ? ?".encode("cp1252")


def listed(group: TyperGroup, names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """The help of every group of commands, by the names that lead to it."""
    context = group.make_context(" ".join(("mplus-eval", *names)), ["x"], terminal_width=80, resilient_parsing=True)
    yield names, group.get_help(context)
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from listed(command, (*names, name))


def test_what_a_command_does_is_told_whole_within_80_columns() -> None:
    root = typer.main.get_command(cli.app)
    assert isinstance(root, TyperGroup)
    for names, text in listed(root):
        assert "..." not in text.partition("Commands:")[2], names
        assert max(map(len, text.splitlines())) <= 80, names


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_is_stopped_says_that_the_same_command_goes_on(how: signal.Signals) -> None:
    waits = (
        "import time, mplus_eval.cli, mplus_eval.pipeline.run\n"
        "def wait(_):\n    print('waits', flush=True)\n    time.sleep(100)\n"
        "mplus_eval.pipeline.run.load = wait\n"
        "raise SystemExit(mplus_eval.cli.run(['report', '.']))"
    )
    process = subprocess.Popen([sys.executable, "-c", waits], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "waits\n"
    process.send_signal(how)
    _, said = process.communicate(timeout=60)
    assert said == "mplus-eval: stopped; everything finished is stored, and the same command goes on from there\n"
    assert process.returncode == 5
