"""What `mplus-eval report` does with a finished run besides rendering it: a model card, the hub, trackers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mplus_eval.errors import UsageError

if TYPE_CHECKING:
    from mplus_eval.spec.trackers import TrackerName

LogTo = Annotated[
    list[str] | None,
    typer.Option(
        "--log-to", metavar="TRACKER", help="Log the run to wandb, mlflow, trackio or tensorboard.", show_default=False
    ),
]
Push = Annotated[
    str | None,
    typer.Option(metavar="REPO", help="Upload the report to dataset:org/name or space:org/name.", show_default=False),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="With --push: say what would be uploaded, and upload nothing.")]
ModelCard = Annotated[
    str | None,
    typer.Option(
        "--model-card", metavar="NAME", help="Print a model's results as `model-index` YAML.", show_default=False
    ),
]


def publish(
    run_directory: Path, log_to: Sequence[str] | None, push: str | None, model_card: str | None, *, dry_run: bool
) -> bool:
    """Do what was asked for; everything that can be wrong is looked at before anything is done.

    Returns:
        Whether anything was asked for; then the report needs not be rendered again.
    """
    if dry_run and push is None:
        raise UsageError("--dry-run goes with --push; without it nothing is uploaded")
    if not (log_to or push or model_card):
        return False
    from mplus_eval.exports import StoredRun
    from mplus_eval.exports.hub import Target, summary_line
    from mplus_eval.exports.hub import push as upload
    from mplus_eval.exports.model_card import model_card as card_of

    target = Target.of(push) if push else None
    run, trackers = StoredRun.read(run_directory), _trackers(log_to or ())
    card = card_of(run, model_card, target.page if target else None) if model_card else None
    if target:
        typer.echo(summary_line(target, upload(run, target, dry_run=dry_run), dry_run=dry_run), err=card is not None)
    if trackers:
        from mplus_eval.exports.trackers import log_run

        for line in log_run(run_directory, trackers):
            typer.echo(line, err=card is not None)
    if card:
        typer.echo(card, nl=False)
    return True


def _trackers(names: Sequence[str]) -> list[TrackerName]:
    """The trackers by their names, all of them installed."""
    from mplus_eval.errors import SpecError
    from mplus_eval.spec.faults import nearest
    from mplus_eval.spec.trackers import TRACKERS, missing_trackers

    if unknown := [name for name in names if name not in TRACKERS]:
        raise SpecError([f"--log-to {name!r}: {nearest(name, list(TRACKERS))}" for name in unknown])
    known = [tracker for tracker in TRACKERS if tracker in names]
    if missing := missing_trackers(known):
        raise SpecError(missing)
    return known
