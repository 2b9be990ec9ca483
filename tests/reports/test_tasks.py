from mplus_eval.records.comparison import Comparison
from mplus_eval.reports.tables import ModelLabel
from mplus_eval.reports.tasks import TaskView, task_note, task_views
from tests.reports import build
from tests.reports.columns import models_of, of_model


def views(comparison: Comparison, *, has_items: bool = True) -> dict[str, TaskView]:
    labels = {name: ModelLabel(name, "m", "base") for name in comparison.models}
    return {view.name: view for view in task_views(comparison, labels, has_items=has_items)}


def test_a_task_has_a_column_per_model_and_what_nobody_has_no_row() -> None:
    table = views(build.full())["mmlu"].table
    assert models_of(table) == ["base", "instruct", "sft", "chosen", "plus"]
    measures = [row.header.text for row in table.rows]
    assert measures[:4] == ["Score", "Items scored", "Verdict", "Difference"]
    assert "Failed" not in measures
    assert "Minimum detectable difference (80 % power)" in measures


def test_a_model_is_told_by_score_difference_and_flips() -> None:
    found = of_model(views(build.full())["mmlu"].table, "sft")
    assert (found["Score"].text, found["Difference"].text) == ("59.3", "−3.1")
    assert found["Verdict"].mark is not None
    assert found["Verdict"].mark.word == "degraded"
    assert [found[name].text for name in ("Items lost", "Items gained", "Wrong to another wrong")] == ["41", "12", "7"]
    assert of_model(views(build.full())["mmlu"].table, "base")["Difference"].text == "–"


def test_what_was_lost_and_gained_leads_to_the_items_where_there_are_any() -> None:
    found = of_model(views(build.full())["mmlu"].table, "sft")
    assert found["Items lost"].href == "#items?task=mmlu&model=sft&show=lost"
    assert found["Items gained"].href == "#items?task=mmlu&model=sft&show=gained"
    assert of_model(views(build.full(), has_items=False)["mmlu"].table, "sft")["Items lost"].href == ""


def test_a_missing_model_has_dashes_and_no_verdict_in_the_line_above() -> None:
    drop = views(build.full())["drop"]
    assert {cell.text for cell in of_model(drop.table, "chosen").values()} == {"–"}
    assert [verdict.model for verdict in drop.verdicts] == ["instruct", "sft", "plus"]


def test_failed_items_have_a_row() -> None:
    assert of_model(views(build.full())["gsm8k"].table, "base")["Failed"].text == "3"


def test_a_task_with_subjects_leads_to_them() -> None:
    found = views(build.full())
    assert (found["mmlu"].subjects, found["drop"].subjects) == ("subjects-mmlu", "")


def test_a_task_says_how_it_is_measured() -> None:
    task = build.task(400, 0.25, {"base": build.score(3.2)}, {}, higher_is_better=False)
    assert task_note(task) == "5-shot, acc, n 400, lower is better, in its own unit"


def test_one_model_has_scores_only() -> None:
    table = views(build.of_size(1, 1))["task_number_0"].table
    assert [row.header.text for row in table.rows] == ["Score", "Items scored"]
    assert "Differences" not in table.caption
