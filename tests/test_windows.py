"""What the package may not do if it shall run on Windows too, held by reading it and by taking POSIX's modules away."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path, PureWindowsPath

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("mplus_eval", "tasks", "training", "reports")
POSIX_MODULES = ("crypt", "fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty")
POSIX_NAMES = {
    "os": {"chown", "fork", "geteuid", "getpgid", "getuid", "killpg", "mkfifo", "nice", "setsid", "statvfs", "uname"}
    | {"sched_getaffinity", "O_DIRECTORY", "O_NOFOLLOW", "getloadavg", "WIFEXITED", "waitpid", "register_at_fork"},
    "signal": {"SIGKILL", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGCHLD", "SIGPIPE", "alarm", "setitimer"},
    "time": {"tzset"},
}
OPENERS = {"open", "read_text", "write_text"}


@cache
def nodes() -> tuple[tuple[str, ast.AST], ...]:
    """Everything in the package's modules that is no plain name or value, with the module's path."""
    trees = {
        str(path.relative_to(ROOT)): ast.parse(path.read_text("utf-8"))
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
    }
    return tuple(
        (path, node)
        for path, tree in trees.items()
        for guarded in [_guarded(tree)]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Attribute | ast.Call) and node not in guarded
    )


def _guarded(tree: ast.Module) -> set[ast.AST]:
    """What is tried, and done without where it cannot be imported."""
    tried = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Try)
        and any(handler.type and "ImportError" in ast.unparse(handler.type) for handler in node.handlers)
    ]
    return {inner for node in tried for statement in node.body for inner in ast.walk(statement)}


def test_no_module_of_posix_is_imported_but_where_it_can_be_done_without() -> None:
    imported = {
        (name.partition(".")[0], path)
        for path, node in nodes()
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }

    assert "json" in {name for name, _ in imported}, "something must have been read"
    # The lock that several machines hold together, for `--executor shared` alone, which is refused on Windows.
    assert [each for each in imported if each[0] in POSIX_MODULES] == [("fcntl", "mplus_eval/store/run_directory.py")]


def test_no_function_of_posix_is_called() -> None:
    used = [
        f"{node.value.id}.{node.attr} in {path}"
        for path, node in nodes()
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.attr in POSIX_NAMES.get(node.value.id, ())
    ]

    assert used == []


def test_text_is_read_and_written_with_its_encoding_named() -> None:
    """Windows takes cp1252 where none is named."""
    nameless = [
        f"{path}:{node.lineno}"
        for path, node in nodes()
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute | ast.Name)
        and (node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id) in OPENERS
        and not _names_encoding(node)
    ]

    assert nameless == []


def _names_encoding(call: ast.Call) -> bool:
    """Whether a call says an encoding, or opens bytes, or a handle of the operating system, or a file in an archive."""
    texts = [each.value for each in call.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    # What stands in an archive is bytes.
    is_os = isinstance(call.func, ast.Attribute) and ast.unparse(call.func) in ("os.open", "archive.open")
    if is_os or any("b" in text for text in texts if len(text) <= 3) or any(text == "utf-8" for text in texts):
        return True
    return any(keyword.arg in ("encoding", None) for keyword in call.keywords)


@pytest.mark.parametrize("folder", [*FOLDERS, "docs", "tests", "benchmarks"])
def test_no_file_has_a_name_that_windows_refuses(folder: str) -> None:
    names = [path.relative_to(ROOT) for path in (ROOT / folder).rglob("*")]
    refused = [name for name in names if set(name.name) & set('<>:"|?*\\') or name.name.endswith((".", " "))]

    assert names
    assert refused == []
    assert [name for name in names if PureWindowsPath(name).is_reserved()] == []


def test_the_command_line_and_the_lock_do_without_fcntl(tmp_path: Path) -> None:
    # Other modules of POSIX are imported by libraries, which know by the platform when they may.
    script = f"""
import sys
sys.modules["fcntl"] = None  # an import of it fails, as on Windows
from pathlib import Path
import mplus_eval.cli
from mplus_eval.errors import UsageError
from mplus_eval.store.run_directory import RunDirectory
directory = RunDirectory(Path({str(tmp_path / "run")!r}))
with directory.locked():
    try:
        with directory.locked():
            print("held twice")
    except UsageError as error:
        print(str(error).rpartition(": ")[2])
with directory.locked():
    print("held again")
sys.exit(mplus_eval.cli.run(["report", {str(tmp_path / "run")!r}]))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.stdout.splitlines() == ["another mplus-eval is working in this directory", "held again"]
    assert "holds no comparison.json" in done.stderr
    assert done.returncode == 2
