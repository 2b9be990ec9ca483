"""What an evaluation of trained models needs is looked at before training, and its command says what is evaluated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mplus_eval.errors import SpecError
from mplus_eval.training.evaluation import check_evaluation, trajectory_command
from mplus_eval.training.recipe import Recipe
from mplus_eval.training.train import train
from tests.training.small import PLUS, rlhf_recipe

COMPARE = {"compare": {"suite": "mini", "limit": 2}}


def test_the_command_names_what_is_evaluated(tmp_path: Path) -> None:
    compare: dict[str, Any] = {"suite": "mini", "limit": 9, "trajectory_limit": 3, "data_dir": "data"}
    plain = trajectory_command(rlhf_recipe(tmp_path, {"compare": {"suite": "mini"}}), tmp_path / "plus")
    limited = trajectory_command(rlhf_recipe(tmp_path, {"compare": compare}), tmp_path / "plus")

    directory, output = str(tmp_path / "plus"), str(tmp_path / "plus" / "evaluation")
    assert plain == ["compare", "--trajectory", directory, "--suite", "mini", "--output", output, "--quiet"]
    assert limited[-5:] == ["--limit", "3", "--data-dir", "data", "--quiet"]


def test_what_a_later_evaluation_lacks_is_said_before_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    check_evaluation(rlhf_recipe(tmp_path / "run", COMPARE))
    with pytest.raises(SpecError, match="compare: suite 'mplus': scorer 'detoxify:unbiased': "):
        check_evaluation(rlhf_recipe(tmp_path / "run", {"compare": {"suite": "mplus"}}))
    with pytest.raises(SpecError, match="suite 'mpluss': no such file or shipped suite"):
        check_evaluation(rlhf_recipe(tmp_path / "run", {"compare": {"suite": "mpluss"}}))


def note_saved_steps(recipe: Recipe, directory: Path) -> None:
    """An evaluation that notes which steps it saw, beside the stage's directory."""
    steps = sorted(path.name for path in directory.glob("checkpoint-*"))
    (recipe.output / f"{directory.name}-seen-{len(steps)}").write_text(" ".join(steps))


def test_the_evaluation_that_is_handed_in_sees_the_saved_steps(tmp_path: Path) -> None:
    train(rlhf_recipe(tmp_path, evaluate_every=2, evaluate_in="rank 0"), evaluate=note_saved_steps)
    assert (tmp_path / "plus-seen-1").read_text() == "checkpoint-2"
    assert (tmp_path / "plus-seen-2").read_text() == "checkpoint-2 checkpoint-4"


@pytest.mark.slow
def test_processes_that_train_at_the_same_time_find_the_evaluation_by_its_name(tmp_path: Path) -> None:
    rewards = {"vowels": {"kind": "function", "source": "tests.training.small:share_of_vowels"}}
    stage = {**PLUS, "steps": 2, "rewards": rewards, "evaluate_every": 2, "evaluate_in": "rank 0"}
    recipe = rlhf_recipe(tmp_path, {"stages_at_once": 2, "rlhf": {"first": stage, "second": stage}})
    train(recipe, evaluate=note_saved_steps)
    assert (tmp_path / "first-seen-1").is_file()
    assert (tmp_path / "second-seen-1").is_file()


def test_without_an_evaluation_a_recipe_that_asks_for_one_in_this_process_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"rlhf\.plus: evaluate_in: rank 0 needs an evaluation, and none was handed in"):
        train(rlhf_recipe(tmp_path / "run", evaluate_every=2, evaluate_in="rank 0"))
    assert not (tmp_path / "run").exists()
