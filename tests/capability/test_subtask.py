from __future__ import annotations

from pathlib import Path

import pytest

from tests.task_files import EXAMPLES, ROWS, load_task, write_rows, write_task


def test_the_definitions_own_shots_are_kept_unless_the_suite_says_otherwise(tmp_path: Path) -> None:
    write_task(tmp_path, "sums", num_fewshot=2)
    assert load_task(tmp_path).n_shots == 2
    assert load_task(tmp_path, shots=3).n_shots == 3


def test_items_are_named_and_limited(tmp_path: Path) -> None:
    write_task(tmp_path, "sums")
    (subtask,) = load_task(tmp_path).subtasks
    assert subtask.item_id(4) == "sums/4"
    assert subtask.n_docs == 6
    assert [list(subtask.drawn(n, None)) for n in (4, 100)] == [[0, 1, 2, 3], [0, 1, 2, 3, 4, 5]]
    assert [doc["question"] for doc in subtask.docs(range(2))] == ["0 + 1 =", "1 + 1 ="]


def test_the_target_is_in_words(tmp_path: Path) -> None:
    write_task(tmp_path, "sums")
    (subtask,) = load_task(tmp_path).subtasks
    assert [subtask.target_of(doc) for doc in subtask.docs(range(2))] == ["1", "2"]


def test_clusters_are_named_by_column_or_template(tmp_path: Path) -> None:
    write_task(tmp_path, "sums")
    (column,) = load_task(tmp_path, cluster="page").subtasks
    assert [column.cluster_of(doc) for doc in column.docs(range(3))] == ["sums/0", "sums/0", "sums/1"]
    (template,) = load_task(tmp_path, cluster="{{'' if page == 0 else 'page ' ~ page}}").subtasks
    assert [template.cluster_of(doc) for doc in template.docs(range(3))] == [None, None, "sums/page 1"]
    (none,) = load_task(tmp_path).subtasks
    assert none.cluster_of(ROWS[0]) is None


def test_a_long_cluster_value_is_hashed(tmp_path: Path) -> None:
    write_task(tmp_path, "sums")
    write_rows(tmp_path, [row | {"page": "long " * 50 + str(row["page"])} for row in ROWS])
    (subtask,) = load_task(tmp_path, cluster="page").subtasks
    first, second, third = (str(subtask.cluster_of(doc)) for doc in subtask.docs(range(3)))
    assert first == second != third
    assert len(first) == len("sums/") + 16


def test_the_data_hash_covers_the_evaluated_items_only(tmp_path: Path) -> None:
    for folder, rows in (("a", ROWS), ("b", [*ROWS[:5], ROWS[5] | {"answer": 0}])):
        write_task(tmp_path / folder, "sums")
        write_rows(tmp_path / folder, rows)
    (a,), (b,) = load_task(tmp_path / "a").subtasks, load_task(tmp_path / "b").subtasks
    assert a.data_hash(range(5)) == b.data_hash(range(5))
    assert a.data_hash(range(6)) != b.data_hash(range(6))
    assert a.data_hash() != b.data_hash()


def test_the_data_hash_covers_the_examples_when_there_are_shots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tests.task_files

    write_task(tmp_path / "a", "sums")
    monkeypatch.setattr(tests.task_files, "EXAMPLES", [EXAMPLES[0] | {"question": "changed"}, *EXAMPLES[1:]])
    write_task(tmp_path / "b", "sums")
    hashes = [
        load_task(tmp_path / folder, shots=shots).subtasks[0].data_hash(range(2)) for shots in (0, 1) for folder in "ab"
    ]
    assert hashes[0] == hashes[1]
    assert hashes[2] != hashes[3]
