"""The scripts and manifests of docs/examples: they parse, and do what their pages say."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import jsonschema
import pytest
import yaml

from mplus_eval.cli import run
from mplus_eval.spec.storage import storage_faults

EXAMPLES = Path(__file__).resolve().parents[1] / "docs" / "examples"
STUBS = {
    "scontrol": 'echo "scontrol $*" >> "$CALLS"; if [ "$1" = show ]; then printf "node1\\nnode2\\nnode3\\n"; fi',
    "srun": 'echo "srun $*" >> "$CALLS"; exec sleep 60',
    "ray": 'echo "ray $*" >> "$CALLS"',
    "mplus-eval": 'trap "exit 5" TERM; echo "mplus-eval $*" >> "$CALLS"; for _ in $(seq 400); do sleep 0.05; done',
}


@pytest.fixture
def slurm(tmp_path: Path) -> dict[str, str]:
    """The environment of a job on three nodes, in which the commands of a cluster note how they were called."""
    for name, body in STUBS.items():
        (tmp_path / name).write_text(f"#!/usr/bin/env bash\n{body}\n")
        (tmp_path / name).chmod(0o755)
    job = {"SLURM_JOB_NODELIST": "node[1-3]", "SLURM_JOB_ID": "41234", "SLURM_JOB_NUM_NODES": "3"}
    return {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "CALLS": str(tmp_path / "calls"), **job}


def calls(slurm: dict[str, str]) -> list[str]:
    path = Path(slurm["CALLS"])
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("*.sh")), ids=lambda path: path.name)
def test_every_script_parses(script: Path) -> None:
    assert subprocess.run(["bash", "-n", script], capture_output=True, check=False).stderr == b""
    assert os.access(script, os.X_OK)


def test_a_slurm_job_that_is_to_end_stops_the_run_and_is_queued_again(slurm: dict[str, str]) -> None:
    job = subprocess.Popen([EXAMPLES / "slurm.sh", "base=./base", "--output", "/shared/my run"], env=slurm)
    while sum(call.startswith(("mplus-eval", "srun")) for call in calls(slurm)) < 3:
        assert job.poll() is None
        time.sleep(0.01)
    job.send_signal(signal.SIGTERM)
    assert job.wait(20) == 5
    step, address = "srun --ntasks-per-node=1 --cpus-per-task=1", "node1:21234"
    done = calls(slurm)
    head = "--nodes=1 --ntasks=1 --nodelist=node1 ray start --head --port=21234 --include-dashboard=false --block"
    assert f"{step} {head}" in done
    assert f"{step} --nodes=2 --ntasks=2 --exclude=node1 ray start --address={address} --block" in done
    asked = f"compare base=./base --output /shared/my run --executor ray --address {address}"
    assert f"mplus-eval {asked}" in done
    assert done[-1] == "scontrol requeue 41234"


def test_a_slurm_job_whose_run_ends_has_its_exit_code_and_is_not_queued_again(slurm: dict[str, str]) -> None:
    (Path(slurm["CALLS"]).parent / "mplus-eval").write_text("#!/usr/bin/env bash\nexit 3\n")
    job = subprocess.run([EXAMPLES / "slurm.sh", "base=./base"], env=slurm, check=False, timeout=20)
    assert job.returncode == 3
    assert not any("requeue" in call for call in calls(slurm))


def test_the_manifest_has_the_fields_of_a_ray_job() -> None:
    job = yaml.safe_load((EXAMPLES / "rayjob.yaml").read_text())
    schema = json.loads((Path(__file__).parent / "rayjob.schema.json").read_text())
    jsonschema.validate(job, schema)
    job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["replica"] = 1
    with pytest.raises(jsonschema.ValidationError, match="replica"):
        jsonschema.validate(job, schema)


def test_what_the_manifest_starts_is_a_command_of_this_program(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = yaml.safe_load((EXAMPLES / "rayjob.yaml").read_text())
    program, command, *words = job["spec"]["entrypoint"].split()
    assert program == "mplus-eval"
    storage = words[words.index("--storage") + 1]
    monkeypatch.setattr("mplus_eval.spec.storage.find_spec", lambda name: name)
    assert storage_faults(storage) == []
    options = [word for word in words if word.startswith("--")]
    monkeypatch.setenv("COLUMNS", "200")
    assert run([command, "--help"]) == 0
    told = capsys.readouterr().out
    assert [option for option in options if option not in told] == []
