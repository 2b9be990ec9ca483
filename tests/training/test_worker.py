"""A process that trains what it is asked for, line by line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.small import rlhf_recipe

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_a_worker_tells_of_every_step_and_ends_with_its_input(tmp_path: Path) -> None:
    job = {"recipe": rlhf_recipe(tmp_path).model_dump(mode="json"), "data_dir": None, "evaluate": None}
    command = [sys.executable, "-m", "mplus_eval.training.worker"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, encoding="utf-8", cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(job) + "\n" + json.dumps({"stage": "plus"}) + "\n")
        process.stdin.flush()
        events = []
        for line in process.stdout:
            events.append(json.loads(line))
            if "finished" in events[-1]:
                break
        process.stdin.close()
        assert process.wait(timeout=60) == 0
    trained = [event["progress"] for event in events if event.get("progress", [""])[0] == "training plus"]
    assert trained == [["training plus", step, 4] for step in (1, 2, 3, 4)]
    assert events[-1] == {"finished": "plus"}
    assert (tmp_path / "plus" / "training.json").is_file()
