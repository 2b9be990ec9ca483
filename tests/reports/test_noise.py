from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mplus_eval.records.comparison import Comparison, FlipRate, Missing, NoiseFloor
from mplus_eval.reports import write_report
from mplus_eval.reports.decision import decide
from mplus_eval.reports.noise import noise_line, noise_method, noise_notes, noise_table
from mplus_eval.reports.render import render_markdown
from mplus_eval.reports.terminal import summary
from mplus_eval.reports.view import build_report
from tests.reports import build

CAUSE = "out of memory, also with one item at a time"


def with_noise(comparison: Comparison, *, within: tuple[str, ...] = (), **changed: Any) -> Comparison:
    """A comparison with 3 flips of 400 a task; every contrast is above, but those of the models named."""
    rates = {task: FlipRate(n_items=400, flips=3, rate=0.0075, ci=(0.0015, 0.0218)) for task in comparison.tasks}
    n_items, n_flips = 400 * len(rates), 3 * len(rates)
    whole = FlipRate(n_items=n_items, flips=n_flips, rate=n_flips / n_items, ci=(0.004, 0.012))
    fields: dict[str, Any] = {"batch_size": "6 instead of 16", "tasks": rates, "suite": whole}
    tasks = {
        name: task.model_copy(
            update={
                "contrasts": {
                    m: found.model_copy(update={"above_noise": m not in within}) for m, found in task.contrasts.items()
                }
            }
        )
        for name, task in comparison.tasks.items()
    }
    summary = {
        name: found.model_copy(update={"above_noise": name not in within}) for name, found in comparison.summary.items()
    }
    noise = NoiseFloor(**(fields | changed))
    return comparison.model_copy(update={"tasks": tasks, "summary": summary, "noise_floor": noise})


def without_first(comparison: Comparison) -> Comparison:
    """The noise floor of the first task is missing, and with it that of the suite."""
    noise = comparison.noise_floor
    assert noise is not None
    first = next(iter(comparison.tasks))
    rates = {task: rate for task, rate in noise.tasks.items() if task != first}
    lacking = noise.model_copy(update={"tasks": rates, "suite": None, "missing": {first: CAUSE}})
    return comparison.model_copy(update={"noise_floor": lacking})


def test_the_matrix_has_the_noise_floor_beside_every_contrast() -> None:
    matrix = build_report(with_noise(build.of_size(3, 2)), {}, Path()).matrix

    assert [column.text for column in matrix.columns] == ["Task", "model-0", "model-1", "model-2", "Noise floor"]
    assert [(row.cells[-1].text, row.cells[-1].note) for row in matrix.rows] == [("0.8 %", "3 of 400")] * 2
    assert matrix.total is not None
    assert (matrix.total.cells[-1].text, matrix.total.cells[-1].note) == ("0.8 %", "6 of 800")
    assert "Noise floor: the share of items that flip when model-0 is asked again in other batches" in matrix.caption


def test_without_a_noise_floor_nothing_is_said_of_one() -> None:
    report = build_report(build.of_size(3, 2), {}, Path())

    assert [column.text for column in report.matrix.columns] == ["Task", "model-0", "model-1", "model-2"]
    assert report.noise is None
    assert "noise" not in render_markdown(report).lower()


def test_the_table_sets_the_flips_of_each_model_beside_the_noise_floor() -> None:
    """Every made-up contrast has 41 lost and 12 gained of 1,000."""
    table = noise_table(with_noise(build.of_size(3, 2)))

    assert table is not None
    assert [column.text for column in table.columns] == ["Task", "Noise floor", "model-1", "model-2"]
    assert [(cell.text, cell.note) for cell in table.rows[0].cells] == [
        ("0.8 [0.1, 2.2]", "3 of 400"),
        ("5.3", "53 of 1,000"),
        ("5.3", "53 of 1,000"),
    ]
    assert table.total is not None
    assert table.total.cells[1].note == "106 of 2,000"


def test_flips_that_may_be_noise_are_said_in_a_sentence() -> None:
    comparison = with_noise(build.of_size(3, 2), within=("model-2",))

    assert noise_notes(comparison) == (
        "model-2: the items that flipped on task_number_0 and task_number_1 are no more than other batches alone "
        "may flip.",
    )
    remark = "106 of 2,000 items flipped, no more than other batches alone may flip (up to 1.2 %)."
    assert remark in decide("model-2", comparison).remarks
    assert not any("batches" in said for said in decide("model-1", comparison).remarks)


def test_a_task_without_a_noise_floor_has_its_cause() -> None:
    comparison = without_first(with_noise(build.of_size(2, 2)))

    assert noise_notes(comparison) == (f"No noise floor of task_number_0: {CAUSE}.",)
    assert build_report(comparison, {}, Path()).matrix.rows[0].cells[-1].text == "none"


@pytest.mark.parametrize(
    ("within", "line"),
    [
        ((), "Noise floor: 6 of 800 items (0.8 %) flip in other batches"),
        (
            ("model-1", "model-2"),
            "Noise floor: 6 of 800 items (0.8 %) flip in other batches; model-1 and model-2 no more",
        ),
    ],
)
def test_the_terminal_has_one_line(within: tuple[str, ...], line: str) -> None:
    assert noise_line(with_noise(build.of_size(3, 2), within=within)) == line


def test_the_line_counts_among_the_thirteen() -> None:
    comparison = with_noise(build.of_size(20, 2))
    missing = tuple(Missing(model="model-1", task=f"task {number}", cause="NaN") for number in range(9))
    console = Console(file=io.StringIO(), width=80, color_system=None)
    console.print(summary(comparison.model_copy(update={"missing": missing})))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]

    assert len(lines) == 13
    assert [line[:12] for line in lines[-3:-1]] == ["Noise floor:", "× model-1 × "]


def test_the_terminal_names_the_tasks_without_a_noise_floor() -> None:
    comparison = without_first(with_noise(build.of_size(3, 2)))

    assert noise_line(comparison) == f"Noise floor: none on task_number_0: {CAUSE}"


def test_pairs_have_the_noise_floor_of_the_baseline() -> None:
    pair = build.full().pairs[0]
    contrasts = {task: found.model_copy(update={"above_noise": task == "mmlu"}) for task, found in pair.tasks.items()}
    comparison = with_noise(build.full()).model_copy(update={"pairs": (pair.model_copy(update={"tasks": contrasts}),)})
    (table,) = build_report(comparison, {}, Path()).pairs

    assert table.columns[-1].text == "Noise floor"
    assert [row.cells[-1].note for row in table.rows] == ["3 of 400", "3 of 400, not exceeded"]


def test_saved_steps_stand_in_nothing_of_it() -> None:
    report = build_report(with_noise(build.trained(), within=("plus@10", "plus@20")), {}, Path())

    assert report.noise is not None
    assert not any("plus@" in column.text for column in report.noise.columns)
    assert not any("plus@" in note for note in report.cell_notes)


def test_both_formats_tell_it(tmp_path: Path) -> None:
    build.write_run(tmp_path, with_noise(build.of_size(2, 2), within=("model-1",)))
    write_report(tmp_path)
    page, text = (tmp_path / "report.html").read_text(), (tmp_path / "report.md").read_text()

    assert "Flipped items beside the noise floor" in page
    assert "Flipped items beside the noise floor." in text
    for written in (page, text):
        assert "no more than other batches alone may flip" in written
        assert "Clopper and Pearson" in written


def test_a_hostile_cause_is_one_harmless_line(tmp_path: Path) -> None:
    noise = {"missing": {"mmlu": build.HOSTILE}, "suite": None, "batch_size": build.HOSTILE}
    build.write_run(tmp_path, with_noise(build.full(), **noise))
    write_report(tmp_path)

    assert "<script>window" not in (tmp_path / "report.html").read_text()
    assert "<script>" not in (tmp_path / "report.md").read_text()
    comparison = with_noise(build.full(), **noise)
    assert "\u202e" not in f"{noise_line(comparison)}{noise_method(comparison)}{noise_notes(comparison)}"
