"""The floors of pyproject.toml: import-linter lets the package pass, and refuses each kind of wrong import by name."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("mplus_eval", "tasks", "training", "reports")
AT_THE_TOP = "import {}\n"
IN_A_FUNCTION = "def later() -> object:\n    import {} as late\n\n    return late\n"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package's Python files in a folder of their own, with the links to the folders at the top level."""
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, tmp_path / folder, symlinks=True, ignore=_all_but_python)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_package_keeps_the_floors(copy: Path) -> None:
    done = _lint_imports(copy)

    assert done.returncode == 0, done.stdout
    assert "Contracts: 2 kept, 0 broken." in done.stdout


@pytest.mark.parametrize("statement", [AT_THE_TOP, IN_A_FUNCTION], ids=["at the top", "in a function"])
@pytest.mark.parametrize(
    ("place", "imported", "contract"),
    [
        ("mplus_eval/store", "mplus_eval.pipeline", "Each folder imports only the floors below it"),
        ("mplus_eval/harmlessness", "mplus_eval.conversation", "Each folder imports only the floors below it"),
        ("training", "mplus_eval.pipeline", "Each folder imports only the floors below it"),
        ("training/data", "mplus_eval.cli", "Each folder imports only the floors below it"),
        ("reports", "mplus_eval.statistics", "A report needs errors, records and the store alone"),
    ],
)
def test_a_wrong_import_is_refused_by_name(
    copy: Path, place: str, imported: str, contract: str, statement: str
) -> None:
    (copy / place / "planted.py").write_text(statement.format(imported))

    done = _lint_imports(copy)

    package = place if place.startswith("mplus_eval") else f"mplus_eval/{place}"
    assert done.returncode == 1
    assert f"{contract} BROKEN" in done.stdout
    assert f"{package.replace('/', '.')}.planted -> {imported}" in done.stdout


def test_a_folder_on_no_floor_is_refused(copy: Path) -> None:
    (copy / "mplus_eval" / "annexe").mkdir()
    (copy / "mplus_eval" / "annexe" / "__init__.py").touch()

    done = _lint_imports(copy)

    assert done.returncode == 1
    assert "annexe" in done.stdout


def test_nothing_goes_round_the_floors_by_the_public_names() -> None:
    """`mplus_eval.compare` is found when it is asked for, by a name in a table: no linter sees where it lies."""
    imported = [
        f"{name.name} by {path.relative_to(ROOT)}"
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "mplus_eval" and not node.level
        for name in node.names
    ]

    assert [entry for entry in imported if not entry.startswith("__version__ by ")] == []
    assert imported, "the version stands in the manifest, so something must have been read"


def _lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache", "--no-logo"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def _all_but_python(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if not (name.endswith(".py") or (Path(folder) / name).is_dir())} | {"__pycache__"}
