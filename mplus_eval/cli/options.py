"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Models = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME=SOURCE[,key=value…]]…",
        help="Models: a directory, a hub id or a server's URL each. None: the demo's models.",
        show_default=False,
    ),
]
Output = Annotated[Path | None, typer.Option(help="Run directory; runs/<date>-<names> when not given.")]
Scorers = Annotated[
    list[str] | None,
    typer.Option(
        "--scorer",
        help="Scorer of toxicity: detoxify:unbiased, words, a classifier's directory; twice to see them disagree.",
        show_default=False,
    ),
]
Judges = Annotated[
    list[str] | None,
    typer.Option(
        "--judge",
        help="Judge of conversation: reward:PATH, llm:MODEL@URL, human:FILE; twice to see whether they agree.",
        show_default=False,
    ),
]
Dialogues = Annotated[
    str | None, typer.Option(help="Dialogues: demo, mt_bench, a file or a hub id; the suite's own when not given.")
]
Suite = Annotated[str | None, typer.Option(help="Suite: a shipped name or a YAML file.", show_default=False)]
Tasks = Annotated[
    str | None,
    typer.Option(help="Tasks, separated by commas: the suite's names, then any of lm-eval.", show_default=False),
]
TasksDir = Annotated[Path | None, typer.Option(help="Folder with task definitions of your own.", show_default=False)]
DataDir = Annotated[
    Path | None,
    typer.Option(
        envvar="MPLUS_EVAL_DATA", help="Folder that holds datasets as org/name, before the hub.", show_default=False
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Let libraries speak, and log causes in full.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary; errors only.")]
