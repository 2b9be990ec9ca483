"""Training in two processes of this machine, as a user starts it, and on real preference pairs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mplus_eval.records.training import read_record
from mplus_eval.training.recipe import Recipe
from mplus_eval.training.train import train

pytestmark = pytest.mark.slow

RECIPE = """
base: demo:base
device: cpu
threads: 1
max_length: 128
pairs: [{source: "demo:pairs", n: 64}]
reward: {learning_rate: 5.0e-4, steps: 2, batch_size: 8}
rlhf: {plus: {learning_rate: 3.0e-4, steps: 2, batch_size: 8, answers: 4, max_new_tokens: 8, save_every: 1}}
check: {n_prompts: 4}
launch: {processes: 2}
"""


def test_two_processes_train_one_model_and_speak_once(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE)
    command = [
        sys.executable,
        "-m",
        "mplus_eval",
        "train",
        "all",
        "--config",
        str(recipe),
        f"output={tmp_path / 'run'}",
    ]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Checkpoints:") == 1
    record = read_record(tmp_path / "run" / "plus")
    assert record is not None
    assert (record.step, record.dose is not None) == (2, True)
    assert len(list((tmp_path / "run" / "plus" / "checkpoint-2").glob("rng_state_*.pth"))) == 2
    assert (tmp_path / "run" / "plus" / "steps.jsonl").read_text().count("\n") == 2


def test_the_real_pairs_of_hh_rlhf_train_every_stage(benchmark_data: Path, tmp_path: Path) -> None:
    step = {"learning_rate": 1e-4, "steps": 2, "batch_size": 8}
    fields = {
        "base": "demo:base",
        "output": tmp_path / "run",
        "device": "cpu",
        "max_length": 512,
        "pairs": [
            {"source": "Anthropic/hh-rlhf", "subset": part, "n": 100} for part in ("harmless-base", "helpful-base")
        ],
        "exclude_prompts": [{"source": "walledai/AdvBench", "on_bad_row": "skip"}],
        "reward": step,
        "sft": {"chosen": {**step, "data": "chosen"}},
        "rlhf": {"plus": {**step, "answers": 4, "max_new_tokens": 8}},
        "check": {"n_prompts": 4},
    }
    records = train(Recipe.model_validate(fields), data_dir=benchmark_data)
    assert [record.name for record in records] == ["reward", "chosen", "plus"]
    assert [entry.subset for entry in records[0].data] == ["harmless-base", "helpful-base"]
    assert all(0 < entry.n <= 90 for entry in records[0].data)
