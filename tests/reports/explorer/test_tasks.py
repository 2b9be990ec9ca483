from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mplus_eval.records.comparison import Comparison
from mplus_eval.reports.explorer.collection import Choice, Collection
from mplus_eval.reports.explorer.tasks import task_collection
from mplus_eval.reports.task_rows import stored_tasks
from mplus_eval.store.run_directory import RunDirectory
from tests.reports import build
from tests.reports.explorer.unpacking import Unpacked, unpacked

SHOTS = "Q: one and one? A: two\n\nQ: one and two? A: three\n\n"


def comparison(**changed: Any) -> Comparison:
    """Base, sft and plus on arc_easy with two examples."""
    full = build.full()
    task = full.tasks["arc_easy"].model_copy(update={"n_shots": 2, "metric": "acc_norm"} | changed)
    models = {name: full.models[name] for name in ("base", "sft", "plus")}
    return full.model_copy(update={"tasks": {"arc_easy": task}, "models": models})


def row(item: int, score: float | None, **changed: Any) -> dict[str, Any]:
    fields = {"stratum": "arc_easy", "item_id": f"arc_easy/{item}", "prompt": f"{SHOTS}Q: {item} and four? A:"}
    fields |= {"prompt_hash": f"h{item}", "generations": None, "choices": ["five", "six"], "target": "five"}
    fields |= {"log_probabilities": [-1.23456, -2.5], "answer": "five" if score else "six"}
    return build.outcome(item, score, **(fields | changed))


def collection(directory: Path, choice: Choice = "all", **changed: Any) -> Collection | None:
    of_run = comparison(**changed)
    (stored,) = stored_tasks(of_run, RunDirectory(directory))
    return task_collection(of_run, stored, choice)


def collected(directory: Path, choice: Choice = "all", **changed: Any) -> Unpacked:
    found = collection(directory, choice, **changed)
    assert found is not None
    return unpacked(found.text)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Three items: kept by both, lost by sft, and one that failed with plus."""
    build.write_outcomes(tmp_path, "base", "arc_easy", [row(n, 1.0) for n in range(3)])
    build.write_outcomes(tmp_path, "sft", "arc_easy", [row(n, float(n != 1)) for n in range(3)])
    failed = row(2, None, error="the model returned NaN", log_probabilities=None, answer=None)
    build.write_outcomes(tmp_path, "plus", "arc_easy", [row(0, 1.0), row(1, 1.0), failed])
    return tmp_path


def test_every_item_stands_with_what_became_of_it_under_each_model(run: Path) -> None:
    columns = collected(run).columns
    assert columns["ids"] == ["arc_easy/0", "arc_easy/1", "arc_easy/2"]
    assert [columns[f"state:{name}"] for name in ("base", "sft", "plus")] == ["===", "=l=", "==f"]
    assert columns["score:plus"] == [1, 1, None]


def test_the_question_is_told_from_its_examples_which_are_kept_once(run: Path) -> None:
    found = collected(run)
    assert [item["q"] for item in found.items] == [f"Q: {n} and four? A:" for n in range(3)]
    assert found.columns["previews"][1] == "Q: 1 and four? A:"
    assert found.shared == ["Q: one and one? A: two", "Q: one and two? A: three"]
    assert [item["s"] for item in found.items] == [[0, 1]] * 3


def test_choices_have_each_models_log_probabilities_and_pick(run: Path) -> None:
    item = collected(run).items[1]
    assert (item["c"], item["t"]) == (["five", "six"], "five")
    assert item["a"][0] == {"l": [-1.23, -2.5], "k": 0}
    assert item["a"][1]["k"] == 1


def test_a_failed_item_has_its_cause(run: Path) -> None:
    assert collected(run).items[2]["a"][2] == {"e": "the model returned NaN"}


def test_of_flips_only_what_changed_or_failed_is_packed(run: Path) -> None:
    found = collected(run, "flips")
    assert found.columns["ids"] == ["arc_easy/1", "arc_easy/2"]
    assert [item["q"][:4] for item in found.items] == ["Q: 1", "Q: 2"]
    assert found.columns["state:sft"] == "l="


def test_a_model_that_was_asked_otherwise_shows_its_own_prompt(run: Path) -> None:
    rows = [row(n, 1.0, prompt=f"<user>Q: {n} and four?\n\n<model>", prompt_hash=f"own {n}") for n in range(3)]
    for name in ("sft", "plus"):
        build.write_outcomes(run, name, "arc_easy", rows)
    found = collected(run)
    for answer in found.items[1]["a"][1:]:
        assert [found.shared[number] for number in answer["p"]] == ["<user>Q: 1 and four?", "<model>"]
    assert "p" not in found.items[1]["a"][0]
    assert found.items[1]["q"] == "Q: 1 and four? A:"


def test_a_model_without_an_item_and_one_without_outcomes_leave_a_hole(run: Path) -> None:
    build.write_outcomes(run, "sft", "arc_easy", [row(0, 1.0)])
    found = collected(run)
    assert found.columns["state:sft"] == "=--"
    assert found.items[1]["a"][1] is None
    without_plus = collection(run)
    assert without_plus is not None
    assert without_plus.facts["models"] == ["base", "sft", "plus"]


def test_of_texts_no_choice_is_picked_and_the_answer_taken_is_told(tmp_path: Path) -> None:
    rows = [row(0, 0.0, choices=None, log_probabilities=None, generations=["It is 7."], answer="7", thinking="hm")]
    build.write_outcomes(tmp_path, "base", "arc_easy", rows)
    assert collected(tmp_path).items[0]["a"] == [{"g": ["It is 7."], "h": "hm", "w": "7"}]


def test_where_less_is_better_a_fall_is_a_gain(tmp_path: Path) -> None:
    build.write_outcomes(tmp_path, "base", "arc_easy", [row(0, 0.9)])
    build.write_outcomes(tmp_path, "sft", "arc_easy", [row(0, 0.2)])
    found = collected(tmp_path, higher_is_better=False)
    assert (found.columns["state:sft"], found.columns["score:sft"]) == ("g", [0.2])


def test_infinite_log_probabilities_have_no_number(tmp_path: Path) -> None:
    build.write_outcomes(tmp_path, "base", "arc_easy", [row(0, 1.0, log_probabilities=[-0.1, float("-inf")])])
    assert collected(tmp_path).items[0]["a"][0]["l"] == [-0.1, None]


def test_where_no_items_are_wanted_there_is_no_collection(run: Path) -> None:
    assert collection(run, "none") is None
