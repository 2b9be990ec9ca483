"""Model cards: `huggingface_hub` reads back what was written, equal."""

from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import model_index_to_eval_results

from mplus_eval import cli
from mplus_eval.errors import UsageError
from mplus_eval.exports import StoredRun
from mplus_eval.exports.model_card import eval_results, model_card
from tests.exports.runs import PATHS

PAGE = "https://huggingface.co/spaces/org/report"


def test_it_reads_back_equal(run: StoredRun) -> None:
    for model in ("base", "sft", "plus"):
        for page in (None, PAGE):
            back = ModelCard(model_card(run, model, page)).data
            assert back.model_name == model
            assert back.eval_results == eval_results(run, model, page)
            index = back.to_dict()["model-index"]
            assert model_index_to_eval_results(index) == (model, back.eval_results)


def test_values_are_the_comparisons_with_shots_interval_and_count(run: StoredRun) -> None:
    results = {(each.dataset_name, each.metric_type): each for each in eval_results(run, "plus")}
    score = run.comparison.tasks["mmlu"].scores["plus"]
    found = results["mmlu", "acc"]
    assert score.ci is not None
    assert (found.metric_value, found.verified, found.dataset_args["num_few_shot"]) == (score.value, False, 5)
    assert (found.metric_args["low"], found.metric_args["high"]) == score.ci
    assert found.metric_args["n_items"] == 1000
    assert "win_rate" in {metric for _, metric in results}
    assert "expected_maximum_toxicity" in {metric for _, metric in results}


def test_a_task_of_the_shipped_definitions_has_its_dataset(run: StoredRun) -> None:
    tasks = run.comparison.tasks
    update = {"race_middle": tasks["race_middle"].model_copy(update={"lm_eval": "race_middle", "version": "1.0"})}
    changed = StoredRun(run.directory, run.comparison.model_copy(update={"tasks": {**tasks, **update}}))
    found = next(each for each in eval_results(changed, "base") if each.dataset_name == "race_middle")
    assert (found.dataset_type, found.dataset_config, found.dataset_split) == ("ehovy/race", "middle", "test")
    back = ModelCard(model_card(changed, "base")).data
    assert back.eval_results == eval_results(changed, "base")


def test_the_source_is_named_where_there_is_a_page(run: StoredRun) -> None:
    assert {(each.source_name, each.source_url) for each in eval_results(run, "plus", PAGE)} == {("mplus-eval", PAGE)}
    assert {each.source_name for each in eval_results(run, "plus")} == {None}


def test_no_local_path_and_no_hostile_text_gets_out_of_its_value(run: StoredRun, hostile: StoredRun) -> None:
    assert not any(path in model_card(run, "plus") for path in PATHS)
    back = ModelCard(model_card(hostile, "plus")).data
    assert back.eval_results == eval_results(hostile, "plus")
    assert set(back.to_dict()) == {"model-index"}


def test_an_unknown_model_is_refused(run: StoredRun) -> None:
    with pytest.raises(UsageError, match="--model-card 'pluss': no model of this run; did you mean plus"):
        model_card(run, "pluss")


def test_the_command_prints_it(run_directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (run_directory / "comparison.json").read_bytes()
    assert cli.run(["report", str(run_directory), "--model-card", "plus"]) == 0
    assert ModelCard(capsys.readouterr().out).data.model_name == "plus"
    assert cli.run(["report", str(run_directory), "--model-card", "absent"]) == 2
    assert (run_directory / "comparison.json").read_bytes() == before
