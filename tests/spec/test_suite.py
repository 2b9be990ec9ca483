from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.errors import SpecError
from mplus_eval.spec.suite import Suite, load_suite, shipped_suites
from tests.task_files import write_yaml

MPLUS = [
    ("mmlu", "mmlu", 5, "acc", None),
    ("agieval_en", "agieval_en", 0, "acc", None),
    ("bbh", "bbh_cot_fewshot", 3, "exact_match", "get-answer"),
    ("arc_easy", "arc_easy", 25, "acc_norm", None),
    ("arc_challenge", "arc_challenge", 25, "acc_norm", None),
    ("hellaswag", "hellaswag", 10, "acc_norm", None),
    ("winogrande", "winogrande", 5, "acc", None),
    ("race_high", "race", 0, "acc", None),
    ("race_middle", "race_middle", 0, "acc", None),
    ("drop", "drop", 3, "f1", None),
    ("gsm8k", "gsm8k_cot", 8, "exact_match", "flexible-extract"),
]


@pytest.fixture(scope="module")
def mplus() -> Suite:
    return load_suite("mplus")


def faults_of(path: Path) -> tuple[str, ...]:
    with pytest.raises(SpecError) as caught:
        load_suite(str(path))
    return caught.value.faults


def test_mplus_is_the_documented_table(mplus: Suite) -> None:
    assert [(task.name, task.lm_eval, task.shots, task.metric, task.filter) for task in mplus.tasks] == MPLUS


def test_margins_have_the_documented_defaults(mplus: Suite) -> None:
    assert (mplus.margin, mplus.task_margin, mplus.level) == (0.01, 0.02, 0.05)


def test_failures_and_the_correlation_of_clusters_have_the_documented_defaults(mplus: Suite) -> None:
    assert (mplus.failures, mplus.icc, mplus.retain, mplus.task_retain) == (0.01, 0.3, None, None)


def test_a_margin_is_given_in_one_way(tmp_path: Path) -> None:
    task = {"name": "a", "lm_eval": "boolq", "margin": 0.02, "retain": 0.9}
    suite = {"name": "own", "margin": 0.01, "retain": 0.95, "task_retain": 0.95, "tasks": [task]}
    path = write_yaml(tmp_path / "own.yaml", suite)
    says = "margin and retain are two ways to say one thing; give one of them"
    assert faults_of(path) == (f"suite {path}: {says}", f"suite {path}: task 'a': {says}")


@pytest.mark.parametrize("name", sorted(shipped_suites()))
def test_every_shipped_suite_loads_under_its_file_name(name: str) -> None:
    assert load_suite(name).name == name


def test_an_unknown_suite_names_the_nearest() -> None:
    with pytest.raises(SpecError, match=r"suite 'mpluss'.*did you mean mplus or"):
        load_suite("mpluss")


def test_every_fault_of_a_suite_is_a_line(tmp_path: Path) -> None:
    tasks = [
        {"name": "a", "lm_eval": "boolq", "shot": 3},
        {"name": "b/c", "lm_eval": "boolq"},
        {"name": "d"},
        {"name": "e", "lm_eval": "boolq", "shots": -1},
    ]
    path = write_yaml(tmp_path / "s.yaml", {"name": "s", "margn": 0.1, "task_margin": 2, "tasks": tasks})
    faults = faults_of(path)
    assert len(faults) == 6
    for words in (
        "task 'a': unknown key 'shot'; did you mean shots?",
        "task 'b/c': name 'b/c' cannot be a path",
        "task 'd': 'lm_eval' is missing",
        "task 'e': shots -1: input should be greater than or equal to 0",
        "unknown key 'margn'; did you mean margin",
        "task_margin 2: input should be less than 1",
    ):
        assert any(words in fault and str(path) in fault for fault in faults), (words, faults)


def test_two_tasks_of_one_name_are_a_fault(tmp_path: Path) -> None:
    tasks = [{"name": "a", "lm_eval": "boolq"}, {"name": "a", "lm_eval": "copa"}]
    assert faults_of(write_yaml(tmp_path / "s.yaml", {"name": "s", "tasks": tasks})) == (
        f"suite {tmp_path / 's.yaml'}: two tasks or sets have the name 'a'",
    )


def test_a_suite_without_tasks_is_a_fault(tmp_path: Path) -> None:
    assert "tasks" in faults_of(write_yaml(tmp_path / "s.yaml", {"name": "s", "tasks": []}))[0]


def test_tasks_that_are_no_list_are_a_fault(tmp_path: Path) -> None:
    assert "tasks" in faults_of(write_yaml(tmp_path / "s.yaml", {"name": "s", "tasks": {"a": "boolq"}}))[0]


def test_a_definition_beside_the_suite_is_found_from_anywhere(tmp_path: Path) -> None:
    path = write_yaml(tmp_path / "s.yaml", {"name": "s", "tasks": [{"name": "a", "lm_eval": "own/a.yaml"}]})
    assert load_suite(str(path)).tasks[0].lm_eval == str((tmp_path / "own" / "a.yaml").resolve())


def test_stop_strings_are_one_text_or_several_and_none_is_empty(tmp_path: Path) -> None:
    one = {"name": "a", "lm_eval": "gsm8k", "until": "Q:", "max_gen_toks": 64}
    several = {"name": "b", "lm_eval": "gsm8k", "until": ["Q:", "\n\n"]}
    tasks = load_suite(str(write_yaml(tmp_path / "s.yaml", {"name": "s", "tasks": [one, several]}))).tasks
    assert [(task.until, task.max_gen_toks) for task in tasks] == [(("Q:",), 64), (("Q:", "\n\n"), None)]
    for wrong in ({"until": ""}, {"until": []}, {"until": 3}, {"until": ["", "a"]}, {"max_gen_toks": 0}):
        (fault,) = faults_of(write_yaml(tmp_path / "s.yaml", {"name": "s", "tasks": [{**several, **wrong}]}))
        assert f"task 'b': {next(iter(wrong))} " in fault
        assert fault.endswith(("a text, or a list of them, none of them empty", "greater than 0"))


def test_examples_are_fixed_for_a_suite_or_for_a_task(tmp_path: Path) -> None:
    tasks = [{"name": "a", "lm_eval": "boolq"}, {"name": "b", "lm_eval": "copa", "examples": "sampled"}]
    fixed = load_suite(str(write_yaml(tmp_path / "s.yaml", {"name": "s", "shots": "fixed", "tasks": tasks})))
    assert [task.examples for task in fixed.tasks] == ["fixed", "sampled"]
    tasks[1]["examples"] = "fixed"
    own = load_suite(str(write_yaml(tmp_path / "t.yaml", {"name": "t", "tasks": tasks})))
    assert [task.examples for task in own.tasks] == ["sampled", "fixed"]


def test_examples_that_are_neither_are_a_fault(tmp_path: Path) -> None:
    tasks = [{"name": "a", "lm_eval": "boolq", "examples": 5}]
    assert [
        fault.partition(": ")[2]
        for fault in faults_of(write_yaml(tmp_path / "s.yaml", {"name": "s", "shots": 5, "tasks": tasks}))
    ] == ["shots 5: sampled or fixed", "task 'a': examples 5: sampled or fixed"]


def test_a_suite_has_what_it_does_not_say_from_the_one_that_it_extends(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    base = {"name": "b", "margin": 0.03, "budget": 90, "tasks": [{"name": "a", "lm_eval": "own.yaml"}]}
    write_yaml(tmp_path / "sub" / "b.yaml", base)
    own = {"name": "s", "extends": "sub/b.yaml", "shots": "fixed", "budget": 60}
    suite = load_suite(str(write_yaml(tmp_path / "s.yaml", own)))
    assert (suite.name, suite.margin, suite.budget) == ("s", 0.03, 60)
    # A definition lies beside the suite that names it; what the base leaves open is this suite's.
    assert [(task.lm_eval, task.examples) for task in suite.tasks] == [
        (str((tmp_path / "sub" / "own.yaml").resolve()), "fixed")
    ]


def test_a_suite_that_extends_needs_a_name_of_its_own(tmp_path: Path) -> None:
    assert faults_of(write_yaml(tmp_path / "s.yaml", {"extends": "mplus"})) == (
        f"suite {tmp_path / 's.yaml'}: 'name' is missing",
    )


def test_what_cannot_be_extended_is_one_line(tmp_path: Path) -> None:
    path = write_yaml(tmp_path / "s.yaml", {"name": "s", "extends": "mplu"})
    (fault,) = faults_of(path)
    assert fault.startswith(f"suite {path}: extends 'mplu': no such file or shipped suite; did you mean mplus")
    write_yaml(tmp_path / "t.yaml", {"name": "t", "extends": "s.yaml"})
    write_yaml(path, {"name": "s", "extends": "t.yaml"})
    assert faults_of(path) == (f"suite {tmp_path / 't.yaml'}: extends 's.yaml': it is extended by that one in turn",)
    write_yaml(path, {"name": "s", "extends": 3, "tasks": [{"name": "a", "lm_eval": "boolq"}]})
    assert faults_of(path) == (f"suite {path}: extends 3: input should be a valid string",)


def test_costs_are_of_tasks_of_the_suite(tmp_path: Path) -> None:
    document = {"name": "s", "costs": {"a": 3, "aa": 4}, "tasks": [{"name": "a", "lm_eval": "boolq"}]}
    assert faults_of(write_yaml(tmp_path / "s.yaml", document)) == (
        f"suite {tmp_path / 's.yaml'}: costs: 'aa' is no task of it; did you mean a?",
    )
    document["costs"] = {"a": 0}
    (fault,) = faults_of(write_yaml(tmp_path / "s.yaml", document))
    assert "0: input should be greater than 0" in fault


def test_mplus_quick_is_mplus_with_fixed_examples_and_a_budget(mplus: Suite) -> None:
    quick = load_suite("mplus-quick")
    same = {"tasks", "margin", "task_margin", "icc", "failures", "level", "harmlessness", "conversation"}
    assert quick.model_dump(include=same - {"tasks"}) == mplus.model_dump(include=same - {"tasks"})
    assert quick.tasks == tuple(task.model_copy(update={"examples": "fixed"}) for task in mplus.tasks)
    assert (quick.shots, quick.budget, mplus.budget) == ("fixed", 1500, None)
    assert list(quick.costs) == [task.name for task in mplus.tasks]
    assert "not for published numbers" in quick.description


def test_a_margin_in_another_form_takes_the_place_of_that_of_the_suite_below(tmp_path: Path) -> None:
    task = {"name": "a", "lm_eval": "boolq"}
    write_yaml(tmp_path / "below.yaml", {"name": "below", "margin": 0.01, "task_margin": 0.03, "tasks": [task]})
    path = write_yaml(tmp_path / "own.yaml", {"name": "own", "extends": "below.yaml", "retain": 0.95})
    suite = load_suite(str(path))
    assert (suite.retain, suite.task_margin, suite.task_retain) == (0.95, 0.03, None)
