from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.reports import stored as module
from mplus_eval.reports.task_rows import TaskRows, stored_tasks
from mplus_eval.store.run_directory import RunDirectory
from tests.reports import build


def rows_of(directory: Path) -> TaskRows:
    (found,) = stored_tasks(build.full(), RunDirectory(directory))
    return found


def test_every_model_has_a_row_for_each_item_or_none(tmp_path: Path) -> None:
    build.write_outcomes(tmp_path, "base", "gsm8k", [build.outcome(n, 0.5) for n in range(2)])
    build.write_outcomes(tmp_path, "plus", "gsm8k", [build.outcome(1, 1.0)])
    found = rows_of(tmp_path)
    assert found.task == "gsm8k"
    assert found.keys == [("gsm8k", "item-0", 0), ("gsm8k", "item-1", 0)]
    scores = {model: [row and row.score for row in rows] for model, rows in found.of_models.items()}
    assert scores == {"base": [0.5, 0.5], "plus": [None, 1.0]}


def test_rows_in_another_order_are_put_into_that_of_the_first_model(tmp_path: Path) -> None:
    build.write_outcomes(tmp_path, "base", "gsm8k", [build.outcome(n, n / 4) for n in range(3)])
    build.write_outcomes(tmp_path, "plus", "gsm8k", [build.outcome(n, n / 4) for n in (3, 1, 0)])
    found = rows_of(tmp_path)
    assert [item_id for _, item_id, _ in found.keys] == [f"item-{n}" for n in range(4)]
    assert [row and row.score for row in found.of_models["plus"]] == [0.0, 0.25, None, 0.75]


def test_of_a_run_without_outcomes_there_are_none(tmp_path: Path) -> None:
    assert list(stored_tasks(build.full(), RunDirectory(tmp_path))) == []


def test_a_prompt_that_several_models_had_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alike = [build.outcome(n, 0.5, prompt="p", prompt_hash="h") for n in range(2)]
    build.write_outcomes(tmp_path, "base", "gsm8k", alike)
    build.write_outcomes(tmp_path, "sft", "gsm8k", alike)
    build.write_outcomes(tmp_path, "plus", "gsm8k", [alike[0], build.outcome(1, 0.5, prompt="own", prompt_hash="o")])
    found = rows_of(tmp_path)
    read = module.cell_tables
    asked = []

    def told(folder: Path, *arguments: object, item_ids: object = None) -> object:
        asked.append((folder.parent.name, item_ids))
        return read(folder, *arguments, item_ids=item_ids)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "cell_tables", told)
    assert found.prompts == {"base": ["p", "p"], "sft": ["p", "p"], "plus": ["p", "own"]}
    assert asked == [("base", None), ("plus", {"item-1"})]
