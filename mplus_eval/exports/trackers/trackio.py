"""Trackio: a local database under TRACKIO_DIR, or a Space where TRACKIO_SPACE_ID names one."""

from __future__ import annotations

import os

from mplus_eval.exports.items import file_name
from mplus_eval.exports.trackers.content import PROJECT, Logged


def log(content: Logged) -> str:
    """Log a run; returns where it is."""
    import trackio

    space = os.environ.get("TRACKIO_SPACE_ID")
    # What this machine does now says nothing of the evaluation.
    own = {"embed": False, "auto_log_gpu": False, "auto_log_cpu": False}
    run = trackio.init(project=PROJECT, name=content.name, config=dict(content.settings), space_id=space, **own)
    for training, steps in content.series.items():
        for step, values in steps:
            trackio.log({f"{training}/{name}": value for name, value in values.items()}, step=step)
    # Without a number of its own this would be the step after the last of a training.
    figures: dict[str, object] = dict(content.scalars)
    if content.decision:
        figures["decision"] = trackio.Table(columns=content.columns, data=content.cells())
    trackio.log(figures, step=0)
    if content.files:
        artifact = trackio.Artifact(f"report-{file_name(content.name)}", type="report")
        for path in content.files:
            artifact.add_file(str(path))
        trackio.log_artifact(artifact)
    trackio.finish()
    return f"project {PROJECT}, run {run.name}, {f'Space {space}' if space else trackio.TRACKIO_DIR}"
