from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mplus_eval.capability.items import LoadedTask
from mplus_eval.capability.selection import Selection
from mplus_eval.errors import SpecError
from mplus_eval.spec.limit import Limit
from tests.task_files import CHOICE, GENERATION, load_task, write_rows, write_task, write_yaml


def rows(n: int) -> list[dict[str, object]]:
    return [{"question": f"{i} + 1 =", "options": ["a", "b"], "answer": 1, "page": i // 4} for i in range(n)]


@pytest.fixture
def tasks(tmp_path: Path) -> dict[str, LoadedTask]:
    """A task of two subtasks with 30 and 90 items on passages of four, and a generation of 60."""
    for name, n, config in (("small", 30, CHOICE), ("large", 90, CHOICE), ("words", 60, GENERATION)):
        write_task(tmp_path / name, name, config)
        write_rows(tmp_path / name, rows(n))
        files = {key: f"{name}/{file}" for key, file in CHOICE["dataset_kwargs"]["data_files"].items()}
        write_yaml(
            tmp_path / f"{name}.yaml",
            {key: value for key, value in config.items() if value is not None}
            | {"task": name, "dataset_kwargs": {"data_files": files}},
        )
        (tmp_path / name / f"{name}.yaml").unlink()
    write_yaml(tmp_path / "both.yaml", {"group": "both", "task": ["small", "large"]})
    loaded = {name: load_task(tmp_path, name, cluster="page") for name in ("both", "words")}
    return {name: replace(task, spec=task.spec.model_copy(update={"name": name})) for name, task in loaded.items()}


def test_without_a_limit_all_is_asked_and_nothing_is_said(tasks: dict[str, LoadedTask]) -> None:
    whole = Selection.of(tasks, None, None, 0)
    assert whole.of_task(tasks["both"]) == {"small": range(30), "large": range(90)}
    assert (whole.component(), whole.fewest(), list(whole.lines(tasks))) == ("none", None, [])


def test_a_limit_draws_as_many_of_each_subtask_and_spreads_them_over_passages(tasks: dict[str, LoadedTask]) -> None:
    selection = Selection.of(tasks, Limit(20), None, 0)
    small, large = selection.of_task(tasks["both"]).values()
    assert (len(small), len(large), len(selection.numbers("words", tasks["words"].subtasks[0]))) == (20, 20, 20)
    assert len({number // 4 for number in large}) == 20
    # Eight passages, the last of two items: two rounds of eight and half of the third.
    assert {number // 4 for number in small} == set(range(8))
    assert list(small) == sorted(small) != list(range(20))
    assert small != Selection.of(tasks, Limit(20), None, 1).of_task(tasks["both"])["small"]


def test_the_first_ones_are_taken_where_that_is_asked(tasks: dict[str, LoadedTask]) -> None:
    selection = Selection.of(tasks, Limit(40, first=True), None, 0)
    assert selection.of_task(tasks["both"]) == {"small": range(30), "large": range(40)}
    assert list(selection.lines(tasks))[-1] == "2 tasks, 180 items → 110 of them, the first"


def test_a_budget_is_spread_over_tasks_and_in_proportion_within_one(tasks: dict[str, LoadedTask]) -> None:
    selection = Selection.of(tasks, None, 60, 0)
    # Roots of 8 % and 15 %: 25 and 35 items; of the 25 a quarter on 30 of 120 items.
    assert selection.shares == {"both": {"small": 6, "large": 19}, "words": {"words": 35}}
    assert list(selection.lines(tasks)) == [
        "both: 2 subjects, 120 items → 25 of them",
        "words: 60 items → 35 of them",
        "2 tasks, 180 items → 60 of them, drawn with seed 0",
    ]
    assert selection.fewest() == 6


def test_a_task_that_a_budget_covers_is_said_to_be_whole(tasks: dict[str, LoadedTask]) -> None:
    assert list(Selection.of(tasks, None, 170, 0).lines(tasks))[1] == "words: 60 items, all"
    assert list(Selection.of(tasks, None, 180, 0).lines(tasks)) == []


def test_a_budget_that_does_not_reach_is_one_line(tasks: dict[str, LoadedTask]) -> None:
    with pytest.raises(SpecError) as caught:
        Selection.of(tasks, None, 5, 0)
    assert caught.value.faults == ("--budget 5: 6 or more are accepted, 2 items of each of 3 subtasks",)


@pytest.mark.parametrize(("limit", "budget"), [(None, None), (Limit(20), None), (None, 60)])
def test_a_saved_step_is_asked_some_of_the_runs_items(
    tasks: dict[str, LoadedTask], limit: Limit | None, budget: int | None
) -> None:
    selection, subtask = Selection.of(tasks, limit, budget, 0), tasks["both"].subtasks[1]
    of_steps = selection.numbers("both", subtask, Limit(8))
    assert len(of_steps) == 8
    assert list(of_steps) != list(range(8))
    assert set(of_steps) < set(selection.numbers("both", subtask))


def test_fingerprints_tell_how_items_were_chosen(tasks: dict[str, LoadedTask]) -> None:
    whole, limited, first, budget = (
        Selection.of(tasks, *given, 3)
        for given in ((None, None), (Limit(20), None), (Limit(20, first=True), None), (None, 60))
    )
    assert [each.component() for each in (whole, limited, first, budget)] == [
        "none", "20 drawn with seed 3", "20", "a budget, drawn with seed 3",
    ]  # fmt: skip
    assert [each.component(Limit(5)) for each in (whole, limited, budget)] == [
        "5 of all, drawn with seed 3", "5 of 20, drawn with seed 3", "5 of a budget of 60, drawn with seed 3",
    ]  # fmt: skip
    assert first.component(Limit(5, first=True)) == whole.component(Limit(5, first=True)) == "5"


def test_a_budget_asks_fewer_items_of_tasks_where_they_cost_more(tasks: dict[str, LoadedTask]) -> None:
    def totals(**costs: float) -> list[int]:
        selection = Selection.of(tasks, None, 60, 0, costs)
        return [sum(share.values()) for share in selection.shares.values()]

    # √(0.08 / 1) to √(0.15 / 7.5) is 2 to 1; alike it is 0.283 to 0.387.
    assert totals(both=1, words=7.5) == [40, 20]
    assert totals() == totals(both=5, words=5) == [25, 35]
    # A task without a cost has the mean of the others'.
    assert totals(both=5) == [25, 35]
