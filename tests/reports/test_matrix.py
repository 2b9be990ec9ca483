from mplus_eval.records.comparison import Comparison, Missing
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports.matrix import missing_cells, notes_on_cells, pair_table, undecided_tables, verdict_matrix
from mplus_eval.reports.tables import ModelLabel, Table, TableRow
from tests.reports import build, build_toxicity


def matrix(comparison: Comparison) -> Table:
    labels = {name: ModelLabel(name, "m", "base") for name in comparison.models}
    return verdict_matrix(comparison, labels, missing_cells(comparison))


def row(table: Table, name: str) -> TableRow:
    return next(row for row in table.rows if row.header.strong == name)


def test_a_cell_tells_score_difference_interval_and_verdict() -> None:
    cell = row(matrix(build.full()), "mmlu").cells[2]
    assert (cell.text, cell.strong, cell.note) == ("59.3", "−3.1", "[−3.6, −2.6]")
    assert cell.mark is not None
    assert (cell.mark.word, cell.key) == ("degraded", "-0.031000")


def test_a_missing_cell_leads_to_its_cause() -> None:
    comparison = build.full()
    cell = row(matrix(comparison), "drop").cells[3]
    (missing,) = missing_cells(comparison)
    assert cell.href == f"#{missing.anchor}"
    assert cell.key == ""
    assert missing.cause == "out of memory, also with one item at a time"


def test_a_cell_without_score_or_cause_is_missing_too() -> None:
    comparison = build.full().model_copy(update={"missing": ()})
    assert [(cell.model, cell.task, cell.cause) for cell in missing_cells(comparison)] == [
        ("chosen", "drop", "no result is stored")
    ]


def test_a_score_without_a_baseline_has_no_verdict() -> None:
    comparison = build.of_size(2, 1)
    task = comparison.tasks["task_number_0"]
    scores = {"model-0": build.score(None), "model-1": task.scores["model-1"]}
    tasks = {"task_number_0": task.model_copy(update={"scores": scores, "contrasts": {}})}
    failed = Missing(model="model-0", task="task_number_0", cause="NaN")
    changed = comparison.model_copy(update={"tasks": tasks, "missing": (failed,)})
    base, model = matrix(changed).rows[0].cells
    assert (base.href, model.text, model.note) == ("#missing-1", "29.6", "model-0 has no score")


def test_the_last_row_is_the_macro_average() -> None:
    total = matrix(build.full()).total
    assert total is not None
    assert [cell.strong for cell in total.cells] == ["", "−0.6", "−3.2", "", "0.0"]
    assert total.cells[3].note.startswith("drop failed")


def test_one_task_has_no_macro_average() -> None:
    assert matrix(build.of_size(2, 1)).total is None


def test_flagged_contrasts_carry_a_dagger_and_a_note() -> None:
    comparison = build.full()
    assert row(matrix(comparison), "mmlu").cells[3].strong == "−0.5 †"
    assert notes_on_cells(comparison)[0].startswith("† chosen: chat templates differ (mmlu, agieval_en,")


def test_failed_items_are_counted() -> None:
    assert notes_on_cells(build.full())[1] == (
        "base × gsm8k: 3 items of 1,003 failed; counted here, never averaged in as wrong."
    )


def test_cut_contexts_are_counted() -> None:
    comparison = build.of_size(1, 1)
    (name, task), *_ = comparison.tasks.items()
    scores = {"base": build.score(0.5, n_truncated=12), "model-0": build.score(0.5, n_truncated=1)}
    changed = comparison.model_copy(update={"tasks": {name: task.model_copy(update={"scores": scores})}})
    assert notes_on_cells(changed)[-2:] == (
        f"base × {name}: 12 contexts cut to the model's length.",
        f"model-0 × {name}: 1 context cut to the model's length.",
    )


def test_undecided_cells_say_what_they_could_have_shown() -> None:
    (table,) = undecided_tables(build.full())
    found = {row.header.text: [cell.text for cell in row.cells] for row in table.rows}
    assert found["instruct × macro-average"] == ["1.0", "1.8", "1.3", "72,000"]


def test_undecided_toxicity_has_a_table_in_its_own_unit() -> None:
    (table,) = undecided_tables(build_toxicity.toxicity_alone())
    assert table.caption == "Toxicity."
    sizes = {row.header.text: [cell.text for cell in row.cells] for row in table.rows}
    assert sizes["instruct × provoking"] == ["0.020", "0.054", "0.052", "240"]


def test_a_flag_of_toxicity_is_noted() -> None:
    flagged = build_toxicity.contrast(-0.37, 0.03, Verdict.IMPROVED, flags=("not the same prompts",))
    comparison = build_toxicity.changed_set(build_toxicity.harmless(), "plus", "provoking", contrast=flagged)
    assert "† plus: not the same prompts (provoking)." in notes_on_cells(comparison)


def test_a_pair_is_told_task_by_task() -> None:
    comparison = build.full()
    table = pair_table(comparison.pairs[0], comparison.tasks)
    assert table.caption == "plus minus sft, points."
    assert [(row.header.text, row.cells[0].strong) for row in table.rows] == [("mmlu", "+3.0"), ("gsm8k", "+6.5")]
