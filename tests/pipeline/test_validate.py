from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.errors import SpecError
from mplus_eval.pipeline.validate import Validated, validate
from mplus_eval.spec.backends import BACKENDS
from tests.specs import build_spec
from tests.toy import write_checkpoint, write_tasks


def validated(folder: Path, *known_faults: str, **options: Any) -> Validated:
    suite = write_tasks(folder / "tasks")
    given = {"suite": str(suite), "tasks_dir": folder / "tasks", "output": folder / "run", **options}
    spec = build_spec([f"base={write_checkpoint(folder / 'base')}"], options=given)
    return validate(spec, known_faults=known_faults)


def faults(folder: Path, *known_faults: str, **options: Any) -> tuple[str, ...]:
    with pytest.raises(SpecError) as caught:
        validated(folder, *known_faults, **options)
    return caught.value.faults


def test_a_run_has_the_axes_that_its_suite_has(tmp_path: Path) -> None:
    found = validated(tmp_path)
    assert (found.suite.name, [axis.name for axis in found.axes]) == ("toy", ["capability"])
    assert not (tmp_path / "run").exists()


def test_what_is_known_to_be_wrong_comes_first(tmp_path: Path) -> None:
    first, second = faults(tmp_path, "a fault", tasks="wrods")
    assert first == "a fault"
    assert second.startswith("unknown task 'wrods'")


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    assert faults(tmp_path, data_dir=absent) == (f"--data-dir '{absent}': no such directory",)


def test_a_backend_that_is_not_installed_is_named_with_what_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BACKENDS, "vllm", replace(BACKENDS["vllm"], extra="no-such-package"))
    (fault,) = faults(tmp_path, backend="vllm")
    assert fault == BACKENDS["vllm"].missing


def test_progress_is_told_of_tasks_as_they_are_loaded(tmp_path: Path) -> None:
    suite, told = write_tasks(tmp_path / "tasks"), list[tuple[str, int, int]]()
    given = {"suite": str(suite), "tasks_dir": tmp_path / "tasks"}
    spec = build_spec([f"base={write_checkpoint(tmp_path / 'base')}"], options=given)
    validate(spec, lambda *step: told.append(step))
    assert told == [("loading tasks", 0, 2), ("loading tasks", 1, 2)]


def test_faults_of_suite_and_models_are_reported_at_once(tmp_path: Path) -> None:
    models = [f"base={tmp_path / 'absent'}", f"plus={tmp_path / 'absent too'}", "other=demo:other", "far=org/name"]
    spec = build_spec(models, options={"suite": "mpluss", "data_dir": tmp_path / "no data", "output": tmp_path / "run"})

    with pytest.raises(SpecError) as caught:
        validate(spec)
    text = str(caught.value)
    assert "mpluss" in text
    assert "no data" in text
    assert "absent too" in text
    assert all(f"model '{name}': " in text for name in ("base", "plus", "other", "far"))
    assert not (tmp_path / "run").exists()


def test_data_are_looked_for_only_when_all_else_holds(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    suite = write_tasks(tmp_path / "tasks")
    given = {"suite": str(suite), "tasks_dir": tmp_path / "tasks", "tasks": ["sums", "wrods"]}
    with pytest.raises(SpecError) as caught:
        validate(build_spec([f"base={tmp_path / 'absent'}"], options=given), lambda *step: told.append(step))
    first, second = caught.value.faults
    assert first.startswith("model 'base': no such directory")
    assert second.startswith("unknown task 'wrods'; did you mean words")
    assert told == []


def test_devices_that_are_not_here_and_those_of_a_model_are_faults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    assert faults(tmp_path, devices="0,1") == ("--devices 0,1: there is no GPU 1; GPU 0 is here",)
    assert validated(tmp_path, devices="0").spec.devices == ("0",)
