from __future__ import annotations

import json
from pathlib import Path

import pytest

from mplus_eval import cli
from mplus_eval.statistics.power import items_for_degraded, items_for_preserved
from tests.capability.test_observed import right, write_run
from tests.task_files import write_yaml


def output(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert cli.run(["power", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def row(text: str, name: str) -> list[str]:
    return next(line.split() for line in text.splitlines() if line.startswith(name))


def one_line(text: str) -> str:
    return " ".join(text.split())


def faults(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[str]:
    assert cli.run(["power", *map(str, arguments)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.splitlines()


def test_the_default_suite_in_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    printed = output(capsys)
    degraded, preserved = items_for_degraded(0.08, 0.02, 0.05 / 11), items_for_preserved(0.08, 0.02, 0.05 / 11)
    assert row(printed, "race_middle")[:5] == ["race_middle", "362", "8.0", f"{degraded:,}", f"{preserved:,}"]
    assert max(len(line.rstrip()) for line in printed.splitlines()) <= 80
    said = one_line(printed)
    assert "a true loss of 2 points (1 point over the suite) with 80 % power" in said
    assert "which needs α/11 (the worst case); the suite's is one test." in said
    assert "even with all items (degraded / preserved): race_middle (3 / 5 %), gsm8k" in said
    assert "those of agieval_en, race_high, race_middle, drop share passages" in said


def test_what_is_given_replaces_what_is_assumed(capsys: pytest.CaptureFixture[str]) -> None:
    printed = output(
        capsys, "--tasks", "gsm8k,mmlu", "--effect", 0.03, "--margin", 0.025, "--discordance", 0.03, "--models", 4
    )
    assert row(printed, "gsm8k")[2:5] == [
        "3.0", f"{items_for_degraded(0.03, 0.03, 0.05 / 8):,}", f"{items_for_preserved(0.03, 0.025, 0.05 / 8):,}",
    ]  # fmt: skip
    assert "adjusted over 2 tasks and 4 models" in one_line(printed)


def test_json_holds_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(output(capsys, "--json"))
    assert found["tasks"]["gsm8k"]["for_degraded"] == items_for_degraded(0.15, 0.02, 0.05 / 11)
    spread = sum(task["for_suite"] for task in found["tasks"].values())
    assert spread == found["whole_suite"]["for_suite"]
    assert found["task_level"] == pytest.approx(0.05 / 11)


def test_a_run_says_how_much_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tasks = [{"name": "reading", "lm_eval": "reading", "items": 5000, "kind": "choice", "cluster": "passage"}]
    suite = write_yaml(tmp_path / "own.yaml", {"name": "own", "tasks": [*tasks, {**tasks[0], "name": "other"}]})
    run = write_run(tmp_path / "run", {"base": right(400), "plus": right(400, *range(12))}, size=4, suite="own")
    printed = output(capsys, "--from", run.path, "--suite", suite)
    assert row(printed, "reading")[:3] == ["reading", "5,000", "3.0"]
    assert row(printed, "other")[2] == "8.0"
    said = one_line(printed)
    assert "reading: clusters of 4.0 items, design effect" in said
    assert "assumed by their kind: other." in said


def test_the_suite_of_a_run_is_found_where_it_is_a_shipped_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "run", {"base": right(400), "plus": right(400, 1)}, task="gsm8k")
    assert row(output(capsys, "--from", run.path, "--tasks", "gsm8k"), "gsm8k")[:3] == ["gsm8k", "1,319", "0.2"]
    own = write_run(tmp_path / "own", {"base": right(400), "plus": right(400, 1)}, suite="own")
    (fault,) = faults(capsys, "--from", own.path)
    assert "the suite 'own' of that run is not a shipped one; give its file with --suite" in fault


def test_what_sequential_asks_stands_in_columns_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--sequential", "--discordance", 0.03)
    printed, found = output(capsys, *arguments), json.loads(output(capsys, *arguments, "--json"))
    hellaswag = found["tasks"]["hellaswag"]
    asked = [hellaswag["sequential_lost"], hellaswag["sequential_kept"]]
    assert max(asked) < 5000
    assert row(printed, "hellaswag")[5:7] == [f"{items:,}" for items in asked]
    assert "items that --sequential asks on average" in one_line(printed)
    assert max(len(line.rstrip()) for line in printed.splitlines()) <= 80


def test_every_fault_is_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = faults(capsys, "--effect", 2, "--margin", 0, "--discordance", 1, "--from", tmp_path / "absent")
    assert found[0] == ("mplus-eval: --effect 2: a fraction above 0 and below 1 is accepted (0.02 is 2 points)")
    assert [line.split(": ")[1] for line in found[1:3]] == ["--margin 0", "--discordance 1"]
    assert found[3].startswith("mplus-eval: --discordance and --from both say")
    assert found[4].endswith("absent': no such directory")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--tasks", ","), "--tasks is empty"),
        (("--tasks", "gsm8k,gsm8k"), "--tasks names 'gsm8k' twice"),
        (("--suite", "mplu"), "did you mean mplus"),
    ],
)
def test_names_that_are_none(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str) -> None:
    assert any(words in line for line in faults(capsys, *arguments))


def test_models_are_at_least_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["power", "--models", "0"]) == 2
    assert "--models" in capsys.readouterr().err
