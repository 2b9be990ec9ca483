from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mplus_eval.data.mirror import WantedDataset
from mplus_eval.errors import SpecError
from mplus_eval.pipeline.datasets import wanted_datasets
from mplus_eval.spec.suite import SuiteTask, load_suite
from tests.task_files import CHOICE, write_task, write_yaml

TASK: dict[str, Any] = CHOICE | {"dataset_path": "org/sums", "dataset_name": "easy", "dataset_kwargs": None}


def test_the_datasets_of_tasks_are_listed_without_loading(tmp_path: Path) -> None:
    write_task(tmp_path, "sums", TASK)
    write_task(tmp_path, "hard", TASK, dataset_name="hard")
    write_task(tmp_path, "beside")
    write_yaml(tmp_path / "all.yaml", {"group": "all", "task": ["sums", "hard", "beside", "winogrande"]})
    assert wanted_datasets([SuiteTask(name="all", lm_eval="all")], tmp_path) == [
        WantedDataset("org/sums", ("easy", "hard")),
        WantedDataset("allenai/winogrande", ("winogrande_xl",)),
    ]


def test_every_task_that_cannot_be_read_is_a_line() -> None:
    tasks = [SuiteTask(name="a", lm_eval="absent_a"), SuiteTask(name="b", lm_eval="absent_b")]
    with pytest.raises(SpecError) as caught:
        wanted_datasets(tasks, None)
    assert [line.split(":")[0] for line in caught.value.faults] == ["task 'a'", "task 'b'"]


def test_prompt_sets_and_dialogues_are_fetched_with_a_suite() -> None:
    assert wanted_datasets([], None, load_suite("mplus")) == [
        WantedDataset("allenai/real-toxicity-prompts", ("",)),
        WantedDataset("Paul/XSTest", ("",)),
        WantedDataset("JailbreakBench/JBB-Behaviors", ("behaviors",)),
        WantedDataset("bench-llm/or-bench", ("or-bench-hard-1k", "or-bench-toxic")),
        WantedDataset("HuggingFaceH4/mt_bench_prompts", ("",)),
    ]


def test_what_comes_with_the_package_is_not_fetched() -> None:
    assert wanted_datasets([], None, load_suite("mini")) == []
