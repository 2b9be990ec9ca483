"""What GitHub Actions reads: annotations on standard output, the job's summary, and the step's outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from mplus_eval.gate.check import Gate, Result
from mplus_eval.gate.evidence import shown
from mplus_eval.gate.limits import Outcome
from mplus_eval.gate.tell import MOST_FINDINGS, markdown, summary

SUMMARY, OUTPUT = "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"
"""Variables that name the files to add to."""


def workflow_commands(gate: Gate, report: str) -> Iterator[str]:
    """A workflow command for each rule and model that does not pass.

    Args:
        gate: what was found.
        report: where the report is, before the fragment of a link.
    """
    for result in gate.results:
        if result.outcome is Outcome.PASS:
            continue
        findings = [
            f"{finding.place}: {finding.words}" + (f"\n{report}{finding.link}" if finding.link else "")
            for finding in result.telling[:MOST_FINDINGS]
        ]
        more = len(result.telling) - MOST_FINDINGS
        findings += [f"… and {more} more"] if more > 0 else []
        title = f"{result.rule}, {shown(result.model) or 'no model'}: {result.outcome}"
        yield f"::{_command(result)} title={_property(title)}::{_data(chr(10).join(findings))}"


def add_to_job(gate: Gate, report_url: str, environment: Mapping[str, str]) -> None:
    """Append the table to the job's summary, and `outcome` and `summary` to the step's outputs, if the runner has them.

    Raises:
        OSError: where a file cannot be written.
    """
    outputs = f"outcome={gate.outcome}\nsummary={summary(gate)}\n"
    for variable, text in ((SUMMARY, markdown(gate, report_url) + "\n"), (OUTPUT, outputs)):
        if path := environment.get(variable):
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(text)


def _command(result: Result) -> str:
    if result.tier == "info":
        return "notice"
    return "error" if result.tier == "blocking" and result.outcome.is_breach else "warning"


def _data(text: str) -> str:
    """Text that stays one command: GitHub's own escapes (actions/toolkit, command.ts)."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
