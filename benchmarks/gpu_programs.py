"""What runs as a program of its own on this device: the recipe `gpu-smoke`, and the tests marked gpu."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from gpu_line import Bench, Line

from mplus_eval.training.random_model import make_random_model

ROOT = Path(__file__).resolve().parents[1]
TINY = {"hidden_size": 32, "intermediate_size": 64, "n_layers": 2, "n_heads": 4, "n_key_value_heads": 2}
SHORTER = ("reward.steps=3", "sft.sft.steps=3", "sft.chosen.steps=3", "rlhf.plus.steps=3")
"""The recipe's own steps take longer than there is time for."""
MARGIN = 3.0
"""Seconds before the section's end at which a program is stopped, so that its failure can be told."""
SHORTEST = (
    *("device=cpu", "dtype=float32", "reward.steps=1", "sft.sft.steps=1", "sft.chosen.steps=1", "rlhf.plus.steps=1"),
    *("rlhf.plus.batch_size=8", "rlhf.plus.max_new_tokens=8", "check.n_prompts=4"),
)


def training(bench: Bench) -> Iterator[Line]:
    """Every stage of the recipe gpu-smoke, with the seconds that its record tells."""
    with tempfile.TemporaryDirectory() as folder:
        base, output = Path(folder) / "base", Path(folder) / "trained"
        n_parameters = make_random_model(base, **(TINY if bench.tiny else {}))
        arguments = [f"base={base}", f"output={output}", *(SHORTEST if bench.tiny else SHORTER)]
        started = time.perf_counter()
        _run(["-m", "mplus_eval", "train", "all", *arguments, "--config", "gpu-smoke", "--quiet"], bench)
        note = f"{n_parameters / 1e9:.2f} B parameters, 4 stages"
        yield Line("gpu-smoke", time.perf_counter() - started, "s", note=note)
        for path in sorted(output.glob("*/training.json")):
            record = json.loads(path.read_text(encoding="utf-8"))
            facts = {key: record[key] for key in ("algorithm", "step", "seconds")}
            yield Line(
                path.parent.name,
                record["seconds"],
                "s",
                note=f"{record['algorithm']}, {record['step']} steps",
                facts=facts,
            )


def marked_tests(bench: Bench) -> Iterator[Line]:
    """The tests marked gpu; with --tiny they are only collected."""
    if find_spec("pytest") is None:
        yield Line("pytest is not installed", note="no test was run")
        return
    files = [str(path) for path in sorted((ROOT / "tests").rglob("test_*.py")) if "mark.gpu" in path.read_text()]
    only = ["--collect-only"] if bench.tiny else []
    said = _run(["-m", "pytest", "-n", "0", "-q", "-m", "gpu", *only, *files], bench)
    yield Line(said.strip().splitlines()[-1].strip("= "), note=f"of {len(files)} files")


def _run(arguments: Sequence[str], bench: Bench) -> str:
    """What a program of this Python says.

    Raises:
        RuntimeError: with its last words, when it fails.
        subprocess.TimeoutExpired: when it takes longer than the section may.
    """
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=max(1.0, bench.ends - time.time() - MARGIN),
    )
    if done.returncode:
        words = (done.stdout + done.stderr).strip().splitlines()[-3:]
        raise RuntimeError(f"exit code {done.returncode}: {' | '.join(words)}")
    return done.stdout
