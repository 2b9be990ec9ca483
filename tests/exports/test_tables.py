"""The comparison as tidy tables: the figures of comparison.json, each in its row."""

from __future__ import annotations

import pytest

from mplus_eval.exports import StoredRun
from mplus_eval.exports.tables import decision, matrix, scalars, tables_of


def test_there_is_a_table_of_everything_that_was_evaluated(run: StoredRun) -> None:
    assert set(tables_of(run)) == {
        "decision", "matrix", "scores", "contrasts", "summary", "subjects", "toxicity", "refusals", "conversation",
        "trajectory", "models", "missing",
    }  # fmt: skip


def test_scores_and_contrasts_are_those_of_the_comparison(run: StoredRun) -> None:
    tables, tasks = tables_of(run), run.comparison.tasks
    row = next(row for row in tables["scores"] if (row["task"], row["model"]) == ("mmlu", "plus"))
    score = tasks["mmlu"].scores["plus"]
    assert score.ci is not None
    assert (row["value"], row["low"], row["high"], row["n_scored"]) == (score.value, *score.ci, 1000)
    row = next(row for row in tables["contrasts"] if (row["model"], row["against"]) == ("plus", "sft"))
    assert (row["task"], row["difference"], row["verdict"]) == ("mmlu", 0.03, "improved")


def test_the_decision_has_a_row_for_each_model_and_axis_and_minus_is_a_loss(run: StoredRun) -> None:
    rows = {(row["model"], row["axis"]): row for row in decision(run)}
    assert ("base", "capability") not in rows
    assert not any("@" in str(model) for model, _ in rows)
    sft = rows["sft", "capability"]
    assert (sft["value"], sft["verdict"]) == (-0.032, "degraded")
    assert (sft["low"], sft["high"]) == (pytest.approx(-0.038), pytest.approx(-0.026))
    withheld = rows["chosen", "capability"]
    assert (withheld["value"], withheld["verdict"]) == (None, "no verdict")
    assert "drop failed" in str(withheld["why"])
    assert rows["plus", "harmlessness"]["higher_is_better"] is False
    assert {axis for model, axis in rows if model == "plus"} == {"capability", "harmlessness", "conversation"}


def test_the_matrix_has_a_row_for_each_task_and_columns_for_each_model(run: StoredRun) -> None:
    rows = matrix(run)
    assert [row["task"] for row in rows] == list(run.comparison.tasks)
    assert rows[0]["plus difference"] == pytest.approx(-0.001)
    assert "base difference" not in rows[0]
    drop = next(row for row in rows if row["task"] == "drop")
    assert drop["chosen score"] is drop["chosen verdict"] is None


def test_a_trajectory_begins_with_the_baseline(run: StoredRun) -> None:
    steps = [row for row in tables_of(run)["trajectory"] if row["training"] == "plus"]
    assert [row["step"] for row in steps] == [0, 10, 20, 30]
    assert [row["kl_per_answer"] for row in steps] == [0.0, 3.0, 7.0, 12.0]


def test_scalars_are_of_compared_models_alone(run: StoredRun) -> None:
    values = scalars(run)
    assert values["sft/alignment_tax"] == 0.032
    assert values["plus/mmlu/difference"] == pytest.approx(-0.001)
    assert not any("@" in name for name in values)
    assert all(isinstance(value, float) for value in values.values())
