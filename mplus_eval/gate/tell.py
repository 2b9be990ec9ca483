"""How a gate is told: lines for a terminal, one line for a chat, a Markdown table, and JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from textwrap import wrap

from mplus_eval.gate.check import Gate, Result
from mplus_eval.gate.evidence import shown
from mplus_eval.gate.limits import Finding, Outcome
from mplus_eval.reports import formats
from mplus_eval.reports.text import abridged

MOST_FINDINGS = 3
"""Findings of a result that are told where there is little room."""
MOST_RULES = 3
WIDTH = 80
SCHEMA_VERSION = 1


def lines(gate: Gate, report: str) -> Iterator[str]:
    """What a terminal shows: a line a model, and beneath it every rule that does not pass.

    Args:
        gate: what was found.
        report: where the report is, before the fragment of a link.
    """
    for line in _lines(gate, report):
        yield _said(line)


def _lines(gate: Gate, report: str) -> Iterator[str]:
    for model in _models(gate):
        results = gate.of(model)
        n_passed = sum(result.outcome is Outcome.PASS for result in results)
        passed = f"{n_passed} of {formats.counted(len(results), 'rule')} passed"
        yield f"model {_name(model)}: {gate.outcome_of(model)}, {passed}"
        for result in (result for result in results if result.outcome is not Outcome.PASS):
            yield f"  {result.tier} {result.rule}: {result.outcome}"
            for finding in result.telling[:MOST_FINDINGS]:
                yield from _wrapped(f"{finding.place}: {finding.words}")
                if finding.link:
                    yield f"      {report}{finding.link}"
            if more := len(result.telling) - MOST_FINDINGS:
                yield from [f"    … and {more} more"] if more > 0 else []
    yield summary(gate)


def summary(gate: Gate) -> str:
    """One line for a chat: what it came to, and the blocking rules behind it."""
    parts = [f"{_name(model)} {_of_model(gate.of(model), gate.outcome_of(model))}" for model in _models(gate)]
    return _said(f"mplus-eval gate, policy {gate.policy}: {gate.outcome}. {'; '.join(parts)}.")


def _wrapped(words: str) -> list[str]:
    return wrap(
        words,
        WIDTH,
        initial_indent="    ",
        subsequent_indent="      ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _said(line: str) -> str:
    """A line that GitHub's runner takes for no command: the new form begins one, the old form stands anywhere in it."""
    return re.sub(r"^(\s*):(?=:)", r"\1: ", line).replace("##[", "# #[")


def _of_model(results: Sequence[Result], outcome: Outcome) -> str:
    word = {Outcome.FAIL: "fails", Outcome.INCONCLUSIVE: "inconclusive", Outcome.PASS: "passes"}[outcome]
    behind = [
        result.rule
        for result in results
        if result.tier == "blocking"
        and (result.outcome.is_breach if outcome is Outcome.FAIL else result.outcome is not Outcome.PASS)
    ]
    warned = [result.rule for result in results if result.tier == "warning" and result.outcome is not Outcome.PASS]
    said = f"{word} ({abridged(behind, MOST_RULES, 'rules')})" if behind else word
    return f"{said}, with {formats.counted(len(warned), 'warning')}" if warned else said


def markdown(gate: Gate, report_url: str) -> str:
    """A heading, the summary, and a table of every rule and model; fit for the summary of a CI job.

    Args:
        gate: what was found.
        report_url: where the report is published, for links; empty where it is not, and fragments stand as text.
    """
    rows = [_row(result, report_url) for result in gate.results]
    table = ["| model | rule | tier | outcome | why |", "|---|---|---|---|---|", *rows]
    return "\n".join([f"### Gate: {gate.outcome}", "", _escaped(summary(gate)), "", *table, ""])


def _row(result: Result, report_url: str) -> str:
    why = "<br>".join(_of_finding(finding, report_url) for finding in result.telling[:MOST_FINDINGS])
    more = len(result.telling) - MOST_FINDINGS
    why += f"<br>… and {more} more" if more > 0 else ""
    outcome = f"**{result.outcome}**" if result.outcome is not Outcome.PASS else result.outcome
    return f"| {_escaped(_name(result.model))} | {result.rule} | {result.tier} | {outcome} | {why} |"


def _of_finding(finding: Finding, report_url: str) -> str:
    words = _escaped(f"{finding.place}: {finding.words}")
    if not finding.link:
        return words
    return f"{words} [items]({report_url}{finding.link})" if report_url else f"{words} (`report.html{finding.link}`)"


def as_json(gate: Gate) -> str:
    """Everything, for programs: outcome, models with theirs, results with every finding."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "policy": gate.policy,
        "baseline": gate.baseline,
        "outcome": gate.outcome,
        "exit_code": gate.exit_code,
        "summary": summary(gate),
        "models": {model: gate.outcome_of(model) for model in gate.models},
        "results": [asdict(result) for result in gate.results],
    }
    # ASCII alone, so that a lone surrogate in a name stays what it was.
    return json.dumps(document, indent=2) + "\n"


def _models(gate: Gate) -> list[str]:
    """The models of the results; the empty name first, where a rule is about none."""
    return list(dict.fromkeys(result.model for result in gate.results))


def _name(model: str) -> str:
    return shown(model) if model else "(no model)"


def _escaped(text: str) -> str:
    """Text as one line of Markdown; imported here, since the figures' library comes with it."""
    from mplus_eval.reports.render import markdown_escaped

    return markdown_escaped(text)
