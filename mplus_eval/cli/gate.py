"""`mplus-eval gate`: put a policy to a run, and leave with what it came to."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer


def gate(
    run_directory: Annotated[
        Path | None,
        typer.Argument(
            metavar="RUN_DIR", help="A run directory of `compare`; not needed for --explain.", show_default=False
        ),
    ] = None,
    policy: Annotated[str, typer.Option(help="Policy: a YAML file or a shipped name.")] = "default",
    model: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Ask about this model only; may be repeated.")
    ] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write JUnit XML.", show_default=False)] = None,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all of it as JSON.", show_default=False)
    ] = None,
    github: Annotated[
        bool, typer.Option("--github", help="Print annotations; add to the job's summary and the step's outputs.")
    ] = False,
    summary: Annotated[bool, typer.Option("--summary", help="Print one line only, for a chat.")] = False,
    report_url: Annotated[
        str, typer.Option(metavar="URL", help="Where the report is published, for links.", show_default=False)
    ] = "",
    explain: Annotated[bool, typer.Option("--explain", help="Say in words what the policy means.")] = False,
) -> None:
    """Say which models of a run may be released, by a policy.

    Leaves with exit code 0 when all blocking rules pass, with 1 when one is broken, with 4 when none is and one is
    inconclusive, with 2 when the run or the policy cannot be read.
    """
    from mplus_eval.errors import UsageError
    from mplus_eval.gate.check import check, read_comparison
    from mplus_eval.gate.explain import explain as explained
    from mplus_eval.gate.github import add_to_job, workflow_commands
    from mplus_eval.gate.junit import junit as junit_xml
    from mplus_eval.gate.policy import load_policy
    from mplus_eval.gate.tell import as_json, lines
    from mplus_eval.gate.tell import summary as in_one_line

    rules = load_policy(policy)
    if report_url and not report_url.startswith(("https://", "http://")):
        raise UsageError(f"--report-url {report_url!r}: a URL that begins with https:// or http:// is accepted")
    if explain:
        typer.echo(explained(rules))
    if run_directory is None:
        if explain:
            return
        raise UsageError("RUN_DIR is missing: a run directory of `compare` is expected")
    found = check(read_comparison(run_directory), rules, model or ())
    report = report_url or str(run_directory / "report.html")
    if junit is not None:
        _written(f"--junit {junit}", lambda: junit.write_text(junit_xml(found, report), encoding="utf-8"))
    if json is not None:
        _written(f"--json {json}", lambda: json.write_text(as_json(found), encoding="utf-8"))
    if github:
        _written("--github", lambda: add_to_job(found, report_url, os.environ))
        for command in workflow_commands(found, report):
            typer.echo(command)
    for line in [in_one_line(found)] if summary else lines(found, report):
        typer.echo(line)
    raise typer.Exit(found.exit_code)


def _written(option: str, write: Callable[[], object]) -> None:
    """Write what an option asks for, or say why it cannot be written."""
    from mplus_eval.errors import UsageError
    from mplus_eval.store.files import FULL_DISK

    try:
        write()
    except OSError as error:
        if error.errno in FULL_DISK:
            raise
        raise UsageError(f"{option}: cannot be written ({error.strerror})") from None
