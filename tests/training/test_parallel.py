from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from mplus_eval.errors import InterruptedRunError
from mplus_eval.records.training import read_record
from mplus_eval.training.recipe import Recipe
from mplus_eval.training.train import train
from tests.training.small import PLUS, recipe, rlhf_recipe, same


@pytest.mark.slow
def test_stages_that_train_at_the_same_time_get_the_same_weights(trained: Path, tmp_path: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    together = train(recipe(tmp_path / "two", stages_at_once=2), progress=lambda *step: steps.append(step))
    apart = [record for name in ("reward", "referee", "chosen", "plus") if (record := read_record(trained / name))]
    assert [record.name for record in together] == ["reward", "referee", "chosen", "plus"]
    assert all(same(tmp_path / "two" / record.name, trained / record.name) for record in apart)
    assert [record.dose for record in together] == [record.dose for record in apart]
    seen = {part for label, _, _ in steps for part in label.split(" · ")}
    assert {"training reward", "training referee", "training chosen", "training plus"} <= seen
    assert not train(recipe(tmp_path / "two", stages_at_once=2), progress=pytest.fail)[0].warnings


def _two_stages(output: Path, source: str) -> dict[str, object]:
    rewards = {"broken": {"kind": "function", "source": f"tests.training.test_parallel:{source}"}}
    return {
        "stages_at_once": 2,
        "rlhf": {"first": {**PLUS, "rewards": rewards}, "second": {**PLUS, "rewards": rewards}},
    }


def killed(prompt: str, answer: str, ended: bool) -> float:
    """A reward that ends its process as the system does when memory is short."""
    os.kill(os.getpid(), signal.SIGKILL)
    return 0.0


def faulty(prompt: str, answer: str, ended: bool) -> float:
    """A reward with a fault."""
    raise ZeroDivisionError("no answer")


@pytest.mark.slow
def test_a_process_that_is_killed_is_named_with_its_stage(tmp_path: Path) -> None:
    spec = rlhf_recipe(tmp_path / "run", _two_stages(tmp_path, "killed"))
    with pytest.raises(InterruptedRunError, match=r"(first|second): its process was ended by signal 9; run the same"):
        train(spec)


@pytest.mark.slow
def test_a_fault_in_a_process_is_no_expected_failure(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match=r"(first|second): its process ended with code 1"):
        train(rlhf_recipe(tmp_path / "run", _two_stages(tmp_path, "faulty")))
    assert "ZeroDivisionError: no answer" in capfd.readouterr().err


def note_saved_steps(recipe: Recipe, directory: Path) -> None:
    """An evaluation that notes which steps it saw, beside the stage's directory."""
    steps = sorted(path.name for path in directory.glob("checkpoint-*"))
    (recipe.output / f"{directory.name}-seen-{len(steps)}").write_text(" ".join(steps))


@pytest.mark.slow
def test_processes_that_train_at_the_same_time_find_the_evaluation_by_its_name(tmp_path: Path) -> None:
    rewards = {"vowels": {"kind": "function", "source": "tests.training.small:share_of_vowels"}}
    stage = {**PLUS, "steps": 2, "rewards": rewards, "evaluate_every": 2, "evaluate_in": "rank 0"}
    recipe = rlhf_recipe(tmp_path, {"stages_at_once": 2, "rlhf": {"first": stage, "second": stage}})
    train(recipe, evaluate=note_saved_steps)
    assert (tmp_path / "first-seen-1").is_file()
    assert (tmp_path / "second-seen-1").is_file()
