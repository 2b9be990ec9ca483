from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval import cli
from tests.spec.test_trajectory import write_training
from tests.toy import write_checkpoint, write_tasks


def toy_arguments(folder: Path, *models: str) -> list[str]:
    suite = write_tasks(folder / "tasks")
    given = ["--suite", str(suite), "--tasks-dir", str(folder / "tasks"), "--output", str(folder / "run")]
    return ["compare", *models, *given]


def test_a_comparison_ends_in_a_summary_and_the_reports_place(
    tmp_path: Path,
    tiny_model,
    capsys: pytest.CaptureFixture[str],  # type: ignore[no-untyped-def]
) -> None:
    models = [f"base={tiny_model()}", f"plus={tiny_model(seed=1)}"]

    assert cli.run(toy_arguments(tmp_path, *models)) == 0
    out, err = capsys.readouterr()
    assert f"Report: {tmp_path / 'run' / 'report.html'}" in out
    assert "plus" in out
    assert len(out.splitlines()) <= 15
    assert "base · sums  12 items" in err
    assert "Warning" not in err


def test_a_noise_floor_is_a_line_of_the_summary(
    tmp_path: Path,
    tiny_model,
    capsys: pytest.CaptureFixture[str],  # type: ignore[no-untyped-def]
) -> None:
    assert cli.run([*toy_arguments(tmp_path, f"base={tiny_model()}"), "--noise-floor"]) == 0
    out, err = capsys.readouterr()
    assert "Noise floor: 0 of 24 items (0.0 %) flip in other batches" in out.splitlines()
    assert "base~noise · sums  12 items" in err


def test_quiet_says_nothing(tmp_path: Path, tiny_model, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    assert cli.run([*toy_arguments(tmp_path, f"base={tiny_model()}"), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_a_failed_cell_is_named_with_its_cause_and_changes_the_exit_code(
    tmp_path: Path,
    tiny_model,
    capsys: pytest.CaptureFixture[str],  # type: ignore[no-untyped-def]
) -> None:
    broken = write_checkpoint(tmp_path / "broken")

    assert cli.run(toy_arguments(tmp_path, f"base={tiny_model()}", f"plus={broken}")) == 3
    out, _ = capsys.readouterr()
    assert "plus" in out
    assert "loading the model" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["base=./absent"], ["'base'", "absent"]),
        (["base=./absent", "--limit", "0"], ["--limit '0'", "a whole number above 0"]),
        (["base=./absent", "--limit", "last:3"], ["--limit 'last:3'", "first:N for the first N"]),
        (
            ["base=.", "--limit", "20", "--budget", "500"],
            ["--budget 500: --limit 20 is given too; one of them is accepted"],
        ),
        (["base=."], ["no config.json"]),
        (["base=.", "--trajectory-limit", "5"], ["--trajectory-limit 5: belongs to --trajectory, which is not given"]),
        (["base=.", "--limit", "20", "--trajectory-limit", "30"], ["--trajectory-limit 30", "--limit of 20"]),
        (["base=.", "--baseline", "plus"], ["'plus'", "not among the models"]),
        (["ba/se=."], ["'ba/se'", "cannot be a path"]),
        (["base"], ["NAME=SOURCE"]),
        (["base=.,dtyp=float32"], ["'dtyp'", "dtype"]),
        (["--config", "mistral-pluss"], ["mistral-pluss", "mistral-plus"]),
        (["base=.", "--suite", "mpluss"], ["mpluss", "mplus"]),
        (["base=.", "--backend", "tensorflow"], ["tensorflow", "hf"]),
        (["base=http://localhost:1/v1", "--noise-floor"], ["--noise-floor", "a model server", "'base'", "hf"]),
        (["base=.", "--backend", "vllm", "--noise-floor"], ["--noise-floor", "vllm", "'base'", "hf"]),
    ],
)
def test_wrong_use_is_one_clear_line_and_nothing_is_written(
    arguments: list[str],
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)

    assert cli.run(["compare", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    assert any(all(word in line for word in words) for line in err.splitlines()), err
    assert list(tmp_path.iterdir()) == []


def test_a_training_without_a_saved_step_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_training(tmp_path / "training", 30, final=30)

    assert cli.run([*toy_arguments(tmp_path), "--trajectory", str(folder)]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "--trajectory" in line]
    assert str(folder) in line
    assert "a checkpoint-N with a training.json, or transformers' trainer_state.json, is expected" in line
    assert not (tmp_path / "run").exists()


def test_a_training_directory_takes_the_place_of_the_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    absent = tmp_path / "absent"

    assert cli.run([*toy_arguments(tmp_path), "--trajectory", str(absent), "--trajectory-limit", "0"]) == 2
    err = capsys.readouterr().err
    assert f"--trajectory '{absent}': no such directory" in err
    assert "--trajectory-limit '0': a whole number above 0" in err
    assert "demo" not in err
