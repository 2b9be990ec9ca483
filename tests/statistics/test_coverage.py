import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "benchmarks" / "coverage.py"), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment)


def test_quick_simulation_prints_a_line_for_every_quantity():
    rows = [json.loads(line) for line in run("--quick", "--json", "--replications", "2").stdout.splitlines()]
    assert {row["what"] for row in rows} == {
        "difference 0/1",
        "difference graded",
        "passages",
        "passages, icc: 1",
        "hidden passages",
        "score",
        "false preserved",
        "false preserved, passages",
        "false preserved, icc: 1",
        "false preserved, hidden",
        "failures: false preserved",
        "guessing: preserved",
        "family: false difference",
        "family: false preserved",
        "family: contradicted",
        "power of one task",
        "alignment tax",
        "suite: false preserved",
        "alignment tax, hidden",
        "models: false difference, tasks",
        "models: false difference, suite",
    }
    assert {50, 200, 1000} < {row["n"] for row in rows}
    assert all(0 <= row["rate"] <= 1 and row["error"] > 0 for row in rows)
    assert {row["status"] for row in rows} <= {"ok", "MISSED", "shown"}
