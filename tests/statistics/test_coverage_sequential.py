import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


TRUTHS = (
    "nothing lost",
    "1 point everywhere",
    "2 points everywhere",
    "5 points everywhere",
    "5.5 on two tasks",
    "losses and gains",
)


@pytest.mark.slow
def test_quick_simulation_prints_a_line_for_every_quantity():
    command = [sys.executable, str(ROOT / "benchmarks" / "coverage_sequential.py"), "--quick", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "--replications", "2"], capture_output=True, text=True, check=True, env=environment
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["what"] for row in rows} == {
        "plain, every 100",
        "plain, by rounds",
        *(f"{what}, {of}" for what in TRUTHS for of in ("tasks", "suite")),
        "boundary, items",
        "passages, ICC 0",
        "passages, ICC 0.1",
        "passages, ICC 0.3",
        "graded, ICC 0.1",
    }
    assert {row["n"] for row in rows if row["what"] == "plain, every 100"} == {1319, 3852, 10_000}
    assert all(0 < row["items"] <= row["n"] and row["contradicted"] == 0 for row in rows)
