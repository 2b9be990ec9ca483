"""Files that lm-eval wrote, and the same damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.errors import UsageError
from mplus_eval.importers import read_results
from mplus_eval.importers.base import StoredItem
from mplus_eval.importers.lm_eval_samples import read_samples
from tests.importers.outputs import change_results, change_samples, copied, run_lm_eval


def first_line(folder: Path, task: str) -> dict[str, Any]:
    (path,) = folder.rglob(f"samples_{task}_*.jsonl")
    return dict(json.loads(path.read_text().splitlines()[0]))


def read_rows(tmp_path: Path, *rows: dict[str, Any], **config: Any) -> list[StoredItem]:
    path = tmp_path / "samples.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return list(read_samples(path, "t", config))


def test_results_say_what_must_be_alike(lm_eval_outputs: Path) -> None:
    run = read_results("lm-eval", str(lm_eval_outputs / "base"))

    sums, words = run.tasks
    assert run.model == "base"
    assert (sums.name, list(sums.metrics), sums.filters, sums.n_shots) == (
        "toy_sums",
        ["acc", "acc_norm"],
        ("none",),
        0,
    )
    assert sums.subtasks[0].settings == {"version": "1.0", "shots": "0"}
    assert json.loads(words.subtasks[0].settings["generation"])["max_gen_toks"] == 8
    assert sums.values.keys() == {"acc,none", "acc_norm,none"}
    assert len(list(sums.subtasks[0].read())) == 12


def test_of_several_dates_the_newest_counts(lm_eval_outputs: Path, toy_tasks: Path, tmp_path: Path) -> None:
    folder = copied(lm_eval_outputs / "base", tmp_path / "base")
    run_lm_eval(toy_tasks, folder, "base", tasks=["toy_sums"], limit=5)

    run = read_results("lm-eval", str(folder))

    assert {task.name: len(list(task.subtasks[0].read())) for task in run.tasks} == {"toy_sums": 5, "toy_words": 12}
    assert len(run.notes) == 1
    assert run.notes[0].startswith("toy_sums stands in results of several dates; the newest counts, results_20")


def test_a_folder_of_two_models_is_refused(lm_eval_outputs: Path) -> None:
    with pytest.raises(UsageError, match=r"holds results of 2 models \(base, plus\); name the folder of one"):
        read_results("lm-eval", str(lm_eval_outputs))


def test_samples_without_their_results_are_refused(lm_eval_outputs: Path, tmp_path: Path) -> None:
    folder = copied(lm_eval_outputs / "base", tmp_path / "base")
    next(folder.rglob("results_*.json")).unlink()

    with pytest.raises(UsageError, match=r"samples_toy_sums_.*: results_.*, which has version, shots and values"):
        read_results("lm-eval", str(folder))


def test_results_without_samples_are_refused_by_name(lm_eval_outputs: Path, tmp_path: Path) -> None:
    folder = copied(lm_eval_outputs / "base", tmp_path / "base")
    for path in folder.rglob("samples_*.jsonl"):
        path.unlink()

    with pytest.raises(UsageError, match=r"aggregate scores only; per-item samples are needed to pair \(run"):
        read_results("lm-eval", str(folder))


def test_a_task_without_samples_is_named_and_the_others_are_read(lm_eval_outputs: Path, tmp_path: Path) -> None:
    folder = copied(lm_eval_outputs / "base", tmp_path / "base")
    (path,) = folder.rglob("samples_toy_sums_*.jsonl")
    path.unlink()
    path.mkdir()

    run = read_results("lm-eval", str(folder))

    assert [task.name for task in run.tasks] == ["toy_words"]
    assert run.notes[0].startswith("toy_sums has aggregate scores only")


def test_groups_are_tasks_and_their_subtasks_strata(lm_eval_outputs: Path, tmp_path: Path) -> None:
    def grouped(row: dict[str, Any]) -> None:
        row["group_subtasks"] = {"all": ["inner"], "inner": ["toy_sums", "toy_words"]}
        row["results"]["all"] = {"acc,none": 0.5, "acc_stderr,none": "N/A", "alias": "all"}

    folder = copied(lm_eval_outputs / "base", tmp_path / "base")
    change_results(folder, grouped)

    (task,) = read_results("lm-eval", str(folder)).tasks

    assert (task.name, [subtask.name for subtask in task.subtasks]) == ("all", ["toy_sums", "toy_words"])
    assert task.values == {"acc,none": 0.5}


def test_a_group_within_itself_is_refused(lm_eval_outputs: Path, tmp_path: Path) -> None:
    folder = copied(lm_eval_outputs / "base", tmp_path / "base")
    change_results(folder, lambda row: row.update(group_subtasks={"top": ["a"], "a": ["b"], "b": ["a", "toy_sums"]}))

    with pytest.raises(UsageError, match="group 'a' is a subtask of itself"):
        read_results("lm-eval", str(folder))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"doc_id": "0"}, "'doc_id' must be a whole number from 0 on, not str '0'"),
        ({"doc_id": -1}, "'doc_id' must be a whole number from 0 on, not int '-1'"),
        ({"arguments": "x"}, "'arguments' must be an object, not str 'x'"),
        ({"arguments": {}}, "0 requests in 'arguments', and 3 responses in 'resps'"),
        ({"resps": [[]]}, "3 requests in 'arguments', and 1 responses in 'resps'"),
        ({"resps": [[], [], []]}, "'resps' must hold a list of answers for each request"),
        ({"resps": [["x"], ["x"], ["x"]]}, "a log-probability and whether it is greedy are expected in 'resps'"),
        ({"resps": [[["low", "True"]]] * 3}, "'low' in 'resps' is no log-probability"),
        ({"metrics": "acc"}, "'metrics' must be a list, not str 'acc'"),
    ],
)
def test_a_line_that_lm_eval_would_not_write_is_told_with_its_number(
    lm_eval_outputs: Path, tmp_path: Path, change: dict[str, Any], fault: str
) -> None:
    def changed(rows: list[dict[str, Any]]) -> None:
        rows[2] |= change

    folder = copied(lm_eval_outputs / "base", tmp_path / "base")
    change_samples(folder, "toy_sums", changed)
    (path,) = folder.rglob("samples_toy_sums_*.jsonl")

    with pytest.raises(UsageError) as caught:
        list(read_results("lm-eval", str(folder)).tasks[0].subtasks[0].read())

    assert str(caught.value) == f"{path}, line 3: {fault}"


@pytest.mark.parametrize("key", ["results", "configs", "versions", "n-shot", "group_subtasks", "n-samples", "config"])
@pytest.mark.parametrize("value", [7, "x", [1], {"toy_sums": 7}, {"toy_sums": [[]]}])
def test_results_of_wrong_types_never_end_in_a_traceback(
    lm_eval_outputs: Path, tmp_path: Path, key: str, value: object
) -> None:
    folder = copied(lm_eval_outputs / "base", tmp_path / "base")
    change_results(folder, lambda row: row.update({key: value}))

    told = ""
    try:
        for task in read_results("lm-eval", str(folder)).tasks:
            assert all(list(subtask.read()) for subtask in task.subtasks)
    except UsageError as error:
        told = str(error)
    assert "\n" not in told


def test_lines_of_several_filters_are_one_item(lm_eval_outputs: Path, tmp_path: Path) -> None:
    row = first_line(lm_eval_outputs / "base", "toy_words")
    strict, loose = row | {"filter": "strict", "exact_match": 0.0}, row | {"filter": "loose", "exact_match": 1.0}

    config = {"filter_list": [{"name": "strict"}, {"name": "loose"}], "output_type": "generate_until"}
    (item,) = read_rows(tmp_path, strict, loose, **config)

    assert item.outcome.metrics == {"exact_match,strict": 0.0, "exact_match,loose": 1.0}


def test_a_document_that_stands_twice_in_the_data_is_two_items(lm_eval_outputs: Path, tmp_path: Path) -> None:
    row = first_line(lm_eval_outputs / "base", "toy_words")

    first, second = read_rows(tmp_path, row, row | {"doc_id": 5})

    assert (first.key, second.key) == (row["doc_hash"], f"{row['doc_hash']} 2")


def test_a_line_that_stands_twice_is_refused(lm_eval_outputs: Path, tmp_path: Path) -> None:
    row = first_line(lm_eval_outputs / "base", "toy_words")

    with pytest.raises(UsageError, match=r"line 2: document 0 stands twice"):
        read_rows(tmp_path, row, row)


def test_a_line_without_hashes_is_paired_by_the_hash_that_later_versions_write(
    lm_eval_outputs: Path, tmp_path: Path
) -> None:
    row = first_line(lm_eval_outputs / "base", "toy_sums")
    older = {key: value for key, value in row.items() if not key.endswith("_hash")}

    (item,) = read_rows(tmp_path, older, output_type="multiple_choice")

    assert (item.key, item.outcome.prompt_hash) == (row["doc_hash"], row["prompt_hash"])


def test_where_contexts_are_the_choices_the_right_one_follows_from_the_accuracy(tmp_path: Path) -> None:
    def row(accuracy: float, first: float) -> dict[str, Any]:
        arguments = {f"gen_args_{n}": {"arg_0": f"shot\n\nso {who}", "arg_1": " won."} for n, who in enumerate("AB")}
        return {
            "doc_id": 0,
            "doc": {},
            "target": "won.",
            "arguments": arguments,
            "resps": [[[str(first), "False"]], [["-2.0", "False"]]],
            "filtered_resps": [],
            "metrics": ["acc"],
            "acc": accuracy,
        }

    for accuracy, first, target in ((1.0, -1.0, "so A"), (0.0, -1.0, "so B"), (1.0, -3.0, "so B"), (0.0, -3.0, "so A")):
        (item,) = read_rows(tmp_path, row(accuracy, first), output_type="multiple_choice", fewshot_delimiter="\n\n")
        assert (item.outcome.choices, item.outcome.target) == (["so A", "so B"], target)
