from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.capability.settings import resolve_tasks
from mplus_eval.errors import SpecError
from mplus_eval.spec.suite import Suite, SuiteTask, load_suite
from tests.task_files import write_task


@pytest.fixture(scope="module")
def mplus() -> Suite:
    return load_suite("mplus")


def test_all_tasks_of_the_suite_are_taken_when_none_is_named(mplus: Suite) -> None:
    assert resolve_tasks(mplus, None, tasks_dir=None) == mplus.tasks


def test_named_tasks_restrict_the_suite_in_their_order(mplus: Suite) -> None:
    assert [task.name for task in resolve_tasks(mplus, ["drop", "mmlu"], tasks_dir=None)] == ["drop", "mmlu"]


def test_the_suites_name_comes_before_lm_evals(mplus: Suite) -> None:
    assert resolve_tasks(mplus, ["gsm8k"], tasks_dir=None)[0].lm_eval == "gsm8k_cot"


def test_the_stock_task_can_be_forced_beside_the_suites(mplus: Suite) -> None:
    tasks = resolve_tasks(mplus, ["gsm8k", "lm_eval:gsm8k"], tasks_dir=None)
    assert [(task.name, task.lm_eval) for task in tasks] == [
        ("gsm8k", "gsm8k_cot"),
        ("lm_eval.gsm8k", "lm_eval:gsm8k"),
    ]


def test_a_task_outside_the_suite_has_its_own_shots_and_metric(mplus: Suite) -> None:
    assert resolve_tasks(mplus, ["boolq"], tasks_dir=None) == (SuiteTask(name="boolq", lm_eval="boolq"),)


def test_a_definition_of_the_package_is_known_by_name(mplus: Suite) -> None:
    assert resolve_tasks(mplus, ["drop_answers"], tasks_dir=None)[0].lm_eval == "drop_answers"


def test_choices_of_a_task_outside_the_suite_are_asked_as_the_suites_are() -> None:
    suite = Suite(name="s", choices="generate", tasks=(SuiteTask(name="one", lm_eval="boolq"),))
    (task,) = resolve_tasks(suite, ["arc_easy"], tasks_dir=None)
    assert task.choices == "generate"


def test_a_definition_of_the_users_folder_is_known_by_name(mplus: Suite, tmp_path: Path) -> None:
    write_task(tmp_path / "deep", "sums")
    assert resolve_tasks(mplus, ["sums"], tasks_dir=tmp_path)[0] == SuiteTask(name="sums", lm_eval="sums")


def test_the_suites_name_comes_before_the_users(mplus: Suite, tmp_path: Path) -> None:
    write_task(tmp_path, "gsm8k")
    assert resolve_tasks(mplus, ["gsm8k"], tasks_dir=tmp_path)[0].lm_eval == "gsm8k_cot"


def test_a_name_with_brackets_becomes_a_path(mplus: Suite) -> None:
    task = resolve_tasks(mplus, ["egymmlu_arabic_language_(general)"], tasks_dir=None)[0]
    assert task.name == "egymmlu_arabic_language_-general-"


def test_every_unknown_and_double_name_is_a_line(mplus: Suite) -> None:
    with pytest.raises(SpecError) as caught:
        resolve_tasks(mplus, ["mmlu", "mmlu", "hellaswga", "lm_eval:race_middle"], tasks_dir=None)
    twice, hellaswag, stock = caught.value.faults
    assert twice == "--tasks names 'mmlu' twice"
    assert hellaswag.startswith("unknown task 'hellaswga'; did you mean hellaswag")
    assert stock.startswith("unknown task 'lm_eval:race_middle'; did you mean")


def test_a_name_like_no_other_is_answered_with_the_suites(mplus: Suite) -> None:
    with pytest.raises(SpecError, match="unknown task 'zzzzqqqq9'; known: mmlu, agieval_en"):
        resolve_tasks(mplus, ["zzzzqqqq9"], tasks_dir=None)


def test_a_definition_that_is_no_yaml_is_a_fault(mplus: Suite, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("task: [")
    with pytest.raises(SpecError, match=r"task definition .*bad\.yaml"):
        resolve_tasks(mplus, ["sums"], tasks_dir=tmp_path)
