from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mplus_eval.capability.task_config import GroupAverage, SubtaskConfig, by_size, resolved, subtask_configs
from mplus_eval.errors import UsageError
from tests.task_files import write_task, write_yaml

FUNCTIONS = "def ask(doc):\n    return helper(doc)\n\n\ndef helper(doc):\n    return doc['question']\n"


def only_leaf(name: str, folder: Path) -> SubtaskConfig:
    (subtask,) = subtask_configs(name, folder)
    return subtask


def hash_of(folder: Path, shots: int = 0, functions: str = FUNCTIONS, **changes: Any) -> str:
    write_task(folder, "sums", **{"doc_to_text": "!function asking.ask.py", **changes})
    (folder / "asking.py").write_text(functions)
    return only_leaf("sums", folder).definition_hash(shots)


def test_a_group_is_its_subtasks_with_its_overrides(tmp_path: Path) -> None:
    write_task(tmp_path, "one")
    write_task(tmp_path, "two", num_fewshot=1)
    inner = {"group": "inner", "task": [{"task": "two", "num_fewshot": 3}]}
    write_yaml(tmp_path / "all.yaml", {"group": "all", "task": ["one", inner]})
    assert {subtask.name: subtask.config.get("num_fewshot") for subtask in subtask_configs("all", tmp_path)} == {
        "one": None,
        "two": 3,
    }


def test_a_group_may_name_one_task_without_a_list(tmp_path: Path) -> None:
    write_task(tmp_path, "one")
    write_yaml(tmp_path / "all.yaml", {"group": "all", "task": "one"})
    assert [subtask.name for subtask in subtask_configs("all", tmp_path)] == ["one"]


def test_a_task_written_out_in_a_group_is_a_subtask(tmp_path: Path) -> None:
    write_yaml(tmp_path / "all.yaml", {"group": "all", "task": [{"task": "inline", "dataset_path": "org/absent"}]})
    assert only_leaf("all", tmp_path).config["dataset_path"] == "org/absent"


def test_a_group_of_the_users_may_name_lm_evals_tasks(tmp_path: Path) -> None:
    write_yaml(tmp_path / "all.yaml", {"group": "mine", "task": ["arc_easy", "winogrande"]})
    assert [subtask.name for subtask in subtask_configs("mine", tmp_path)] == ["arc_easy", "winogrande"]


def test_a_tag_is_its_tasks(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write_task(tmp_path, name, tag="letters")
    assert [subtask.name for subtask in subtask_configs("letters", tmp_path)] == ["a", "b"]


def test_the_users_definition_hides_lm_evals_unless_that_is_forced(tmp_path: Path) -> None:
    write_task(tmp_path, "winogrande")
    assert only_leaf("winogrande", tmp_path).config["dataset_path"] == "json"
    assert only_leaf("lm_eval:winogrande", tmp_path).config["dataset_path"] == "allenai/winogrande"


def test_a_file_is_loaded_by_its_path(tmp_path: Path) -> None:
    assert only_leaf(str(write_task(tmp_path, "sums")), None or tmp_path / "absent").name == "sums"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"group": "all", "task": ["absent_task"]}, "group 'all' names the task 'absent_task', which does not exist"),
        ({"group": "all", "task": []}, "'all' names no task"),
    ],
)
def test_a_group_that_would_load_less_than_it_says_is_refused(
    tmp_path: Path, document: dict[str, Any], message: str
) -> None:
    write_yaml(tmp_path / "all.yaml", document)
    with pytest.raises(UsageError, match=message):
        subtask_configs("all", tmp_path)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(UsageError, match="'no_such_task' is neither"):
        subtask_configs("no_such_task", None)


def test_a_task_that_runs_a_models_code_is_refused_before_its_own_is_imported(tmp_path: Path) -> None:
    write_task(tmp_path, "code", unsafe_code=True, doc_to_text="!function raising.ask.py")
    (tmp_path / "raising.py").write_text("raise RuntimeError('imported')")
    with pytest.raises(UsageError, match="runs code that a model wrote"):
        subtask_configs("code", tmp_path)


def test_the_definition_hash_does_not_depend_on_where_it_lies(tmp_path: Path) -> None:
    assert hash_of(tmp_path / "a") == hash_of(tmp_path / "b" / "c")


@pytest.mark.parametrize(
    "change",
    [
        {"shots": 1},
        {"doc_to_text": "Q: {{question}}"},
        {"functions": FUNCTIONS.replace("doc['question']", "doc['question'].strip()")},
        {"target_delimiter": "\n"},
        {"metadata": {"version": 2.0}},
        {"dataset_path": "org/name"},
        {"filter_list": [{"name": "first", "filter": [{"function": "take_first"}]}]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_definition_hash_changes_with_what_is_asked(tmp_path: Path, change: dict[str, Any]) -> None:
    assert hash_of(tmp_path / "a") != hash_of(tmp_path / "b", **change)


# How subtasks count in the value of their group


@pytest.mark.parametrize(
    ("group", "metric", "filter_name", "expected"),
    [
        ("mmlu", "acc", "none", True),
        ("agieval_en", "acc", "none", True),
        ("bbh_cot_fewshot", "exact_match", "get-answer", True),
        ("bbh_cot_fewshot", "exact_match", "other", None),
        ("mini_mmlu", "acc", "none", True),
        ("legalbench", "exact_match", "none", False),
        ("blimp", "acc", "none", False),
        ("paloma", "bits_per_byte", "none", None),
        ("winogrande", "acc", "none", None),
    ],
)
def test_stock_groups_and_the_suites_say_how_their_subtasks_count(
    group: str, metric: str, filter_name: str, expected: bool | None
) -> None:
    assert by_size(resolved(group, None)[1], metric, filter_name) is expected


def test_a_groups_own_word_counts_and_not_that_of_groups_within(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_task(tmp_path, name)
    inner = {"group": "inner", "task": ["two"], "aggregate_metric_list": [{"metric": "acc", "weight_by_size": True}]}
    outer = [{"metric": "acc", "weight_by_size": False, "filter_list": "strict"}]
    write_yaml(tmp_path / "all.yaml", {"group": "all", "task": ["one", inner], "aggregate_metric_list": outer})
    assert resolved("all", tmp_path)[1] == (GroupAverage("acc", ("strict",), by_size=False),)


def test_the_last_word_on_a_metric_stands() -> None:
    averages = [GroupAverage("acc", None, by_size=True), GroupAverage("acc", ("none",), by_size=False)]
    assert [by_size(averages, "acc", name) for name in ("none", "strict")] == [False, True]
