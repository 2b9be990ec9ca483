from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from mplus_eval.demo import text
from mplus_eval.demo.mini_suite import SUBJECTS, main, make_items
from mplus_eval.demo.pretrain import PretrainRecipe
from mplus_eval.demo.talk import demonstrations
from mplus_eval.demo.world import make_world
from mplus_eval.spec.suite import Suite

TASKS = Path(__file__).parents[2] / "tasks"
GENERATED = ("mini_agieval_", "mini_bbh_", "mini_race_", "mini_drop", "mini_gsm8k")


@pytest.fixture(scope="module")
def items():
    return make_items()


@pytest.fixture(scope="module")
def suite() -> Suite:
    return Suite.model_validate(yaml.safe_load((TASKS / "suites" / "mini.yaml").read_text()))


def _questions(items):
    return {name: rows for name, rows in items.items() if not name.endswith(".shots")}


def test_the_committed_items_are_made_again_byte_by_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["mini_suite", "--output", str(tmp_path / "data")])
    main()
    written = {path.name: path.read_bytes() for path in (tmp_path / "data").iterdir()}
    committed = {path.name: path.read_bytes() for path in (TASKS / "mini" / "data").glob("*.jsonl")}
    assert written == committed
    assert sum(map(len, committed.values())) < 1_200_000


def test_the_suite_has_one_task_for_each_of_mplus(suite: Suite) -> None:
    assert [task.name.removeprefix("mini_") for task in suite.tasks] == [
        "mmlu", "agieval", "bbh", "arc_easy", "arc_challenge", "hellaswag", "winogrande", "race_high", "race_middle",
        "drop", "gsm8k",
    ]  # fmt: skip


def test_every_choice_task_has_500_items_and_more_and_generations_which_cost_more_are_fewer(items, suite) -> None:
    for task in suite.tasks:
        n_items = sum(len(rows) for name, rows in _questions(items).items() if name.startswith(task.name))
        low, high = (500, 600) if task.kind == "choice" else (150, 300)
        assert low <= n_items <= high, task.name


def test_clusters_are_columns_of_the_data(items, suite: Suite) -> None:
    for task in suite.tasks:
        if task.cluster:
            files = [rows for name, rows in _questions(items).items() if name.startswith(task.name)]
            values = [row[task.cluster] for rows in files for row in rows]
            assert 20 < len(set(values)) < len(values)


def test_every_passage_has_one_question(items) -> None:
    for name in ("mini_race_high", "mini_race_middle", "mini_drop"):
        passages = [row["prompt"].partition("\nQuestion:")[0] for row in items[name]]
        assert len(set(passages)) == len(passages)


def test_a_fact_that_is_asked_again_has_other_wrong_answers(items) -> None:
    for name, times in (("mini_mmlu_trade", 2), ("mini_arc_challenge", 3)):
        asked: dict[str, set[frozenset[str]]] = {}
        for row in items[name]:
            asked.setdefault(row["prompt"], set()).add(frozenset(row["choices"]))
        assert {len(choices) for choices in asked.values()} == {times}


def test_the_first_rows_of_a_file_are_like_the_others(items, suite: Suite) -> None:
    for task in suite.tasks:
        if task.cluster and task.name in items:
            # In the order in which they were made, twenty rows would be two to ten clusters.
            assert len({row[task.cluster] for row in items[task.name][:20]}) >= 12, task.name
    tools = [row["prompt"].startswith("Question: What do you use") for row in items["mini_arc_easy"]]
    assert 0 < sum(tools[:20]) < 20


def test_the_right_choice_stands_at_every_place(items) -> None:
    for rows in _questions(items).values():
        for row in rows:
            choices = row.get("choices", row.get("contexts", []))
            assert len(set(choices)) == len(choices)
        labels = {row["label"] for row in rows if "label" in row}
        assert labels in (set(), {0, 1}, {0, 1, 2}, {0, 1, 2, 3})


def test_no_file_asks_the_same_thing_twice(items) -> None:
    for name, rows in _questions(items).items():
        asked = [str((row.get("prompt") or row["contexts"], row.get("choices"), row.get("clause"))) for row in rows]
        assert len(set(asked)) == len(asked), name


def test_mmlu_answers_follow_from_the_world(items) -> None:
    world = make_world()
    for subject, relation in SUBJECTS.items():
        for row in items[f"mini_mmlu_{subject}"]:
            (fact,) = [fact for fact in world.of(relation) if f" {fact.entity}" in row["prompt"]]
            assert row["choices"][row["label"]] == fact.answer
            assert not fact.taught


def test_no_example_is_asked(items) -> None:
    for name, rows in items.items():
        if name.endswith(".shots"):
            asked = {str(row.get("prompt", row.get("contexts"))) for row in items[name.removesuffix(".shots")]}
            assert not asked & {str(row.get("prompt", row.get("contexts"))) for row in rows}


def test_no_generated_question_stands_in_the_pre_training_text(items) -> None:
    written = "\n\n".join(text.documents(4000, PretrainRecipe.seed))
    asked = [row["prompt"] for name, rows in _questions(items).items() if name.startswith(GENERATED) for row in rows]
    assert not [prompt for prompt in asked if prompt.split("\nQuestion:")[0] in written]


@pytest.mark.parametrize("breadth", ["narrow", "broad"])
def test_no_evaluated_fact_stands_in_the_demonstrations(items, breadth) -> None:
    shown = "\n".join(f"{turn.prompt}\n{turn.reply}" for turn in demonstrations(breadth, 800, seed=0))
    asked = {
        row["prompt"].removeprefix("Question: ").removesuffix("\nAnswer:")
        for name, rows in _questions(items).items()
        if name.startswith(("mini_mmlu", "mini_arc"))
        for row in rows
    }
    assert not [question for question in asked if question in shown]
