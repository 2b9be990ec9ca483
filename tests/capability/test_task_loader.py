from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from mplus_eval.capability.items import load_tasks
from mplus_eval.capability.settings import resolve_tasks
from mplus_eval.errors import SpecError
from mplus_eval.spec.suite import SuiteTask, load_suite
from tests.task_files import CHOICE, ROWS, write_rows, write_task


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def test_missing_data_are_named_with_the_command_that_fetches_them(tmp_path: Path) -> None:
    tasks = [SuiteTask(name="wino", lm_eval="winogrande"), SuiteTask(name="lm_eval.race", lm_eval="lm_eval:race")]
    with pytest.raises(SpecError) as caught:
        load_tasks(tasks, data_dir=tmp_path, tasks_dir=None)
    assert caught.value.faults == (
        f"2 tasks (wino, lm_eval:race): datasets allenai/winogrande, EleutherAI/race: not in {tmp_path}, and "
        "HF_HUB_OFFLINE forbids the hub; "
        f"fetch with `mplus-eval tasks fetch --to {tmp_path} --tasks wino,lm_eval:race` and give --data-dir",
    )


def test_a_mirror_without_the_configuration_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "EleutherAI" / "race"
    write_rows(folder)
    (folder / "README.md").write_text("---\nconfigs:\n- config_name: other\n  data_files: rows.jsonl\n---\n")
    with pytest.raises(SpecError, match=rf"dataset EleutherAI/race: {folder} lacks race \(BuilderConfig 'high' not"):
        load_tasks([SuiteTask(name="race", lm_eval="race")], data_dir=tmp_path, tasks_dir=None)


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
        load_tasks([SuiteTask(name="sums", lm_eval="sums")], data_dir=None, tasks_dir=tmp_path)
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
    load_tasks(tasks, data_dir=None, tasks_dir=tmp_path, progress=lambda *told: seen.append(told))
    assert seen == [("one", 0, 2), ("two", 1, 2)]


CARD = "---\nconfigs:\n- config_name: default\n  data_files:\n  - {split: test, path: rows.jsonl}\n---\n"


def mirrored(folder: Path, word: str) -> Path:
    """A mirror whose card is the same whatever its rows are."""
    write_rows(folder / "org" / "sums", [row | {"question": f"{word} {row['question']}"} for row in ROWS])
    (folder / "org" / "sums" / "README.md").write_text(CARD)
    return folder


def asked(tasks: Path, data_dir: Path | None) -> str:
    """The first question of the task `sums` with the data of a mirror."""
    spec = SuiteTask(name="sums", lm_eval="sums")
    (subtask,) = load_tasks([spec], data_dir=data_dir, tasks_dir=tasks)[0].subtasks
    return str(next(subtask.docs(range(1)))["question"])  # type: ignore[index]


def test_a_mirror_is_read_as_it_is_and_not_as_another_with_the_same_card(tmp_path: Path) -> None:
    remote = {"dataset_path": "org/sums", "dataset_kwargs": None, "fewshot_split": None}
    write_task(tmp_path / "tasks", "sums", **remote)
    one, two = mirrored(tmp_path / "one", "one"), mirrored(tmp_path / "two", "two")
    assert [asked(tmp_path / "tasks", folder) for folder in (one, two)] == ["one 0 + 1 =", "two 0 + 1 ="]
    mirrored(tmp_path / "one", "won")
    assert asked(tmp_path / "tasks", one) == "won 0 + 1 ="


def test_a_file_beside_its_definition_is_read_anew_though_its_size_and_time_are_as_before(tmp_path: Path) -> None:
    write_task(tmp_path, "sums")
    file = tmp_path / "rows.jsonl"
    before = file.stat()
    assert asked(tmp_path, None) == "0 + 1 ="
    file.write_text(file.read_text().replace("0 + 1", "0 + 2"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert asked(tmp_path, None) == "0 + 2 ="


def test_a_subtask_knows_the_files_that_it_was_read_from(tmp_path: Path) -> None:
    write_task(tmp_path, "sums")
    spec = SuiteTask(name="sums", lm_eval="sums")
    (subtask,) = load_tasks([spec], data_dir=None, tasks_dir=tmp_path)[0].subtasks
    assert list(subtask.sources(None)) == ["rows.jsonl", "examples.jsonl"]


@pytest.mark.parametrize(
    ("line", "why"),
    [('{"question": "torn', "line 7: not JSON in UTF-8"), ('{"question": "\\ud83d"}', "line 7: half a surrogate pair")],
)
def test_a_row_that_cannot_be_read_is_named_with_its_file(tmp_path: Path, line: str, why: str) -> None:
    write_task(tmp_path, "sums")
    file = tmp_path / "rows.jsonl"
    file.write_text(file.read_text() + line + "\n")
    with pytest.raises(SpecError) as caught:
        asked(tmp_path, None)
    assert str(caught.value).startswith(f"task 'sums': {file.resolve()}, {why}")
