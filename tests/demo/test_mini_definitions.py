from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.demo.mini_tasks import MINI, leaf_names, load_leaf

SUITE = {task["name"]: task for task in yaml.safe_load((MINI.parent / "suites" / "mini.yaml").read_text())["tasks"]}
GENERATED = ("mini_bbh", "mini_drop", "mini_gsm8k")


@pytest.fixture(scope="module")
def leaves():
    return {task: [load_leaf(name) for name in leaf_names(task)] for task in SUITE}


def _prompt(leaf, number: int = 0):
    return leaf.fewshot_context(leaf.eval_docs[number], leaf.config.num_fewshot or 0)


@pytest.mark.parametrize("task", SUITE)
def test_the_definition_has_the_metric_filter_and_shots_of_the_suite(leaves, task) -> None:
    for leaf in leaves[task]:
        assert SUITE[task]["metric"] in leaf.aggregation()
        assert (leaf.config.num_fewshot or 0) == SUITE[task]["shots"]
        filters = [entry["name"] for entry in leaf.config.filter_list or []]
        assert SUITE[task].get("filter") in (filters or [None])


@pytest.mark.parametrize("task", [task for task in SUITE if task not in ("mini_hellaswag", "mini_winogrande")])
def test_a_prompt_ends_where_the_answer_is_expected(leaves, task) -> None:
    for leaf in leaves[task]:
        assert _prompt(leaf).endswith(("\nAnswer:", "\nA:"))


def test_hellaswag_ends_in_an_open_sentence(leaves) -> None:
    (leaf,) = leaves["mini_hellaswag"]
    assert _prompt(leaf).split("\n\n")[-1].split(", so ")[1].isalpha()


def test_winogrande_puts_each_filling_into_the_context_and_asks_for_the_same_clause(leaves) -> None:
    (leaf,) = leaves["mini_winogrande"]
    one, two = _prompt(leaf)
    assert one.split()[:-1] == two.split()[:-1]
    assert one.split()[-1] != two.split()[-1]
    assert leaf.doc_to_target(leaf.eval_docs[0]).startswith("was too")


@pytest.mark.parametrize("task", SUITE)
def test_a_prompt_has_the_examples_of_the_suite_with_their_answers(leaves, task) -> None:
    for leaf in leaves[task]:
        prompt = _prompt(leaf)
        text = prompt if isinstance(prompt, str) else prompt[0]
        assert text.count("\n\n") == SUITE[task]["shots"]


@pytest.mark.parametrize("task", ["mini_bbh", "mini_gsm8k"])
def test_examples_show_the_whole_solution(leaves, task) -> None:
    for leaf in leaves[task]:
        assert _prompt(leaf).count("answer is") == SUITE[task]["shots"]


@pytest.mark.parametrize("task", GENERATED)
def test_a_right_generation_scores_one_and_a_wrong_one_nothing(leaves, task) -> None:
    for leaf in leaves[task]:
        doc = leaf.eval_docs[0]
        right = doc.get("solution") or doc["answers"][0][0]
        assert _score(leaf, doc, f" {right}", SUITE[task]) == 1
        assert _score(leaf, doc, " So the answer is nothing.", SUITE[task]) == 0


def _score(leaf, doc, generation: str, task: dict[str, object]) -> float:
    from lm_eval.api.instance import Instance

    from mplus_eval.backends.lm_eval_private import set_requests

    request = Instance("generate_until", doc, ("", {}), 0, ("task", 0, 1))
    request.resps = [generation]
    set_requests(leaf, [request])
    leaf.apply_filters()
    filtered = request.filtered_resps[task.get("filter", "none")]
    return leaf.process_results(doc, [filtered])[task["metric"]]


@pytest.mark.parametrize("task", GENERATED)
def test_generations_are_short(leaves, task) -> None:
    for leaf in leaves[task]:
        assert leaf.config.generation_kwargs["max_gen_toks"] <= 48
        assert leaf.config.generation_kwargs["until"]


def test_every_definition_belongs_to_the_suite() -> None:
    used = {name for task in SUITE for name in [task, *leaf_names(task)]}
    assert {path.stem for path in MINI.glob("mini_*.yaml")} == used


def test_no_prompt_is_too_long_for_the_base(leaves) -> None:
    from mplus_eval.demo.tokenizer import make_tokenizer

    tokenizer = make_tokenizer()
    for found in leaves.values():
        for leaf in found:
            prompts = [_prompt(leaf, number) for number in range(len(leaf.eval_docs))]
            texts = [text for prompt in prompts for text in ([prompt] if isinstance(prompt, str) else prompt)]
            assert max(len(ids) for ids in tokenizer(texts)["input_ids"]) + 48 <= 512


def test_data_paths_are_relative_to_the_definition() -> None:
    for path in MINI.glob("mini_*.yaml"):
        for line in path.read_text().splitlines():
            if line.startswith("dataset_kwargs"):
                files = yaml.safe_load(line)["dataset_kwargs"]["data_files"]
                assert all((Path(MINI) / file).is_file() for file in files.values())
