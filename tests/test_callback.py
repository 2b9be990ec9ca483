"""The callback in real trainings of transformers' Trainer; the evaluation itself is acted, but for one slow test."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import TrainerCallback, TrainerControl, TrainerState

from mplus_eval.callback import CompareCallback, metrics_by_step
from mplus_eval.errors import SpecError
from mplus_eval.records.comparison import Comparison
from tests.reports import build
from tests.toy import write_tasks
from tests.trainer_output import make_trainer

ROOT = Path(__file__).resolve().parents[1]


def found(*steps: int) -> Comparison:
    """What an evaluation of those saved steps finds."""
    comparison = build.full()
    models = {f"plus-step-{step}": build.model("step", trajectory="plus", step=step) for step in steps}
    summaries = dict.fromkeys(models, comparison.summary["plus"])
    return comparison.model_copy(
        update={"models": comparison.models | models, "summary": comparison.summary | summaries}
    )


class Evaluation:
    """Stands in for `subprocess.Popen`: finds what is saved when it begins, and ends when it is waited for or asked."""

    def __init__(self, code: int = 0, says: str = "") -> None:
        self.code, self.says = code, says
        self.commands: list[list[str]] = []
        self.environments: list[dict[str, str]] = []
        self.asked: list[dict[str, Any]] = []

    def __call__(self, command: list[str], *, env: dict[str, str], stderr: Any = None, **_: Any) -> Evaluation:
        self.commands.append(command)
        self.environments.append(env)
        asked = json.loads(Path(command[command.index("--config") + 1]).read_text())
        self.asked.append(asked)
        stderr.write(self.says.encode())
        if self.code in (0, 3):
            steps = [int(path.name.rpartition("-")[2]) for path in Path(asked["trajectory"]).glob("checkpoint-*")]
            found(*steps).write(Path(asked["output"]) / "comparison.json")
            (Path(asked["output"]) / "report.html").touch()
        return self

    def poll(self) -> int:
        return self.code

    def wait(self) -> int:
        return self.code


Acted = Callable[..., Evaluation]


@pytest.fixture
def acted(monkeypatch: pytest.MonkeyPatch) -> Acted:
    def act(*arguments: Any) -> Evaluation:
        evaluation = Evaluation(*arguments)
        monkeypatch.setattr("mplus_eval.training.evaluation.subprocess.Popen", evaluation)
        return evaluation

    return act


def train(folder: Path, base: Path, callback: CompareCallback, *others: Any, **arguments: Any) -> Any:
    """A training of four steps with the callback, to its end."""
    trainer = make_trainer(folder, base, callbacks=[callback, *others], **arguments)
    trainer.train()
    assert trainer.state.global_step == 4
    return trainer


def test_every_saved_step_is_logged_once_and_the_report_is_named(
    acted: Acted, trainer_base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluation = acted()
    callback = CompareCallback(str(trainer_base), limit=5, environment={"CUDA_VISIBLE_DEVICES": "7"})
    trainer = train(tmp_path / "run", trainer_base, callback)

    logged = [entry for entry in trainer.state.log_history if "mplus_eval/step" in entry]
    summary = found().summary["plus"]
    assert [entry["mplus_eval/step"] for entry in logged] == [2, 4]
    assert logged[0]["mplus_eval/macro_average"] == summary.macro_average
    assert logged[0]["mplus_eval/alignment_tax"] == summary.alignment_tax
    assert logged[0]["mplus_eval/verdict"] == "preserved"
    out = capsys.readouterr().out
    assert "'mplus_eval/macro_average'" in out
    assert out.splitlines()[-1] == (
        f"mplus-eval: the report of the saved steps is {tmp_path / 'run' / 'evaluation' / 'report.html'}"
    )
    configuration = tmp_path / "run" / "evaluation" / "compare.yaml"
    assert evaluation.commands[0] == [
        sys.executable, "-m", "mplus_eval", "compare", "--config", str(configuration), "--quiet"
    ]  # fmt: skip
    assert evaluation.environments[0]["CUDA_VISIBLE_DEVICES"] == "7"
    assert evaluation.asked[0] == {
        "models": {"base": {"role": "base", "source": str(trainer_base)}},
        "suite": "mini",
        "limit": 5,
        "trajectory": str(tmp_path / "run"),
        "output": str(tmp_path / "run" / "evaluation"),
    }


def test_steps_of_mixed_precision_are_compared_in_it(acted: Acted, trainer_base: Path, tmp_path: Path) -> None:
    evaluation = acted()
    train(tmp_path / "run", trainer_base, CompareCallback(str(trainer_base)), bf16=True)
    assert evaluation.asked[0]["models"]["base"]["dtype"] == "bfloat16"
    train(tmp_path / "own", trainer_base, CompareCallback({"source": str(trainer_base), "dtype": "float32"}), bf16=True)
    assert evaluation.asked[-1]["models"]["base"]["dtype"] == "float32"


def test_trackers_get_the_numbers_after_report_to_and_the_trainer_logs_as_it_did(
    acted: Acted, trainer_base: Path, tmp_path: Path
) -> None:
    class Tracker(TrainerCallback):
        seen: list[dict[str, Any]] = []  # noqa: RUF012 - of this test alone

        def on_log(self, *_: Any, logs: dict[str, Any], **__: Any) -> None:
            self.seen.append(dict(logs))

    acted()
    callback = CompareCallback(str(trainer_base))
    trainer = make_trainer(tmp_path / "run", trainer_base, callbacks=[Tracker(), callback])
    callback.report_to(trainer)
    trainer.train()

    ours = [logs for logs in Tracker.seen if "mplus_eval/step" in logs]
    assert [logs["mplus_eval/step"] for logs in ours] == [2, 4]
    assert all(isinstance(value, int | float) for logs in ours for value in logs.values())
    assert [entry["step"] for entry in trainer.state.log_history if "loss" in entry] == [1, 2, 3, 4]


def test_an_evaluation_that_fails_is_a_warning_with_its_cause(
    acted: Acted, trainer_base: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    evaluation = acted(2, "noise\nmplus-eval: model 'base': no such directory: x\n")
    train(tmp_path / "run", trainer_base, CompareCallback(str(trainer_base)))

    assert len(evaluation.commands) == 2
    assert [record.getMessage() for record in caplog.records if record.name == "mplus_eval.callback"] == [
        "an evaluation of the saved steps ended with exit code 2; training goes on: model 'base': no such directory: x"
    ] * 2


def test_cells_that_are_missing_are_said_and_the_others_logged(
    acted: Acted, trainer_base: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    acted(3)
    trainer = train(tmp_path / "run", trainer_base, CompareCallback(str(trainer_base)))

    assert "ended with cells missing" in caplog.text
    assert [entry["mplus_eval/step"] for entry in trainer.state.log_history if "mplus_eval/step" in entry] == [2, 4]


def test_whatever_else_goes_wrong_is_a_warning_too(
    trainer_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise OSError("no processes left")

    monkeypatch.setattr("mplus_eval.training.evaluation.subprocess.Popen", broken)
    train(tmp_path / "run", trainer_base, CompareCallback(str(trainer_base)))
    assert "a saved step could not be compared; training goes on: OSError: no processes left" in caplog.text


def test_saves_between_are_left_alone_where_a_number_of_steps_is_asked_for(
    acted: Acted, trainer_base: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    evaluation = acted()
    train(tmp_path / "run", trainer_base, CompareCallback(str(trainer_base), every=4), save_steps=1)
    assert [asked["trajectory_every"] for asked in evaluation.asked] == [4]

    CompareCallback(str(trainer_base), every=3).on_train_begin(
        SimpleNamespace(save_strategy="steps", save_steps=2), TrainerState(), TrainerControl()
    )
    assert "every=3 is no multiple of save_steps=2; only steps that are multiples of both" in caplog.text
    CompareCallback(str(trainer_base)).on_train_begin(
        SimpleNamespace(save_strategy="no", save_steps=2), TrainerState(), TrainerControl()
    )
    assert "nothing is saved and nothing compared" in caplog.text


def saved(step: int, **fields: Any) -> TrainerState:
    return TrainerState(global_step=step, max_steps=9, **fields)


def test_a_step_saved_while_an_evaluation_runs_waits_for_the_next(
    acted: Acted, trainer_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluation, arguments = acted(), SimpleNamespace(bf16=False, fp16=False, output_dir=str(tmp_path))
    monkeypatch.setattr(Evaluation, "poll", lambda self: None)
    callback = CompareCallback(str(trainer_base))
    for step in (2, 4, 6):
        callback.on_save(arguments, saved(step), TrainerControl())
        callback.on_step_end(arguments, saved(step), TrainerControl())
    assert len(evaluation.commands) == 1

    monkeypatch.setattr(Evaluation, "poll", lambda self: 0)
    callback.on_step_end(arguments, saved(7), TrainerControl())
    assert len(evaluation.commands) == 2
    callback.on_train_end(arguments, saved(9), TrainerControl())
    assert len(evaluation.commands) == 2


def test_training_waits_where_it_is_asked_to(
    acted: Acted, trainer_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acted()
    monkeypatch.setattr(Evaluation, "poll", lambda self: None)
    (tmp_path / "checkpoint-2").mkdir()
    state = saved(2)
    callback = CompareCallback(str(trainer_base), background=False, output=tmp_path / "there")
    callback.on_save(SimpleNamespace(bf16=False, fp16=False, output_dir=str(tmp_path)), state, TrainerControl())
    assert [entry["mplus_eval/step"] for entry in state.log_history] == [2]
    assert (tmp_path / "there" / "comparison.json").is_file()


def test_only_the_first_process_evaluates(acted: Acted, trainer_base: Path, tmp_path: Path) -> None:
    evaluation, arguments = acted(), SimpleNamespace(bf16=False, fp16=False, output_dir=str(tmp_path))
    callback = CompareCallback(str(trainer_base))
    callback.on_save(arguments, saved(2, is_world_process_zero=False), TrainerControl())
    callback.on_train_end(arguments, saved(2, is_world_process_zero=False), TrainerControl())
    assert evaluation.commands == []


def test_after_a_resume_what_was_logged_is_not_logged_again(acted: Acted, trainer_base: Path, tmp_path: Path) -> None:
    acted()
    for step in (2, 4):
        (tmp_path / f"checkpoint-{step}").mkdir()
    state = saved(4, log_history=[{"mplus_eval/step": 2, "step": 3}])
    callback = CompareCallback(str(trainer_base), background=False)
    callback.on_train_begin(SimpleNamespace(save_strategy="steps", save_steps=2), state, TrainerControl())
    callback.on_save(SimpleNamespace(bf16=False, fp16=False, output_dir=str(tmp_path)), state, TrainerControl())
    assert [entry["mplus_eval/step"] for entry in state.log_history] == [2, 4]


def test_what_is_asked_for_is_looked_at_before_training(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        CompareCallback(str(tmp_path / "none"), suite="minni", every=0, limt=3, trajectory="x", limit=-1)
    faults = caught.value.faults
    for words in (
        "trajectory is given by the callback itself",
        "every=0: 'save' or a whole number above 0",
        "unknown option 'limt'",
        "--limit -1: a whole number above 0",
        f"no such directory: {tmp_path / 'none'}",
        "suite 'minni'",
    ):
        assert any(fault.startswith("CompareCallback: ") and words in fault for fault in faults), (words, faults)


def test_what_was_withheld_is_not_logged() -> None:
    comparison = found(2)
    withheld = comparison.summary["plus"].model_copy(
        update={"macro_average": None, "verdict": None, "alignment_tax": 0.0}
    )
    summaries = {**comparison.summary, "plus-step-2": withheld}
    assert metrics_by_step(comparison.model_copy(update={"summary": summaries})) == {
        2: {"mplus_eval/step": 2, "mplus_eval/alignment_tax": 0.0}
    }


@pytest.mark.slow
def test_a_real_training_of_adapters_is_compared_as_it_goes(
    trainer_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # The process of its own is started as a user's shell would start it, from the project's root.
    monkeypatch.chdir(ROOT)
    caplog.set_level(logging.WARNING)
    suite = write_tasks(tmp_path / "tasks")
    callback = CompareCallback(str(trainer_base), str(suite), tasks_dir=tmp_path / "tasks", background=False)
    trainer = train(tmp_path / "run", trainer_base, callback, adapter=True)

    logged = [entry for entry in trainer.state.log_history if "mplus_eval/step" in entry]
    assert [entry["mplus_eval/step"] for entry in logged] == [2, 4], caplog.text
    assert all("mplus_eval/macro_average" in entry for entry in logged)
    comparison = Comparison.read(tmp_path / "run" / "evaluation" / "comparison.json")
    assert [(entry.role, entry.step) for entry in comparison.models.values()] == [
        ("base", None),
        ("step", 2),
        ("step", 4),
    ]
    assert (tmp_path / "run" / "evaluation" / "report.html").is_file()
