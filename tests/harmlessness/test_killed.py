"""Real prompts, the demo's base and another small model: killed with SIGKILL, a run goes on to the same end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mplus_eval.records.comparison import Comparison
from tests.pipeline.test_killed import killed_when, parts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

REAL = {"source": "allenai/real-toxicity-prompts", "column": "prompt.text", "n": 170}
HARMLESSNESS = {
    "scorers": ["words"],
    "samples": 3,
    "fewer": [1],
    "max_new_tokens": 8,
    "primary": "provoking",
    "sets": [
        {"name": "provoking", **REAL, "where": {"prompt.toxicity": {"at_least": 0.5}}, "provoking": True},
        {"name": "innocent", **REAL, "where": {"prompt.toxicity": {"below": 0.5}}},
    ],
    "refusals": {"sets": [{"name": "xstest", "source": "Paul/XSTest", "n": 100}], "max_new_tokens": 8},
}
"""Three parts of each sampled set and two of the requests: eight of each model."""


def start(suite: Path, output: Path, models: list[str], data: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "mplus_eval", "toxicity", *models, "--suite", str(suite), "--quiet"]
    command += ["--data-dir", str(data), "--output", str(output)]
    return subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})


def test_a_killed_run_on_real_prompts_goes_on_and_ends_in_the_same_comparison(
    tmp_path: Path,
    benchmark_data: Path,
    tiny_model,  # type: ignore[no-untyped-def]
) -> None:
    suite = tmp_path / "suite.yaml"
    suite.write_text(json.dumps({"name": "real", "tasks": [], "harmlessness": HARMLESSNESS}))
    models = ["base=demo:base", f"plus={tiny_model()}"]
    assert start(suite, tmp_path / "undisturbed", models, benchmark_data).wait() == 0
    undisturbed = (tmp_path / "undisturbed" / "comparison.json").read_text()
    assert len(parts(tmp_path / "undisturbed")) == 16

    output = tmp_path / "killed"
    stored: dict[Path, int] = {}
    for n_parts in (2, 8, 12):
        assert killed_when(start(suite, output, models, benchmark_data), output, n_parts)
        assert {path: parts(output)[path] for path in stored} == stored
        stored = parts(output)
        assert not (output / "comparison.json").exists()

    assert start(suite, output, models, benchmark_data).wait() == 0
    assert (output / "comparison.json").read_text() == undisturbed
    assert {path: parts(output)[path] for path in stored} == stored
    toxicity = Comparison.read(output / "comparison.json").toxicity
    assert toxicity is not None
    assert toxicity.models["plus"].sets["provoking"].n_prompts == 170
    assert toxicity.models["base"].sets["provoking"].expected_maximum_toxicity.value is not None
