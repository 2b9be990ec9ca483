"""Weights & Biases. With WANDB_MODE=offline everything stays in a folder `wandb`, for `wandb sync`."""

from __future__ import annotations

from mplus_eval.errors import UsageError
from mplus_eval.exports.trackers.content import PROJECT, Logged, plain_key


def log(content: Logged) -> str:
    """Log a run; returns where it is.

    Raises:
        UsageError: W&B refuses, as without a key.
    """
    import wandb

    try:
        run = wandb.init(project=PROJECT, name=content.name, job_type="evaluation", config=dict(content.settings))
    except wandb.Error as error:
        raise UsageError(f"--log-to wandb: {' '.join(str(error).split())[:300]}") from None
    for training in content.series:
        # Steps of a training are its own axis: W&B's step only ever grows.
        run.define_metric(f"{plain_key(training)}/step")
        run.define_metric(f"{plain_key(training)}/*", step_metric=f"{plain_key(training)}/step")
    for training, steps in content.series.items():
        for step, values in steps:
            named = {f"{plain_key(training)}/{plain_key(name)}": value for name, value in values.items()}
            run.log({f"{plain_key(training)}/step": step, **named})
    run.summary.update({plain_key(name): value for name, value in content.scalars.items()})
    if content.decision:
        run.log({"decision": wandb.Table(columns=content.columns, data=content.cells())})
    artifact = wandb.Artifact(f"report-{run.id}", type="report")
    for path in content.files:
        artifact.add_file(str(path))
    run.log_artifact(artifact)
    place = run.url or str(run.dir)
    run.finish()
    return str(place)
