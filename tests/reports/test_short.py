from __future__ import annotations

import re
from pathlib import Path

import pytest

from mplus_eval.records.comparison import Comparison, Missing
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports import SHORT_REPORT, write_report
from mplus_eval.reports.render import SHORT_LENGTH, render_short
from mplus_eval.reports.view import build_report
from tests.reports import build
from tests.reports.build_decision import STOCK, Verdicts, decided

NAMES = [f"model-{number}" for number in range(12)]


def short(comparison: Comparison, directory: Path) -> str:
    return render_short(build_report(comparison, build.MANIFEST, directory))


def test_it_has_headlines_grid_tasks_and_what_is_missing(tmp_path: Path) -> None:
    text = short(build.full(), tmp_path)
    assert "- **Capability: sft is degraded (−3.2 points [−3.8, −2.6])**; plus is preserved" in text
    assert "| **sft** | **− degraded** −3.2 [−3.8, −2.6]; degraded on drop (−6.3) and 9 more tasks |" in text
    assert "| gsm8k | 37.6 | \\+ +4.9 [+3.2, +6.6] | − −5.6 [−7.3, −3.9] |" in text
    assert "Signs: \\+ improved, = preserved, − degraded, ? undecided, × failed." in text
    assert "- × chosen × drop: out of memory, also with one item at a time" in text


def test_it_has_no_picture_no_link_and_no_time(tmp_path: Path) -> None:
    text = short(build.full(), tmp_path)
    assert "](" not in text
    assert "2026-11-25" not in text
    assert not re.search(r"\d (s|min|h)\b", text)


def test_what_may_not_decide_is_in_it(tmp_path: Path) -> None:
    text = short(decided({"plus": Verdicts(conversation=Verdict.JUDGES_DISAGREE)}), tmp_path)
    assert f"28 % of answers are “{STOCK}” (base at most 2 %)" in text
    assert "**≠ judges disagree** 41 % [36, 46] by rules; 68 % [63, 73] by reward (may have trained it);" in text


def test_a_small_run_is_told_whole(tmp_path: Path) -> None:
    text = short(build.of_size(5, 11), tmp_path)
    assert "more" not in text.replace("points or more", "")
    assert text.count("\n| task_number_") == 11


@pytest.mark.parametrize("n_missing", [0, 500])
@pytest.mark.parametrize("n_tasks", [1, 300])
@pytest.mark.parametrize("text", ["", build.HOSTILE * 20], ids=["plain", "hostile"])
def test_it_is_short_whatever_the_run(text: str, n_tasks: int, n_missing: int, tmp_path: Path) -> None:
    every = [Verdicts(verdict, verdict, verdict) for verdict in (*Verdict, None)]
    comparison = decided({name: every[number % len(every)] for number, name in enumerate(NAMES)}, n_tasks, text)
    missing = tuple(
        Missing(model=NAMES[0], task=f"task_{number}", cause=f"out of memory{text}") for number in range(n_missing)
    )
    told = short(comparison.model_copy(update={"missing": missing}), tmp_path)
    assert len(told) < SHORT_LENGTH
    assert "<" not in told
    assert "](javascript" not in told
    assert "\u202e" not in told
    if n_tasks > 50:
        assert re.search(r"… and \d+ more tasks \([\d,]+ cells: [\d,]+ undecided(, \d+ failed)?\)", told)


def test_long_names_do_not_make_it_long(tmp_path: Path) -> None:
    text = decided({name: Verdicts() for name in NAMES}, 100).model_dump_json()
    for name in (*NAMES, "base"):
        text = text.replace(f'"{name}"', f'"{name}{"x" * 190}"')
    text = re.sub(r'"(task_\d+)"', lambda found: f'"{found[1]}{"y" * 190}"', text)
    told = short(Comparison.model_validate_json(text), tmp_path)
    assert len(told) < SHORT_LENGTH
    assert "more models" in told


def test_tasks_that_were_lost_or_gained_come_first_and_the_others_are_counted(tmp_path: Path) -> None:
    comparison = decided({"sft": Verdicts(), "plus": Verdicts()}, 60)
    for task, difference in (("task_58", 0.2), ("task_59", -0.2)):
        moved = {"sft": build.contrast(difference, 0.01)}
        entry = comparison.tasks[task]
        comparison.tasks[task] = entry.model_copy(update={"contrasts": entry.contrasts | moved})
    text = short(comparison, tmp_path)
    rows = re.findall(r"^\| (task_\d+) ", text, flags=re.MULTILINE)
    assert rows == ["task_58", "task_59", *(f"task_{number}" for number in range(48))]
    assert "… and 10 more tasks (20 cells: 20 undecided)" in text


def test_it_is_written_where_asked_for_and_never_left_out_of_date(tmp_path: Path) -> None:
    build.write_run(tmp_path, build.of_size(2, 2))
    write_report(tmp_path)
    place = tmp_path / SHORT_REPORT
    assert not place.exists()
    write_report(tmp_path, is_short=True)
    assert "model-1 compared with model-0" in place.read_text(encoding="utf-8")
    build.of_size(3, 2).write(tmp_path / "comparison.json")
    write_report(tmp_path)
    assert "model-1 and model-2 compared with model-0" in place.read_text(encoding="utf-8")
