"""The recipes of the guides: parsed, and their scripts run as runners run them, with the real gate on a stored run.

`compare` is a stand-in that writes a run made by hand; `curl` one that keeps what it is sent.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from tests.gate import build

ROOT = Path(__file__).resolve().parents[2]
GUIDES = ROOT / "docs" / "how-to"
RUNNER = ["bash", "--noprofile", "--norc", "-eo", "pipefail"]
"""GitHub's `shell: bash`; GitLab's runner sets the same two options."""
MPLUS_EVAL = """#!/usr/bin/env bash
if [ "$1" = compare ]; then
    mkdir -p runs/candidate && cp "{run}" runs/candidate/comparison.json
    exit 3
fi
PYTHONPATH="{root}" exec "{python}" -m mplus_eval "$@"
"""
CURL = '#!/usr/bin/env bash\ncat > "{folder}/sent.json"\n'


def recipe(name: str) -> dict[str, Any]:
    """The one block of YAML of a guide."""
    (block,) = re.findall(r"```yaml\n(.*?)```", (GUIDES / name).read_text("utf-8"), re.DOTALL)
    # `on:` is a truth value in YAML 1.1, as PyYAML reads it.
    document: dict[str, Any] = yaml.safe_load(block)
    return document


class Runner:
    """A folder checked out by a job, with the programs that its steps call."""

    def __init__(self, folder: Path, *models: str) -> None:
        self.folder = folder
        build.three_models(*models).write(folder / "stored.json")
        (folder / "policy.yaml").write_text("extends: default\n", encoding="utf-8")
        programs = folder / "bin"
        programs.mkdir()
        texts = {
            "mplus-eval": MPLUS_EVAL.format(run=folder / "stored.json", root=ROOT, python=sys.executable),
            "curl": CURL.format(folder=folder),
        }
        for name, text in texts.items():
            (programs / name).write_text(text, encoding="utf-8")
            (programs / name).chmod(0o755)
        self.environment = {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
            "GITHUB_OUTPUT": str(folder / "output"),
        }

    def step(self, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run one script as a file of its own, without what this process has in its environment."""
        path = self.folder / "step.sh"
        path.write_text(script, encoding="utf-8")
        return subprocess.run(
            [*RUNNER, str(path)],
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def outputs(self) -> dict[str, str]:
        """What the step set, as GitHub reads it."""
        lines = (self.folder / "output").read_text("utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines)


@pytest.mark.parametrize(
    ("model", "exit_code", "outcome"), [("kept", 0, "pass"), ("forgetful", 1, "fail"), ("few", 4, "inconclusive")]
)
def test_github_actions(tmp_path: Path, model: str, exit_code: int, outcome: str) -> None:
    workflow = recipe("gate-in-github-actions.md")
    steps = {step["name"]: step for step in workflow["jobs"]["gate"]["steps"] if "name" in step}
    runner = Runner(tmp_path, model)

    assert runner.step(steps["Compare"]["run"]).returncode == 0
    gate = runner.step(steps["Gate"]["run"])

    assert gate.returncode == exit_code, gate.stderr
    assert runner.outputs["outcome"] == outcome
    assert (tmp_path / "summary.md").read_text("utf-8").startswith(f"### Gate: {outcome}")
    assert gate.stdout.count("::error ") == (2 if model == "forgetful" else 0)
    failures = ElementTree.parse(tmp_path / "gate.xml").getroot().get("failures")
    assert failures == ("2" if model == "forgetful" else "0")

    if shutil.which("jq") is None:
        pytest.skip("jq, which GitHub's runners have, is not here")
    assert set(steps["Tell the chat"]["env"]) == {"SUMMARY", "WEBHOOK"}
    told = runner.step(steps["Tell the chat"]["run"], SUMMARY=runner.outputs["summary"], WEBHOOK="https://chat")
    assert told.returncode == 0, told.stderr
    assert json.loads((tmp_path / "sent.json").read_text("utf-8"))["text"] == runner.outputs["summary"]


def test_no_expression_stands_in_a_script() -> None:
    """What GitHub puts in place of an expression is run; names of models must not be."""
    for step in recipe("gate-in-github-actions.md")["jobs"]["gate"]["steps"]:
        assert "${{" not in step.get("run", "")


def test_github_actions_keeps_every_file_that_the_gate_writes() -> None:
    steps = recipe("gate-in-github-actions.md")["jobs"]["gate"]["steps"]
    (gate,) = [step["run"] for step in steps if step.get("id") == "gate"]
    (kept,) = [step["with"]["path"].split() for step in steps if "upload-artifact" in step.get("uses", "")]
    assert set(re.findall(r"--(?:junit|json) (\S+)", gate)) <= set(kept)
    assert "runs/candidate/report.html" in kept


@pytest.mark.parametrize(("model", "exit_code"), [("kept", 0), ("few", 4)])
def test_gitlab(tmp_path: Path, model: str, exit_code: int) -> None:
    job = recipe("gate-in-gitlab.md")["gate"]
    runner = Runner(tmp_path, model)
    url = job["variables"]["REPORT_URL"].replace("$CI_JOB_URL", "https://gitlab/-/jobs/7")

    done = runner.step("\n".join(job["script"]), REPORT_URL=url)

    assert done.returncode == exit_code, done.stderr
    assert job["allow_failure"] == {"exit_codes": 4}
    junit = job["artifacts"]["reports"]["junit"]
    text = (tmp_path / junit).read_text("utf-8")
    assert ElementTree.fromstring(text).get("errors") == ("1" if model == "few" else "0")
    if model != "kept":
        assert "https://gitlab/-/jobs/7/artifacts/file/runs/candidate/report.html#items?" in text


def test_an_inconclusive_gate_can_be_let_through_as_the_guide_says(tmp_path: Path) -> None:
    for model, exit_code in (("few", 0), ("forgetful", 1)):
        folder = tmp_path / model
        folder.mkdir()
        runner = Runner(folder, model)
        script = "mplus-eval compare || [ $? -eq 3 ]\nmplus-eval gate runs/candidate || [ $? -eq 4 ]"
        assert "`|| [ $? -eq 4 ]`" in (GUIDES / "gate-in-github-actions.md").read_text("utf-8")
        assert runner.step(script).returncode == exit_code
