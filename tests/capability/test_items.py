from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mplus_eval.capability.generate import build_requests
from mplus_eval.capability.items import LoadedTask, load_each, load_tasks
from mplus_eval.errors import SpecError
from mplus_eval.spec.suite import SuiteTask, load_suite
from tests.task_files import CHOICE, GENERATION, load_task, write_task, write_yaml

OWN_DATA = Path(__file__).parents[1] / "data" / "hub"
WHOLE = ("mmlu", "agieval_en", "bbh", "arc_easy", "arc_challenge", "race_middle", "gsm8k")
"""Tasks whose test split is whole in the benchmark data."""


@pytest.fixture(scope="module")
def mirror(benchmark_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The benchmark data, and the tests' own DROP beside them."""
    folder = tmp_path_factory.mktemp("mirror")
    for root in (benchmark_data, OWN_DATA):
        for dataset in root.glob("*/*"):
            link = folder / dataset.relative_to(root)
            link.parent.mkdir(exist_ok=True)
            link.symlink_to(dataset.resolve())
    return folder


@pytest.fixture(scope="module")
def mplus(mirror: Path) -> dict[str, LoadedTask]:
    loaded = load_tasks(load_suite("mplus").tasks, data_dir=mirror, tasks_dir=None)
    return {task.spec.name: task for task in loaded}


def fault(folder: Path, name: str = "sums", **asked: Any) -> str:
    with pytest.raises(SpecError) as caught:
        load_task(folder, name=name, **asked)
    (line,) = caught.value.faults
    return line


def prompts(task: LoadedTask, seed: int | None) -> list[list[Any]]:
    """Every request's arguments to four items of a subtask, by subtask and item."""
    return [
        list(map(_asked, build_requests(subtask, None, numbers=subtask.drawn(4, seed), chat=False)))
        for subtask in task.subtasks
    ]


def _asked(request: Any) -> tuple[int, Any]:
    return request.doc_id, request.args


# The suite mplus


def test_every_task_of_mplus_loads_as_the_suite_says(mplus: dict[str, LoadedTask]) -> None:
    for name, task in mplus.items():
        assert (task.metric, task.n_shots, task.kind) == (task.spec.metric, task.spec.shots, task.spec.kind), name
    assert len(mplus) == 11


def test_groups_keep_their_subtasks_as_strata(mplus: dict[str, LoadedTask]) -> None:
    assert {name: len(task.subtasks) for name, task in mplus.items() if len(task.subtasks) > 1} == {
        "mmlu": 57,
        "agieval_en": 10,
        "bbh": 27,
    }


@pytest.mark.parametrize("name", WHOLE)
def test_whole_datasets_have_the_declared_number_of_items(mplus: dict[str, LoadedTask], name: str) -> None:
    assert sum(subtask.n_docs for subtask in mplus[name].subtasks) == mplus[name].spec.items


def test_guessing_is_right_one_time_in_the_number_of_choices(mplus: dict[str, LoadedTask]) -> None:
    chances = {
        name: task.chance({subtask.name: range(min(20, subtask.n_docs)) for subtask in task.subtasks})
        for name, task in mplus.items()
    }
    assert chances["mmlu"] == chances["hellaswag"] == chances["race_high"] == 0.25
    assert chances["winogrande"] == 0.5
    assert chances["bbh"] == chances["drop"] == chances["gsm8k"] == 0.0
    # 20 items of each subtask: five choices in aqua_rat and the three of LSAT, four in five others, one is generated.
    assert chances["agieval_en"] == pytest.approx((4 * 20 / 5 + 5 * 20 / 4) / 200)


def test_exercises_of_one_passage_are_a_cluster(mplus: dict[str, LoadedTask]) -> None:
    subtasks = {subtask.name: subtask for subtask in mplus["agieval_en"].subtasks}
    reading = subtasks["agieval_lsat_rc"]
    clusters = [reading.cluster_of(doc) for doc in reading.docs()]
    assert None not in clusters
    assert len(set(clusters)) == 40
    sums = subtasks["agieval_aqua_rat"]
    assert {sums.cluster_of(doc) for doc in sums.docs()} == {None}
    drop = mplus["drop"].subtasks[0]
    assert len({drop.cluster_of(doc) for doc in drop.docs()}) == 4


def test_questions_that_two_subtasks_ask_are_one_cluster_with_their_passages(mplus: dict[str, LoadedTask]) -> None:
    subtasks = {subtask.name: subtask for subtask in mplus["agieval_en"].subtasks}
    shown, hidden = subtasks["agieval_sat_en"].clusters, subtasks["agieval_sat_en_without_passage"].clusters
    assert len(shown) == len(hidden) == 206
    assert None not in (*shown, *hidden)
    assert len({*shown, *hidden}) == len(set(shown)) == 44
    # Both files have the questions in one order.
    assert sum(one == other for one, other in zip(shown, hidden, strict=True)) == 206


@pytest.mark.parametrize("seed", [None, 0], ids=["first", "drawn"])
@pytest.mark.parametrize("name", ["arc_easy", "winogrande", "drop", "race_middle"])
def test_prompts_are_those_of_simple_evaluate(mplus: dict[str, LoadedTask], name: str, seed: int | None) -> None:
    import lm_eval
    from lm_eval.tasks import TaskManager

    task = mplus[name]
    config = dict(task.subtasks[0].source.config) | {"dataset_path": task.subtasks[0].task.DATASET_PATH}
    numbers = list(task.subtasks[0].drawn(4, seed))
    assert (numbers == [0, 1, 2, 3]) == (seed is None)
    results = lm_eval.simple_evaluate(
        "dummy",
        tasks=[config],
        num_fewshot=task.spec.shots,
        **({"limit": 4} if seed is None else {"samples": {config["task"]: numbers}}),
        log_samples=True,
        bootstrap_iters=0,
        task_manager=TaskManager(include_defaults=False),
    )
    theirs = sorted(
        (
            (sample["doc_id"], tuple(arguments))
            for sample in results["samples"][config["task"]]
            for arguments in sample["arguments"]
        ),
        key=repr,
    )
    assert sorted(prompts(task, seed)[0], key=repr) == theirs


def test_a_second_model_gets_the_same_prompts(mplus: dict[str, LoadedTask]) -> None:
    assert prompts(mplus["hellaswag"], 0) == prompts(mplus["hellaswag"], 0)


# What a definition and a suite say


def test_a_users_yaml_and_python_are_loaded(tmp_path: Path) -> None:
    write_task(tmp_path, "sums", doc_to_text="!function asking.ask.py")
    (tmp_path / "asking.py").write_text("def ask(doc):\n    return 'How much is ' + doc['question']\n")
    task = load_task(tmp_path, shots=1)
    (doc_id, (prompt, choice)) = prompts(task, None)[0][0]
    assert (doc_id, choice) == (0, " 0")
    assert prompt.startswith("How much is 1")
    assert prompt.endswith("\n\nHow much is 0 + 1 =")


def test_a_task_is_described(tmp_path: Path) -> None:
    write_task(tmp_path, "sums")
    task = load_task(tmp_path, name="sums")
    assert (task.metric, task.filter, task.n_shots, task.chance()) == ("acc", "none", 0, 0.5)
    assert (task.kind, task.version, task.lm_eval, task.higher_is_better) == ("choice", "1.5", "sums", True)


def test_generation_has_no_chance_and_a_mixed_group_some(tmp_path: Path) -> None:
    write_task(tmp_path, "choice", metric_list=[*CHOICE["metric_list"], *GENERATION["metric_list"]])
    write_task(tmp_path, "words", GENERATION)
    write_yaml(tmp_path / "both.yaml", {"group": "both", "task": ["choice", "words"]})
    assert (load_task(tmp_path, name="words").kind, load_task(tmp_path, name="words").chance()) == ("generation", 0.0)
    both = load_task(tmp_path, name="both")
    assert (both.kind, both.chance(), both.metric) == ("mixed", 0.25, "exact_match")


def test_the_suites_direction_overrules_the_definitions(tmp_path: Path) -> None:
    write_task(tmp_path, "sums", metric_list=[{"metric": "acc", "aggregation": "mean", "higher_is_better": False}])
    assert load_task(tmp_path).higher_is_better is False
    assert load_task(tmp_path, higher_is_better=True).higher_is_better is True


LAST_WORD: dict[str, Any] = {
    "output_type": "loglikelihood",
    "doc_to_choice": None,
    "doc_to_target": "{{options[answer]}}",
    "metric_list": [{"metric": "perplexity", "aggregation": "perplexity", "higher_is_better": False}],
}
ACCURACY = {"metric": "acc", "aggregation": "mean", "higher_is_better": True}


def test_a_mean_goes_before_a_ratio_where_nobody_chooses(tmp_path: Path) -> None:
    write_task(tmp_path, "sums", **LAST_WORD | {"metric_list": [*LAST_WORD["metric_list"], ACCURACY]})
    chosen = {metric: load_task(tmp_path, metric=metric) for metric in (None, "perplexity")}
    assert [(task.metric, task.measure.kind) for task in chosen.values()] == [
        ("acc", "mean"),
        ("perplexity", "perplexity"),
    ]
    assert chosen["perplexity"].higher_is_better is False


def test_texts_whose_likelihood_is_measured_are_a_kind_of_their_own(tmp_path: Path) -> None:
    metrics = [{"metric": "bits_per_byte", "aggregation": "bits_per_byte", "higher_is_better": False}]
    write_task(tmp_path, "sums", **LAST_WORD | {"output_type": "loglikelihood_rolling", "metric_list": metrics})
    task = load_task(tmp_path)
    assert (task.kind, task.chance(), task.measure.kind) == ("text", 0.0, "rate")


def test_a_group_whose_subtasks_aggregate_otherwise_is_refused(tmp_path: Path) -> None:
    write_task(tmp_path, "one", **LAST_WORD)
    write_task(tmp_path, "two", **LAST_WORD | {"metric_list": [ACCURACY | {"metric": "perplexity"}]})
    write_yaml(tmp_path / "both.yaml", {"group": "both", "task": ["one", "two"]})
    assert "metric 'perplexity' is aggregated in several ways by its subtasks" in fault(tmp_path, "both")


# Faults


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"metric": "f1"}, "metric 'f1'; known: acc, acc_norm"),
        ({"filter": "strict"}, "filter 'strict'; known: none"),
        ({"shots": 5}, "5 shots, but sums has only 4 examples to draw from"),
        ({"cluster": "pages"}, "cluster 'pages' is no column of sums: question, options, answer, page"),
    ],
)
def test_what_the_suite_asks_is_checked_against_the_task(tmp_path: Path, asked: dict[str, Any], message: str) -> None:
    write_task(tmp_path, "sums")
    assert fault(tmp_path, **asked) == f"task 'asked': {message}"


def test_shots_that_lm_eval_would_ignore_are_a_fault(tmp_path: Path) -> None:
    write_task(tmp_path, "sums", num_fewshot=0)
    assert "sums is defined with 0 shots, which lm-eval never changes, not 2" in fault(tmp_path, shots=2)


def test_a_metric_by_which_no_items_can_be_paired_is_refused(tmp_path: Path) -> None:
    write_task(tmp_path, "sums", metric_list=[{"metric": "f1", "aggregation": "f1", "higher_is_better": True}])
    assert "it has no metric by which items can be paired: a mean, bits per byte or a perplexity" in fault(tmp_path)


def test_every_fault_of_every_task_is_reported(tmp_path: Path) -> None:
    write_task(tmp_path, "sums")
    write_task(tmp_path, "broken", doc_to_text="!function absent.ask.py")
    asked = [("absent_task", {}), ("broken", {}), ("sums", {"metric": "f1"}), ("sums", {})]
    tasks = [SuiteTask(name=f"t{n}", lm_eval=name, **more) for n, (name, more) in enumerate(asked)]
    results = list(load_each(tasks, data_dir=None, tasks_dir=tmp_path))
    assert [isinstance(result, SpecError) for result in results] == [True, True, True, False]
    with pytest.raises(SpecError) as caught:
        load_tasks(tasks, data_dir=None, tasks_dir=tmp_path)
    starts = [line.split(": ")[0] for line in caught.value.faults]
    assert starts == ["task 't0'", "task 't1'", "task 't2'"]
    assert "absent" in caught.value.faults[1]
