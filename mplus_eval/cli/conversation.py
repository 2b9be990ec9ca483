"""`mplus-eval conversation`: how checkpoints talk, judged pairwise; and people's verdicts in and out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mplus_eval.cli.default_command import DefaultCommandGroup
from mplus_eval.cli.options import Config, DataDir, Judges, Models, Quiet, Verbose, spec_command
from mplus_eval.cli.running import end_as_judged, run_and_show, show

app = typer.Typer(cls=DefaultCommandGroup, help="Whether models converse better, judged fairly.", rich_markup_mode=None)
RunDir = Annotated[
    Path, typer.Argument(help="What compare or conversation left.", metavar="RUN_DIR", show_default=False)
]


@app.command("compare", cls=spec_command("conversation", "suite", "dialogues", "limit", "judges"))
def conversation(
    context: typer.Context,
    models: Models = None,
    config: Config = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Compare how checkpoints talk, in pairs against the baseline.

    Example: mplus-eval conversation base=./base plus=./runs/plus --judge llm:qwen3@http://localhost:8000/v1
    """
    given = {**context.obj, "capability": False, "toxicity": False, "conversation": True}
    run_and_show(models or (), config, given, verbose=verbose, quiet=quiet)


@app.command()
def rejudge(
    run_directory: RunDir,
    judge: Judges = None,
    data_dir: DataDir = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Have the answers of a run judged by other judges.

    Nothing is generated again.

    Example: mplus-eval conversation rejudge runs/demo --judge llm:qwen3@http://localhost:8000/v1
    """
    from rich.console import Console

    from mplus_eval.errors import UsageError
    from mplus_eval.log_setup import silence_libraries
    from mplus_eval.pipeline.progress import ConsoleProgress
    from mplus_eval.pipeline.rejudge import rejudge as judge_again

    silence_libraries(verbose)
    if not judge:
        raise UsageError("conversation rejudge: name a judge, as in --judge llm:MODEL@http://HOST:PORT/v1")
    with ConsoleProgress(Console(stderr=True, quiet=quiet)).shown() as progress:
        finished = judge_again(run_directory, judge, data_dir, progress.prepare, progress.say)
    show(finished, quiet=quiet)
    end_as_judged(finished)


@app.command()
def export(
    run_directory: RunDir,
    file: Annotated[Path, typer.Argument(help="The CSV file to write.", show_default=False)],
    data_dir: DataDir = None,
) -> None:
    """Write blinded pairs of answers as CSV, for people to judge.

    Example: mplus-eval conversation export runs/demo pairs.csv
    """
    from mplus_eval.pipeline.rejudge import export as write_pairs

    n_pairs = write_pairs(run_directory, file, data_dir)
    typer.echo(f"{n_pairs} pairs: {file}\nFill in `verdict` (A, B or tie), then: mplus-eval conversation import")


@app.command("import")
def import_verdicts(
    run_directory: RunDir,
    file: Annotated[Path, typer.Argument(help="The exported file, filled in.", show_default=False)],
    decide: Annotated[
        bool, typer.Option("--decide", help="Let these verdicts decide; else they stand beside the first judge's.")
    ] = False,
    judge: Judges = None,
    data_dir: DataDir = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Take people's verdicts into a run, and render its report again.

    Example: mplus-eval conversation import runs/demo pairs.csv
    """
    from mplus_eval.log_setup import silence_libraries
    from mplus_eval.pipeline.rejudge import import_verdicts as take

    silence_libraries(verbose)
    finished = take(run_directory, file, data_dir, first=decide, judges=judge or ())
    show(finished, quiet=quiet)
    end_as_judged(finished)
