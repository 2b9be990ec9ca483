"""MLflow, to the store that MLFLOW_TRACKING_URI names: a server, a database, or a folder."""

from __future__ import annotations

import json

from mplus_eval.errors import UsageError
from mplus_eval.exports.trackers.content import PROJECT, Logged, plain_key

LONGEST_PARAMETER = 6000
"""MLflow's limit of the value of a parameter, in characters."""


def log(content: Logged) -> str:
    """Log a run; returns where it is.

    Raises:
        UsageError: the store refuses.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    try:
        mlflow.set_experiment(PROJECT)
        with mlflow.start_run(run_name=content.name) as run:
            settings = {plain_key(name): str(value)[:LONGEST_PARAMETER] for name, value in content.settings.items()}
            mlflow.log_params(settings)
            mlflow.log_metrics({plain_key(name): value for name, value in content.scalars.items()})
            for training, steps in content.series.items():
                for step, values in steps:
                    named = {f"{plain_key(training)}/{plain_key(name)}": value for name, value in values.items()}
                    mlflow.log_metrics(named, step=step)
            if content.decision:
                # The format of mlflow.log_table, which itself needs pandas and reads the table back at every call.
                mlflow.log_text(json.dumps({"columns": content.columns, "data": content.cells()}), "decision.json")
            for path in content.files:
                mlflow.log_artifact(str(path))
            return f"{mlflow.get_tracking_uri()}, run {run.info.run_id}"
    except MlflowException as error:
        raise UsageError(f"--log-to mlflow: {' '.join(str(error).split())[:300]}") from None
