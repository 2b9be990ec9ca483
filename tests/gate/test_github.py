from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.gate.check import Gate, Result, check
from mplus_eval.gate.github import add_to_job, workflow_commands
from mplus_eval.gate.limits import Finding, Outcome
from mplus_eval.gate.policy import Tier, load_policy
from tests.gate import build

HOSTILE = "a%0A\r\n::error title=forged,line=1::pwned\x1b[31m##[error]x"


def gate_of(outcome: Outcome, tier: Tier = "blocking", name: str = "plus", n_findings: int = 1) -> Gate:
    findings = tuple(Finding(f"task {place}", outcome, name, "#items?x") for place in range(n_findings))
    return Gate("own", "base", (name,), (Result("rule", tier, "capability", name, outcome, findings),))


@pytest.mark.parametrize(
    ("outcome", "tier", "command"),
    [
        (Outcome.FAIL, "blocking", "error"),
        (Outcome.MISSING, "blocking", "error"),
        (Outcome.INCONCLUSIVE, "blocking", "warning"),
        (Outcome.FAIL, "warning", "warning"),
        (Outcome.FAIL, "info", "notice"),
    ],
)
def test_a_command_for_each_tier_and_outcome(outcome: Outcome, tier: Tier, command: str) -> None:
    (line,) = workflow_commands(gate_of(outcome, tier), "report.html")
    assert line == f"::{command} title=rule%2C plus%3A {outcome}::task 0: plus%0Areport.html#items?x"


def test_what_passes_is_not_annotated() -> None:
    assert list(workflow_commands(gate_of(Outcome.PASS), "report.html")) == []


def test_text_cannot_begin_a_command_of_its_own() -> None:
    (line,) = workflow_commands(gate_of(Outcome.FAIL, name=HOSTILE), "report.html")
    assert len(line.splitlines()) == 1
    head, _, message = line.removeprefix("::error title=").partition("::")
    assert ":" not in head
    assert "," not in head
    assert message.startswith("task 0: a%250A%0D%0A::error title=forged")


def test_many_findings_are_counted() -> None:
    (line,) = workflow_commands(gate_of(Outcome.FAIL, n_findings=9), "report.html")
    assert line.count("task ") == 3
    assert line.endswith("%0A… and 6 more")


def test_the_job_gets_a_table_and_the_step_its_outputs(tmp_path: Path) -> None:
    gate = check(build.three_models(), load_policy("default"))
    summary, output = tmp_path / "summary.md", tmp_path / "output"
    summary.write_text("before\n")
    add_to_job(gate, "https://host/report.html", {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(output)})
    text = summary.read_text("utf-8")
    assert text.startswith("before\n### Gate: fail\n")
    assert "| forgetful | suite-kept | blocking | **fail** | suite: degraded" in text
    assert "[items](https://host/report.html#items?task=facts&model=forgetful&show=lost)" in text
    outcome, line = output.read_text("utf-8").splitlines()
    assert outcome == "outcome=fail"
    assert line.startswith("summary=mplus-eval gate, policy default: fail. ")


def test_outputs_stay_a_line_each_whatever_a_model_is_called(tmp_path: Path) -> None:
    output = tmp_path / "output"
    add_to_job(gate_of(Outcome.FAIL, name="x\noutcome=pass"), "", {"GITHUB_OUTPUT": str(output)})
    assert [line.partition("=")[0] for line in output.read_text("utf-8").splitlines()] == ["outcome", "summary"]


def test_without_a_runner_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    add_to_job(gate_of(Outcome.FAIL), "", {})
    assert list(tmp_path.iterdir()) == []
