"""What an evaluation of trained models needs is looked at before training, and its command says what is evaluated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mplus_eval.errors import SpecError
from mplus_eval.training.evaluation import check_evaluation, trajectory_command
from tests.training.small import rlhf_recipe

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
