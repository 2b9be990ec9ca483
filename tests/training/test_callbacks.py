"""What happens beside the training loop: each callback by hand, and the stop at reward hacking in a real training."""

from __future__ import annotations

import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import TrainerControl, TrainerState

from mplus_eval.errors import InterruptedRunError
from mplus_eval.records.training import read_record
from mplus_eval.training.callbacks import (
    ControlKl,
    EvaluateSteps,
    GiveBackMemory,
    LogSteps,
    ShowSteps,
    WatchForHacking,
    WriteRecords,
)
from mplus_eval.training.recipe import KlControl, RewardHacking
from mplus_eval.training.stage import Stage
from mplus_eval.training.train import train
from tests.spec.test_trajectory import record, write_training
from tests.training.small import copy_of_killed, rlhf_recipe, same

ROOT = Path(__file__).resolve().parents[2]
COLLAPSED = {"reward": 5.0, "entropy": 0.1, "distinct_2": 0.9}
HEALTHY = {"reward": 0.0, "entropy": 2.0, "distinct_2": 0.9}


def at(step: int, **kept: Any) -> TrainerState:
    """The trainer's state at a step, with what a checkpoint kept of callbacks."""
    return TrainerState(global_step=step, max_steps=10, stateful_callbacks=kept)


def test_steps_are_shown_with_their_number() -> None:
    seen: list[tuple[str, int, int]] = []
    ShowSteps("plus", lambda *step: seen.append(step)).on_step_end(None, at(3), None)
    assert seen == [("training plus", 3, 10)]


@pytest.mark.parametrize(("device", "n_calls"), [("cpu", 2), ("cuda", 0)])
def test_what_a_batch_freed_is_given_back_to_the_machine_and_not_by_a_gpu(
    device: str, n_calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    monkeypatch.setattr("mplus_eval.training.callbacks.give_back", lambda: calls.append(1))
    arguments = SimpleNamespace(device=torch.device(device))
    GiveBackMemory().on_substep_end(arguments, at(3), None)
    GiveBackMemory().on_step_end(arguments, at(3), None)
    assert len(calls) == n_calls


def test_numbers_are_logged_and_what_is_none_is_left_out(tmp_path: Path) -> None:
    callback = LogSteps(Stage("plus", tmp_path, {}))
    callback.on_log(None, at(1), None, {"loss": 0.5, "note": "text", "kl": float("inf")})
    callback.on_log(None, at(1), None, {"train_runtime": 9.0, "loss": 0.5})
    assert (tmp_path / "steps.jsonl").read_text() == '{"step": 1, "loss": 0.5}\n'


@pytest.mark.parametrize("name", ["loss", "grad_norm"])
def test_a_first_step_that_is_not_a_number_says_that_nothing_was_saved(name: str, tmp_path: Path) -> None:
    with pytest.raises(InterruptedRunError, match=f"plus: {name} is inf at step 2; no checkpoint was saved before it"):
        LogSteps(Stage("plus", tmp_path, {})).on_log(None, at(2), None, {name: float("inf")})


def test_a_saved_step_gets_its_record(tmp_path: Path) -> None:
    (tmp_path / "checkpoint-4").mkdir()
    callback = WriteRecords(lambda step, total_steps: record(step, total_steps=total_steps))
    callback.on_save(SimpleNamespace(output_dir=str(tmp_path)), at(4), None)
    written = read_record(tmp_path / "checkpoint-4")
    assert written is not None
    assert (written.step, written.total_steps) == (4, 10)


def test_the_kl_coefficient_follows_the_kl_of_an_answer() -> None:
    trainer = SimpleNamespace(beta=None)
    control = ControlKl(KlControl(coefficient=0.1, target=2.0, horizon=100.0), 50, trainer)
    control.on_train_begin(None, at(0), None)
    assert trainer.beta == 0.1
    # 0.21 nats a token, 10 tokens: 5 % above the target, for 50 answers of 100.
    control.on_log(None, at(1), None, {"kl": 0.21, "completions/mean_length": 10.0})
    assert trainer.beta == pytest.approx(0.1 * 1.025)
    # Three times the target counts as a fifth above it.
    control.on_log(None, at(2), None, {"kl": 0.6, "completions/mean_length": 10.0})
    assert trainer.beta == pytest.approx(0.1 * 1.025 * 1.1)

    resumed = ControlKl(KlControl(coefficient=0.1, target=2.0), 50, trainer_again := SimpleNamespace(beta=None))
    resumed.on_train_begin(None, at(2, ControlKl=control.state()), None)
    assert trainer_again.beta == control.coefficient


def test_a_fixed_kl_coefficient_stays() -> None:
    trainer = SimpleNamespace(beta=0.1)
    control = ControlKl(KlControl(coefficient=0.1), 50, trainer)
    control.on_log(None, at(1), None, {"kl": 9.0, "completions/mean_length": 10.0})
    assert trainer.beta == 0.1


@pytest.mark.parametrize("stop", [False, True])
def test_hacking_is_said_once_and_stops_only_where_asked(stop: bool) -> None:
    said: list[str] = []
    control = TrainerControl()
    watch = WatchForHacking(RewardHacking(window=2, stop=stop), said.append)
    for step, logs in enumerate([HEALTHY, HEALTHY, COLLAPSED, COLLAPSED, COLLAPSED], 1):
        watch.on_log(None, at(step), control, logs)
    watch.on_log(None, at(6), control, {"train_runtime": 1.0})

    assert len(said) == 1
    assert said == watch.warnings
    assert "step 4: perhaps reward hacking" in said[0]
    assert (control.should_save, control.should_training_stop) == (stop, stop)


def test_the_watch_goes_on_from_what_the_checkpoint_kept() -> None:
    first, said = WatchForHacking(RewardHacking(window=2), lambda _: None), list[str]()
    for step in (1, 2):
        first.on_log(None, at(step), TrainerControl(), HEALTHY)
    resumed = WatchForHacking(RewardHacking(window=2), said.append)
    resumed.on_train_begin(None, at(2, WatchForHacking=first.state()), TrainerControl())
    for step in (3, 4):
        resumed.on_log(None, at(step), TrainerControl(), COLLAPSED)
    assert len(said) == 1


def evaluation(command: list[str], evaluate: Callable[[], None] | None = None) -> tuple[Any, list[str]]:
    said: list[str] = []
    return EvaluateSteps(2, command, evaluate=evaluate, warn=said.append), said


def test_evaluating_in_this_process_leaves_every_random_state_as_it_was() -> None:
    def drawing() -> None:
        random.random(), np.random.rand(), torch.rand(1)
        calls.append(1)

    def draws() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(1))

    calls: list[int] = []
    callback, _ = evaluation([], drawing)
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(7)
    wanted = draws()
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(7)
    callback.on_save(None, at(1), None)
    callback.on_save(None, at(2), None)
    assert (calls, draws()) == ([1], wanted)


class Processes:
    """Stands in for `subprocess.Popen`: notes what is started, and ends when told to."""

    def __init__(self, code: int = 0) -> None:
        self.started: list[list[str]] = []
        self.code, self.ended = code, False

    def __call__(self, command: list[str], **_: Any) -> Processes:
        self.started.append(command)
        self.ended = False
        return self

    def poll(self) -> int | None:
        return self.code if self.ended else None

    def wait(self) -> int:
        self.ended = True
        return self.code


def test_steps_saved_while_one_evaluation_runs_wait_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    processes = Processes()
    monkeypatch.setattr("mplus_eval.training.evaluation.subprocess.Popen", processes)
    callback, said = evaluation(["compare", "x"])
    for step in (1, 2, 4):
        callback.on_save(None, at(step), None)
    assert processes.started == [[sys.executable, "-m", "mplus_eval", "compare", "x"]]

    callback.on_train_end(None, at(4), None)
    assert len(processes.started) == 2
    callback.on_train_end(None, at(4), None)
    assert (len(processes.started), said) == (2, [])


def test_an_evaluation_that_fails_is_said_and_training_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mplus_eval.training.evaluation.subprocess.Popen", Processes(code=2))
    callback, said = evaluation(["compare"])
    callback.on_save(None, at(2), None)
    callback.on_train_end(None, at(2), None)
    assert said == ["an evaluation of the saved steps ended with exit code 2; training goes on"]


class Rising:
    """A reward that rises with every call, so that the watch believes in hacking as soon as something collapses."""

    calls = 0

    def __call__(self, prompt: str, answer: str, ended: bool) -> float:
        Rising.calls += 1
        return float(Rising.calls) + len(answer) / 100


def hacked(output: Path, *, stop: bool) -> Any:
    """Entropy below all but its whole first value counts as collapsed, so ordinary training is stopped."""
    watch = {"window": 1, "entropy": 0.99, "distinct": 0.99, "stop": stop}
    rewards = {"rising": {"kind": "function", "source": "tests.training.test_callbacks:rising"}}
    return rlhf_recipe(output, steps=8, learning_rate=3e-3, rewards=rewards, hacking=watch)


rising = Rising()


def test_reward_hacking_stops_the_training_with_a_saved_step_and_a_warning(tmp_path: Path) -> None:
    said: list[str] = []
    (record,) = train(hacked(tmp_path / "stopped", stop=True), say=said.append)
    directory = tmp_path / "stopped" / "plus"

    assert record.step < record.total_steps == 8
    assert record.warnings == tuple(said)
    assert len(said) == 1
    saved = read_record(directory / f"checkpoint-{record.step}")
    assert saved is not None
    assert same(directory / f"checkpoint-{record.step}", directory)
    assert record.dose is not None


def test_without_stop_the_warning_is_recorded_and_training_ends_where_it_should(tmp_path: Path) -> None:
    (record,) = train(hacked(tmp_path, stop=False))
    assert record.step == 8
    assert record.warnings


def test_a_training_that_was_killed_after_the_stop_does_not_go_past_it(tmp_path: Path) -> None:
    (record,) = train(hacked(tmp_path / "whole", stop=True))
    killed = copy_of_killed(tmp_path / "whole" / "plus", tmp_path / "killed" / "plus", without=())
    (again,) = train(hacked(tmp_path / "killed", stop=True))
    assert (again.step, again.warnings) == (record.step, record.warnings)
    assert same(killed, tmp_path / "whole" / "plus")
    shutil.rmtree(tmp_path / "killed")


def test_a_step_that_is_not_a_number_stops_with_the_last_good_checkpoint_named(tmp_path: Path) -> None:
    own = Stage("plus", tmp_path, {}).hash
    stage = Stage("plus", write_training(tmp_path / "plus", 2, 4, stage_hash=own), {})
    with pytest.raises(
        InterruptedRunError, match=r"plus: loss is nan at step 5; the last good checkpoint is .*checkpoint-4"
    ):
        LogSteps(stage).on_log(None, at(5), None, {"loss": float("nan")})


def test_the_kl_coefficient_is_steered_and_kept_in_the_checkpoint(trained: Path) -> None:
    import json

    state = json.loads((trained / "plus" / "checkpoint-4" / "trainer_state.json").read_text())
    coefficient = state["stateful_callbacks"]["ControlKl"]["attributes"]["coefficient"]
    assert coefficient != 0.1
