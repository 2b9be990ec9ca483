from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.demo.mini_tasks import MINI, leaf_names, load_leaf

SUITE = {task["name"]: task for task in yaml.safe_load((MINI.parent / "suites" / "mini.yaml").read_text())["tasks"]}
GENERATED = ("mini_bbh", "mini_drop", "mini_gsm8k")


@pytest.fixture(scope="module")
def subtasks():
    return {task: [load_leaf(name) for name in leaf_names(task)] for task in SUITE}


def _prompt(subtask, number: int = 0):
    return subtask.fewshot_context(subtask.eval_docs[number], subtask.config.num_fewshot or 0)


@pytest.mark.parametrize("task", SUITE)
def test_the_definition_has_the_metric_filter_and_shots_of_the_suite(subtasks, task) -> None:
    for subtask in subtasks[task]:
        assert SUITE[task]["metric"] in subtask.aggregation()
        assert (subtask.config.num_fewshot or 0) == SUITE[task]["shots"]
        filters = [entry["name"] for entry in subtask.config.filter_list or []]
        assert SUITE[task].get("filter") in (filters or [None])


@pytest.mark.parametrize("task", [task for task in SUITE if task not in ("mini_hellaswag", "mini_winogrande")])
def test_a_prompt_ends_where_the_answer_is_expected(subtasks, task) -> None:
    for subtask in subtasks[task]:
        assert _prompt(subtask).endswith(("\nAnswer:", "\nA:"))


def test_hellaswag_ends_in_an_open_sentence(subtasks) -> None:
    (subtask,) = subtasks["mini_hellaswag"]
    assert _prompt(subtask).split("\n\n")[-1].split(", so ")[1].isalpha()


def test_winogrande_puts_each_filling_into_the_context_and_asks_for_the_same_clause(subtasks) -> None:
    (subtask,) = subtasks["mini_winogrande"]
    one, two = _prompt(subtask)
    assert one.split()[:-1] == two.split()[:-1]
    assert one.split()[-1] != two.split()[-1]
    assert {subtask.doc_to_target(row) for row in subtask.eval_docs} == {row["clause"] for row in subtask.eval_docs}


@pytest.mark.parametrize("task", SUITE)
def test_a_prompt_has_the_examples_of_the_suite_with_their_answers(subtasks, task) -> None:
    for subtask in subtasks[task]:
        prompt = _prompt(subtask)
        text = prompt if isinstance(prompt, str) else prompt[0]
        assert text.count("\n\n") == SUITE[task]["shots"]


@pytest.mark.parametrize("task", ["mini_bbh", "mini_gsm8k"])
def test_examples_show_the_whole_solution(subtasks, task) -> None:
    for subtask in subtasks[task]:
        assert _prompt(subtask).count("answer is") == SUITE[task]["shots"]


@pytest.mark.parametrize("task", GENERATED)
def test_a_right_generation_scores_one_and_a_wrong_one_nothing(subtasks, task) -> None:
    for subtask in subtasks[task]:
        doc = subtask.eval_docs[0]
        right = doc.get("solution") or doc["answers"][0][0]
        assert _score(subtask, doc, f" {right}", SUITE[task]) == 1
        assert _score(subtask, doc, " So the answer is nothing.", SUITE[task]) == 0


def _score(subtask, doc, generation: str, task: dict[str, object]) -> float:
    from lm_eval.api.instance import Instance

    from mplus_eval.backends.lm_eval_private import set_requests

    request = Instance("generate_until", doc, ("", {}), 0, ("task", 0, 1))
    request.resps = [generation]
    set_requests(subtask, [request])
    subtask.apply_filters()
    filtered = request.filtered_resps[task.get("filter", "none")]
    return subtask.process_results(doc, [filtered])[task["metric"]]


@pytest.mark.parametrize("task", GENERATED)
def test_generations_are_short(subtasks, task) -> None:
    for subtask in subtasks[task]:
        assert subtask.config.generation_kwargs["max_gen_toks"] <= 48
        assert subtask.config.generation_kwargs["until"]


def test_every_definition_belongs_to_the_suite() -> None:
    used = {name for task in SUITE for name in [task, *leaf_names(task)]}
    assert {path.stem for path in MINI.glob("mini_*.yaml")} == used


def test_no_prompt_is_too_long_for_the_base(subtasks) -> None:
    from mplus_eval.demo.tokenizer import make_tokenizer

    tokenizer = make_tokenizer()
    for found in subtasks.values():
        for subtask in found:
            # The examples before it are the same for every item, so the longest items have the longest prompts.
            longest = sorted(range(len(subtask.eval_docs)), key=lambda number: len(str(subtask.eval_docs[number])))[
                -10:
            ]
            prompts = [_prompt(subtask, number) for number in longest]
            texts = [text for prompt in prompts for text in ([prompt] if isinstance(prompt, str) else prompt)]
            assert max(len(ids) for ids in tokenizer(texts)["input_ids"]) + 48 <= 512


def test_data_paths_are_relative_to_the_definition() -> None:
    for path in MINI.glob("mini_*.yaml"):
        for line in path.read_text().splitlines():
            if line.startswith("dataset_kwargs"):
                files = yaml.safe_load(line)["dataset_kwargs"]["data_files"]
                assert all((Path(MINI) / file).is_file() for file in files.values())
