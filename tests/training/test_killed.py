"""A training that is killed with SIGKILL and started again ends in the weights of an undisturbed one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mplus_eval.records.training import read_record

ROOT = Path(__file__).resolve().parents[2]
RECIPE = """
base: demo:base
device: cpu
threads: 1
max_length: 128
pairs: [{source: "demo:pairs", n: 64}]
rlhf:
  plus:
    learning_rate: 3.0e-4
    steps: 12
    batch_size: 32
    answers: 4
    max_new_tokens: 24
    kl: {coefficient: 0.1, target: 1.0, horizon: 100}
    rewards: {vowels: {kind: function, source: "tests.training.small:share_of_vowels"}}
    save_every: 2
check: {n_prompts: 4}
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def start(recipe: Path, output: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "mplus_eval", "train", "rlhf", "--config", str(recipe), "--quiet"]
    return subprocess.Popen([*command, f"output={output}"], cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"})


def killed_when(process: subprocess.Popen[bytes], wanted: Path) -> bool:
    """Kill a training as soon as a path is there; tell whether it was still running."""
    while process.poll() is None:
        if wanted.exists():
            process.send_signal(signal.SIGKILL)
            return process.wait() == -signal.SIGKILL
        time.sleep(0.001)
    return False


def test_a_training_killed_again_and_again_ends_in_the_very_bytes_of_an_undisturbed_one(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE)
    assert start(recipe, tmp_path / "undisturbed").wait() == 0
    whole, plus = tmp_path / "undisturbed" / "plus", tmp_path / "killed" / "plus"

    for wanted in (
        "steps.jsonl",  # before anything was saved
        "checkpoint-4",  # while a step is being saved
        "checkpoint-6/training.json",  # when it just was
        "checkpoint-12/training.json",  # after the last one, before the final model
    ):
        assert killed_when(start(recipe, tmp_path / "killed"), plus / wanted), wanted
        assert read_record(plus) is None, wanted

    assert start(recipe, tmp_path / "killed").wait() == 0
    assert (plus / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    record = read_record(plus)
    assert record is not None
    assert (record.step, record.total_steps) == (12, 12)
    assert (plus / "steps.jsonl").read_text().count("\n") == 12
