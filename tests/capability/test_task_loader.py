from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from mplus_eval.capability.items import load_tasks
from mplus_eval.capability.settings import resolve_tasks
from mplus_eval.errors import SpecError
from mplus_eval.spec.suite import SuiteTask, load_suite
from tests.task_files import CHOICE, write_rows, write_task


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def test_missing_data_are_named_with_the_command_that_fetches_them(tmp_path: Path) -> None:
    tasks = [SuiteTask(name="wino", lm_eval="winogrande"), SuiteTask(name="lm_eval.race", lm_eval="lm_eval:race")]
    with pytest.raises(SpecError) as caught:
        load_tasks(tasks, data_dir=tmp_path, tasks_dir=None, limit=None)
    assert caught.value.faults == (
        f"task 'wino': dataset allenai/winogrande: not in {tmp_path}, and HF_HUB_OFFLINE forbids the hub; "
        f"fetch with `mplus-eval tasks fetch --to {tmp_path} --tasks wino` and give --data-dir",
        f"task 'lm_eval:race': dataset EleutherAI/race: not in {tmp_path}, and HF_HUB_OFFLINE forbids the hub; "
        f"fetch with `mplus-eval tasks fetch --to {tmp_path} --tasks lm_eval:race` and give --data-dir",
    )


def test_a_mirror_without_the_configuration_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "EleutherAI" / "race"
    write_rows(folder)
    (folder / "README.md").write_text("---\nconfigs:\n- config_name: other\n  data_files: rows.jsonl\n---\n")
    with pytest.raises(SpecError, match=rf"dataset EleutherAI/race: {folder} lacks race \(BuilderConfig 'high' not"):
        load_tasks([SuiteTask(name="race", lm_eval="race")], data_dir=tmp_path, tasks_dir=None, limit=None)


def test_a_gated_dataset_is_named_with_its_licence_and_the_way_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    def gated(*_: object, **__: object) -> None:
        # As `datasets` says it; the hub's own error is hidden by then.
        raise datasets.exceptions.DatasetNotFoundError("Dataset 'org/sums' is a gated dataset on the Hub. Visit …")

    monkeypatch.setattr(datasets, "load_dataset", gated)
    write_task(tmp_path, "sums", CHOICE | {"dataset_path": "org/sums", "dataset_kwargs": None})
    with pytest.raises(SpecError) as caught:
        load_tasks([SuiteTask(name="sums", lm_eval="sums")], data_dir=None, tasks_dir=tmp_path, limit=None)
    assert caught.value.faults == (
        "task 'sums': dataset org/sums: it is gated: accept its licence at https://huggingface.co/datasets/org/sums "
        "and set HF_TOKEN to a token with access, or go without it by naming other tasks with --tasks; "
        "fetch with `mplus-eval tasks fetch --to DIR --tasks sums` and give --data-dir",
    )


def test_progress_is_told_of_every_subtask(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_task(tmp_path, name)
    seen: list[tuple[str, int, int]] = []
    tasks: Sequence[SuiteTask] = resolve_tasks(load_suite("mplus"), ["one", "two"], tasks_dir=tmp_path)
    load_tasks(tasks, data_dir=None, tasks_dir=tmp_path, limit=1, progress=lambda *told: seen.append(told))
    assert seen == [("one", 0, 2), ("two", 1, 2)]
