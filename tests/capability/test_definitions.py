from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from mplus_eval.capability import definitions
from mplus_eval.capability.definitions import Definition, local_definitions, stock_definitions
from tests.task_files import write_task, write_yaml


@pytest.fixture
def stock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small folder in place of lm-eval's own, and a cache of its own."""
    folder = tmp_path / "lm_eval" / "tasks"
    folder.mkdir(parents=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(definitions, "find_spec", lambda _: SimpleNamespace(origin=folder.parent / "__init__.py"))
    stock_definitions.cache_clear()
    yield folder
    stock_definitions.cache_clear()


def test_tasks_groups_and_tags_are_found(stock: Path) -> None:
    write_task(stock / "sums", "sums", tag="arithmetic")
    write_yaml(stock / "all.yaml", {"group": "all", "task": ["sums"]})
    assert dict(stock_definitions()) == {
        "sums": Definition("sums", "task", stock / "sums" / "sums.yaml"),
        "all": Definition("all", "group", stock / "all.yaml"),
        "arithmetic": Definition("arithmetic", "tag", None, ("sums",)),
    }


def test_what_was_found_is_remembered(stock: Path) -> None:
    path = write_task(stock, "sums")
    first = dict(stock_definitions())
    path.unlink()
    stock_definitions.cache_clear()
    assert dict(stock_definitions()) == first


def test_the_packages_definition_comes_before_the_users(tmp_path: Path) -> None:
    write_task(tmp_path, "race_middle")
    path = local_definitions(tmp_path)["race_middle"].path
    assert path is not None
    assert tmp_path not in path.parents


def test_a_suite_in_the_folder_is_no_task(tmp_path: Path) -> None:
    write_yaml(tmp_path / "s.yaml", {"name": "s", "tasks": [{"name": "a", "lm_eval": "boolq"}]})
    assert "s" not in local_definitions(tmp_path)
