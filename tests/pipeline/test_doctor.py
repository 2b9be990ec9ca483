from __future__ import annotations

import os
import socket
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from mplus_eval.pipeline import doctor
from mplus_eval.pipeline.doctor import Check, checks

PYPROJECT = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
DECLARED = PYPROJECT["project"]["dependencies"]


def by_name(looked_at: Iterable[Check]) -> dict[str, Check]:
    return {check.name: check for check in looked_at}


@pytest.fixture(scope="module")
def everything() -> dict[str, Check]:
    """All checks, of the package as if it were installed from this folder."""
    with pytest.MonkeyPatch.context() as patch:
        plain = metadata.version
        patch.setattr(
            metadata, "requires", lambda _: [*DECLARED, 'pytest>=8; extra == "dev"', 'tomli; python_version < "3"']
        )
        patch.setattr(metadata, "version", lambda name: "0.1.0" if name == doctor.PACKAGE else plain(name))
        return by_name(checks())


def test_whatever_is_missing_says_how_to_mend_it(everything: dict[str, Check]) -> None:
    assert all(check.mend for check in everything.values() if check.ok is False)
    assert all(check.mend is None for check in everything.values() if check.ok is True)


def test_every_declared_dependency_is_looked_at_and_no_extra(everything: dict[str, Check]) -> None:
    own = {f"package {Requirement(line).name}" for line in DECLARED}
    assert {name for name in everything if name.startswith("package ")} == {*own, "package mplus-eval"}


def test_a_package_that_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PACKAGE", "no-such-package")
    _, check = doctor._installation()
    assert (check.ok, check.mend) == (False, "pip install .")


def test_what_is_installed_for_these_tests_is_in_its_range(everything: dict[str, Check]) -> None:
    wrong = [check for name, check in everything.items() if name.startswith("package ") and check.ok is not True]
    assert wrong == []


@pytest.mark.parametrize(
    ("asked", "ok", "said"),
    [
        ("pydantic>=2", True, metadata.version("pydantic")),
        ("pydantic<2", False, f"{metadata.version('pydantic')}, but <2 is needed"),
        ("no-such-package>=1", False, "missing"),
    ],
)
def test_a_version_is_held_against_its_range(asked: str, ok: bool, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PACKAGE", "pytest")
    monkeypatch.setattr(metadata, "requires", lambda _: [asked])
    *_, check = doctor._installation()
    assert (check.ok, check.found) == (ok, said)
    assert check.mend == (None if ok else f"pip install '{asked}'")


def test_offline_is_said_and_no_fault(everything: dict[str, Check]) -> None:
    assert everything["hub"].ok is None
    assert everything["hub"].mend == "unset HF_HUB_OFFLINE"


def test_a_hub_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr(doctor, "_HUB_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
        check = by_name(doctor._fetched())["hub"]
    assert check.ok is None
    assert check.found.startswith(f"{address} cannot be reached (")


def test_keys_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key")
    monkeypatch.setenv("HF_TOKEN", "secret-token")
    looked_at = by_name(doctor._keys_and_extras())
    assert (looked_at["HF_TOKEN"].ok, looked_at["OPENAI_API_KEY"].ok) == (True, True)
    assert "secret" not in repr(looked_at)


def test_the_data_directory_is_looked_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "openai" / "gsm8k").mkdir(parents=True)
    monkeypatch.setenv("MPLUS_EVAL_DATA", str(tmp_path))
    assert by_name(doctor._fetched())["datasets"] == Check(
        "datasets", True, f"MPLUS_EVAL_DATA={tmp_path} holds 1 datasets"
    )
    monkeypatch.setenv("MPLUS_EVAL_DATA", str(tmp_path / "none"))
    assert by_name(doctor._fetched())["datasets"].ok is False


def test_suites_are_loaded(everything: dict[str, Check]) -> None:
    assert everything["suite mplus"] == Check("suite mplus", True, "11 tasks")


def test_little_space_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_LITTLE_DISK", 10**30)
    disks = [check for check in doctor._machine() if check.name.startswith("disk")]
    assert [(check.ok, bool(check.mend)) for check in disks] == [(None, True), (None, True)]


def test_what_could_not_be_written_is_a_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    faults = [check for check in doctor._machine() if check.ok is False]
    assert [check.mend for check in faults] == [f"chmod u+w {tmp_path}"]


def test_demo_models_are_found_where_the_demo_keeps_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mplus_eval.training.demo_recipe import demo_recipe

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = demo_recipe().output / "plus"
    folder.mkdir(parents=True)
    (folder / "training.json").write_text("{}")
    shipped = {name: check.ok for name, check in by_name(doctor._shipped()).items() if name.startswith("demo")}
    assert shipped == {
        "demo model base": True,
        "demo model instruct": None,
        "demo model sft": None,
        "demo model chosen": None,
        "demo model forgetful": None,
        "demo model plus": True,
    }


def test_a_scorer_that_is_not_here_comes_with_the_command_that_fetches_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    check = by_name(doctor._fetched())["scorer detoxify:unbiased"]
    assert (check.ok, check.mend) == (None, "python -m mplus_eval.harmlessness.scorers detoxify:unbiased")
    kept = tmp_path / "hub" / "checkpoints" / "toxic_debiased-c7548aa0.ckpt"
    kept.parent.mkdir(parents=True)
    kept.touch()
    check = by_name(doctor._fetched())["scorer detoxify:unbiased"]
    assert (check.ok, check.mend) == (True, None)
