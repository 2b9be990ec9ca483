"""Trackio, in its local database."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mplus_eval.exports.trackers.content import Logged

pytest.importorskip("trackio", reason="trackio is not installed")

READ = """
import json, sys, trackio
run = next(iter(trackio.Api().runs("mplus-eval")))
from trackio.sqlite_storage import SQLiteStorage
print(json.dumps([run.name, SQLiteStorage.get_logs("mplus-eval", run.name)], default=str))
"""
LOG = """
import sys
from pathlib import Path
from mplus_eval.exports.trackers import log_run
print(*log_run(Path(sys.argv[1]), ["trackio"]), sep="\\n")
"""


def test_a_local_run_has_figures_series_table_and_artifact(
    content: Logged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import json

    # Where the database lies is read when trackio is imported, so it has a process of its own.
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path))
    logged = subprocess.run(
        [sys.executable, "-c", LOG, str(content.directory)], capture_output=True, text=True, timeout=120, check=True
    )
    assert "Logged to trackio: project mplus-eval, run my-run" in logged.stdout
    found = subprocess.run([sys.executable, "-c", READ], capture_output=True, text=True, timeout=120, check=True)
    name, rows = json.loads(found.stdout.splitlines()[-1])
    assert name == "my-run"
    points = [(row["step"], row["plus/kl_per_answer"]) for row in rows if "plus/kl_per_answer" in row]
    assert points == [(0, 0.0), (10, 3.0), (20, 7.0), (30, 12.0)]
    last = next(row for row in rows if "sft/alignment_tax" in row)
    assert last["sft/alignment_tax"] == 0.032
    assert "decision" in last
    assert any(path.is_file() for path in tmp_path.rglob("*artifact*/**/*"))
