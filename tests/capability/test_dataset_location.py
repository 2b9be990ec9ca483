from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.capability.dataset_location import MissingDatasetsError, data_files, dataset_id, folded, located
from mplus_eval.capability.task_config import SubtaskConfig, subtask_configs
from mplus_eval.data.mirror import mirrored
from mplus_eval.errors import UsageError
from tests.task_files import write_task


def subtask(tmp_path: Path, **changes: object) -> SubtaskConfig:
    write_task(tmp_path, "sums", **changes)
    return subtask_configs("sums", tmp_path)[0]


@pytest.mark.parametrize(
    ("path", "identifier"), [("org/name", "org/name"), ("glue", "glue"), ("json", None), ("./data", None)]
)
def test_only_a_dataset_of_the_hub_has_an_id(tmp_path: Path, path: str, identifier: str | None) -> None:
    (tmp_path / "data").mkdir()
    assert dataset_id(subtask(tmp_path, dataset_path=path)) == identifier


def test_a_dataset_is_read_from_the_mirror_when_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "hub" / "org" / "name").mkdir(parents=True)
    wanted = subtask(tmp_path, dataset_path="org/name", dataset_kwargs=None)
    assert located(wanted, tmp_path / "hub")["dataset_path"] == str((tmp_path / "hub" / "org" / "name").resolve())


def test_a_dataset_that_the_mirror_lacks_is_left_to_the_hub(tmp_path: Path) -> None:
    wanted = subtask(tmp_path, dataset_path="org/name", dataset_kwargs=None)
    assert mirrored("org/name", tmp_path) is None
    assert located(wanted, tmp_path)["dataset_path"] == "org/name"


def test_files_beside_a_definition_get_absolute_paths(tmp_path: Path) -> None:
    files = {"test": "a.jsonl", "train": ["b.jsonl", "https://host/c.jsonl"]}
    wanted = subtask(tmp_path, dataset_kwargs={"data_files": files})
    folder = tmp_path.resolve()
    assert located(wanted, None)["dataset_kwargs"]["data_files"] == {
        "test": f"{folder}/a.jsonl",
        "train": [f"{folder}/b.jsonl", "https://host/c.jsonl"],
    }
    assert wanted.config["dataset_kwargs"]["data_files"] == files


@pytest.mark.parametrize("metric", [{"metric": "acc", "hf_evaluate": True}, {"metric": "someones_metric"}])
def test_a_metric_that_is_code_on_the_hub_is_refused(tmp_path: Path, metric: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="code downloaded from the hub, which is refused"):
        located(subtask(tmp_path, metric_list=[metric]), None)


def test_the_line_for_missing_data_names_ids_cause_and_command(tmp_path: Path) -> None:
    causes = {"org/a": "the hub cannot be reached", "org/b": "the hub cannot be reached"}
    line = (
        f"task 'sums': datasets org/a, org/b: not in {tmp_path}, and the hub cannot be reached; "
        f"fetch with `mplus-eval tasks fetch --to {tmp_path} --tasks sums` and give --data-dir"
    )
    error = MissingDatasetsError("sums", causes, tmp_path)
    assert (error.faults, folded([error])) == ((line,), [line])


def test_tasks_that_lack_their_data_for_one_reason_share_a_line(tmp_path: Path) -> None:
    (tmp_path / "org" / "c").mkdir(parents=True)
    errors = [
        MissingDatasetsError("sums", {"org/a": "offline"}, tmp_path),
        MissingDatasetsError("torn", {"org/c": "org/c lacks sums"}, tmp_path),
        MissingDatasetsError("words", {"org/b": "offline", "org/a": "offline"}, tmp_path),
    ]
    assert folded(errors) == [
        f"2 tasks (sums, words): datasets org/a, org/b: not in {tmp_path}, and offline; "
        f"fetch with `mplus-eval tasks fetch --to {tmp_path} --tasks sums,words` and give --data-dir",
        *errors[1].faults,
    ]


def test_the_files_of_a_task_are_named_as_its_definition_or_the_hub_names_them(tmp_path: Path) -> None:
    wanted = subtask(tmp_path, dataset_kwargs={"data_files": {"test": "rows.jsonl", "train": ["ex*.jsonl"]}})
    folder = tmp_path.resolve()
    assert data_files(wanted, located(wanted, None)) == {
        "rows.jsonl": folder / "rows.jsonl",
        "examples.jsonl": folder / "examples.jsonl",
    }
    (tmp_path / "hub" / "org" / "name").mkdir(parents=True)
    (tmp_path / "hub" / "org" / "name" / "test.csv").write_text("question")
    mirrored_task = subtask(tmp_path, dataset_path="org/name", dataset_kwargs=None)
    config = located(mirrored_task, tmp_path / "hub")
    assert list(data_files(mirrored_task, config)) == ["org/name: test.csv"]
    assert data_files(mirrored_task, located(mirrored_task, None)) == {}
