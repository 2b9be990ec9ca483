from __future__ import annotations

from pathlib import Path

from mplus_eval.records.comparison import Comparison
from mplus_eval.reports import write_report
from mplus_eval.reports.tables import ModelLabel
from mplus_eval.reports.training import TrainingSection, training_section
from mplus_eval.reports.view import build_report
from tests.reports import build
from tests.reports.columns import of_model


def section_of(comparison: Comparison) -> TrainingSection:
    found = training_section(comparison, {name: ModelLabel(name, "m", "base") for name in comparison.models})
    assert found is not None
    return found


def test_training_and_dose_stand_in_both_formats(tmp_path: Path) -> None:
    directory = build.write_run(tmp_path, build.trained())
    write_report(directory)
    for name in ("report.html", "report.md"):
        text = (directory / name).read_text(encoding="utf-8")
        for words in ("1,000 pairs of demo:pairs, chosen answers", "2 malformed and 3 evaluated", "at 12 nats: plus"):
            assert words in text
        assert "plus@10" not in text
    assert {"dose.svg", "trajectory-1.svg"} <= {path.name for path in (directory / "figures").iterdir()}


def test_a_report_without_training_has_neither_section(tmp_path: Path) -> None:
    report = build_report(build.full(), {}, tmp_path)
    assert not {"training", "trajectory"} & {section.anchor for section in report.sections}


def test_of_another_trainer_the_trajectory_is_told_without_a_dose(tmp_path: Path) -> None:
    directory = build.write_run(tmp_path, build.trained_elsewhere())
    write_report(directory)
    figures = {path.name for path in (directory / "figures").iterdir()}
    assert "trajectory-1.svg" in figures
    assert "dose.svg" not in figures
    for name in ("report.html", "report.md"):
        assert "Training and dose" not in (directory / name).read_text(encoding="utf-8")


def test_rows_stand_in_the_order_of_dose_answers_rewards_and_measures() -> None:
    assert [row.header.text for row in section_of(build.trained()).table.rows] == [
        "Method", "Trained on", "Steps", "Time", "KL per answer", "KL per token, own answers", "KL per token, text",
        "Ends with EOS, %", "Distinct answers, %", "Mean tokens", "Training reward, model", "Held-out reward, referee",
        "Measure insulting",
    ]  # fmt: skip


def test_the_baseline_is_at_no_distance_and_has_the_answers_that_a_training_knows() -> None:
    table = section_of(build.trained()).table
    base, instruct = ([cell.text for cell in of_model(table, name).values()] for name in ("base", "instruct"))
    assert base[:8] == ["baseline", "–", "–", "–", "0", "0", "0", "40"]
    assert base[-1] == "0.65"
    assert instruct[:4] == [
        "rlhf, RLOO", "1,000 pairs of demo:pairs, chosen answers", "30", "1 min 15 s",
    ]  # fmt: skip


def test_what_no_training_measured_has_no_row() -> None:
    comparison = build.trained()
    models = {
        name: entry.model_copy(
            update={"training": entry.training.model_copy(update={"behaviour": None}) if entry.training else None}
        )
        for name, entry in comparison.models.items()
    }
    section = section_of(comparison.model_copy(update={"models": models}))
    assert [row.header.text for row in section.table.rows[4:]] == [
        "KL per answer", "KL per token, own answers", "KL per token, text",
    ]  # fmt: skip
