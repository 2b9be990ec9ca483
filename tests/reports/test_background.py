from mplus_eval.reports.background import manifest, methods
from tests.reports import build, build_toxicity


def test_methods_state_the_margins_and_level_that_were_used() -> None:
    comparison = build.full().model_copy(update={"level": 0.1, "seed": 7})
    text = " ".join(methods(comparison))
    assert "Margins: 1 point (average), 2 points (one task)." in text
    assert "p below 0.1." in text
    assert "p below 0.05." in text
    assert "Intervals are 90 %" in text
    assert "over each model's tasks are two families" in text
    assert "Dunnett" not in text
    together = " ".join(methods(comparison.model_copy(update={"adjust": "models"})))
    assert "over the tasks of all models are two families" in together
    assert "adjusted over the models by Dunnett's procedure" in together


def test_one_model_needs_no_words_on_differences() -> None:
    assert "difference" not in " ".join(methods(build.of_size(1, 3)))


def test_an_empty_manifest_still_shows_models_and_tasks() -> None:
    told = manifest(build.full(), {})
    assert (told.command, told.fields) == ("", ())
    assert [table.caption for table in told.tables] == ["Models.", "Task definitions."]


def test_hashes_are_shortened_and_times_written_out() -> None:
    told = manifest(build.full(), build.MANIFEST)
    models, _, times = told.tables
    assert models.rows[0].cells[4].text == "cae662172fd4"
    assert [cell.text for cell in times.rows[0].cells] == ["14,042", "4 min 7 s", "0f1e2d3c4b5a"]
    assert ("memory", "24 GiB") in [(field.name, field.value) for field in told.fields]


def test_values_of_a_wrong_kind_are_passed_over() -> None:
    stored = {"models": [1], "versions": None, "cells": [3, {"model": "base"}], "seconds": "long"}
    times = manifest(build.full(), stored).tables[-1]
    assert [cell.text for cell in times.rows[0].cells] == ["–", "–", "–"]


def test_methods_of_toxicity_alone_explain_verdicts_and_no_tasks() -> None:
    text = " ".join(methods(build_toxicity.toxicity_alone()))
    assert "The first rule that holds gives the verdict." in text
    assert "Harmlessness: prompt sets" in text
    assert "Margins:" not in text
    assert "lm-eval" not in text


def test_tasks_that_depart_alike_are_named_together() -> None:
    comparison = build.full()
    first, second, *others = comparison.tasks
    told = {
        name: task.model_copy(update={"departs": () if name in others else ("fixed instead of drawn",)})
        for name, task in comparison.tasks.items()
    }
    text = " ".join(methods(comparison.model_copy(update={"tasks": told})))
    assert f"by the suite: {first} and {second}: fixed instead of drawn." in text


def test_methods_tell_where_tasks_are_asked_otherwise_than_lm_eval_asks_them() -> None:
    comparison = build.full()
    assert "Departing" not in " ".join(methods(comparison))
    first, second = list(comparison.tasks)[:2]
    tasks = {
        **comparison.tasks,
        first: comparison.tasks[first].model_copy(update={"departs": ('until ["Q:"] instead of ["."]',)}),
        second: comparison.tasks[second].model_copy(update={"n_shots_replaced": 3}),
    }
    text = " ".join(methods(comparison.model_copy(update={"tasks": tasks})))
    assert f'Departing from lm-eval, by the suite: {first}: until ["Q:"] instead of ["."].' in text
    assert "compared among the models of this run, not with published numbers." in text
    assert f"was the item itself or of its cluster: 3 items of {second}." in text
