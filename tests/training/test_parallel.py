from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from pydantic import ValidationError

from mplus_eval.errors import InterruptedRunError
from mplus_eval.training.train import train
from tests.training.small import PLUS, recipe, rlhf_recipe, same


@pytest.mark.slow
def test_stages_that_train_at_the_same_time_get_the_same_weights(tmp_path: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    together = train(recipe(tmp_path / "two", stages_at_once=2), progress=lambda *step: steps.append(step))
    apart = train(recipe(tmp_path / "one"))
    assert [record.name for record in together] == ["reward", "referee", "chosen", "plus"]
    assert all(same(tmp_path / "two" / record.name, tmp_path / "one" / record.name) for record in apart)
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


def test_a_group_trains_one_stage_after_the_other(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="stages_at_once 2: with launch, stages train one after the other"):
        recipe(tmp_path, stages_at_once=2, launch={"processes": 2})
