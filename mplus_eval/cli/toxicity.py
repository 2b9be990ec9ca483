"""`mplus-eval toxicity`: the harmlessness of checkpoints alone, texts scored again, and scorers fitted and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mplus_eval.cli.default_command import DefaultCommandGroup
from mplus_eval.cli.options import Config, DataDir, Models, Quiet, Scorers, Verbose, spec_command
from mplus_eval.cli.running import run_and_show, show

Text = Annotated[
    str | None,
    typer.Option(help="Columns of texts, separated by commas; a key within one as prompt.text.", show_default=False),
]
Threshold = Annotated[float, typer.Option(help="At and above which a label or a score is toxic.")]
Group = Annotated[
    str | None, typer.Option(help="Column whose rows stand or fall together, as of one author.", show_default=False)
]
Split = Annotated[str | None, typer.Option(help="Split of a dataset; its only one.", show_default=False)]
Subset = Annotated[str | None, typer.Option(help="Configuration of a dataset.", show_default=False)]

app = typer.Typer(cls=DefaultCommandGroup, help="How toxic models are, also when provoked.", rich_markup_mode=None)


@app.command("compare", cls=spec_command("toxicity", "suite", "limit", "scorers", "judges"))
def toxicity(
    context: typer.Context,
    models: Models = None,
    config: Config = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Compare how toxic checkpoints are, also when provoked.

    By sampled continuations, refusals, and bad words layer by layer.

    Example: mplus-eval toxicity base=./base plus=./runs/plus --data-dir ./data
    """
    given = {**context.obj, "capability": False, "toxicity": True, "conversation": False}
    run_and_show(models or (), config, given, verbose=verbose, quiet=quiet)


@app.command()
def rescore(
    run_directory: Annotated[Path, typer.Argument(help="What compare or toxicity left.", show_default=False)],
    scorer: Scorers = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Score the texts of a run again with another scorer.

    Nothing is generated again.

    Example: mplus-eval toxicity rescore runs/2026-11-26-base-plus --scorer detoxify:original
    """
    from mplus_eval.log_setup import silence_libraries

    silence_libraries(verbose)
    from mplus_eval.errors import UsageError
    from mplus_eval.pipeline.rescore import rescore as score_again

    if not scorer:
        raise UsageError("toxicity rescore: name a scorer, as in --scorer detoxify:original or --scorer words")
    show(score_again(run_directory, scorer), quiet=quiet)


@app.command("fit-scorer")
def fit_scorer(
    output: Annotated[Path, typer.Option(help="Directory to write, absent or empty.", show_default=False)],
    data: Annotated[
        str, typer.Option(metavar="FILE|HUB_ID", help="Labelled texts: JSONL, CSV, Parquet or a dataset of the hub.")
    ] = "allenai/real-toxicity-prompts",
    text: Text = None,
    label: Annotated[
        str | None,
        typer.Option(help="Columns of labels, one for each of texts: 0 to 1, true, false.", show_default=False),
    ] = None,
    group: Group = None,
    threshold: Threshold = 0.5,
    held_out: Annotated[float, typer.Option(help="Share of groups to measure on, and not to fit on.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Seed of every draw.")] = 0,
    split: Split = None,
    subset: Subset = None,
    data_dir: DataDir = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Fit a scorer of your own on labelled texts.

    It is used as --scorer ngram:DIR, and needs no download.

    Example: mplus-eval toxicity fit-scorer --data comments.csv --text body --label toxic --output ngram-scorer
    """
    from rich.console import Console

    from mplus_eval.log_setup import silence_libraries

    silence_libraries(verbose)
    from mplus_eval.cli.scorer_tables import fitted_lines
    from mplus_eval.harmlessness.fit_scorer import FitSettings
    from mplus_eval.harmlessness.fit_scorer import fit_scorer as fit
    from mplus_eval.harmlessness.labelled_texts import columns_of
    from mplus_eval.pipeline.progress import ConsoleProgress

    columns, settings = columns_of(data, text, label, group), FitSettings(threshold, held_out, seed)
    with ConsoleProgress(Console(stderr=True, quiet=quiet)).shown() as progress:
        fitted = fit(
            data,
            columns,
            settings,
            output.expanduser(),
            progress.prepare,
            split=split,
            subset=subset,
            data_dir=data_dir,
        )
    if not quiet:
        for line in fitted_lines(fitted, output):
            typer.echo(line)


@app.command()
def agree(
    source: Annotated[
        str,
        typer.Argument(metavar="RUN_DIR|FILE|HUB_ID", help="A run with toxicity, or texts.", show_default=False),
    ],
    scorer: Scorers = None,
    text: Text = None,
    group: Group = None,
    threshold: Threshold = 0.5,
    split: Split = None,
    subset: Subset = None,
    data_dir: DataDir = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Say how far two scorers agree on the same texts.

    Nothing is stored.

    Example: mplus-eval toxicity agree runs/demo --scorer ngram:ngram-scorer --scorer detoxify:original
    """
    from rich.console import Console

    from mplus_eval.log_setup import silence_libraries

    silence_libraries(verbose)
    from mplus_eval.cli.scorer_tables import agreement_lines
    from mplus_eval.harmlessness.labelled_texts import columns_of
    from mplus_eval.pipeline.agree import agree as compare_scorers
    from mplus_eval.pipeline.progress import ConsoleProgress

    columns = columns_of(source, text, None, group, labelled=False)
    with ConsoleProgress(Console(stderr=True, quiet=quiet)).shown() as progress:
        found = compare_scorers(
            source, scorer or (), columns, threshold, progress, split=split, subset=subset, data_dir=data_dir
        )
    if not quiet:
        for line in agreement_lines(found):
            typer.echo(line)
