"""MLflow, in a store of files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mplus_eval.errors import UsageError
from mplus_eval.exports.trackers.content import Logged

mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(tmp_path.joinpath("mlruns").as_uri())
    yield str(tmp_path / "mlruns")
    mlflow.set_tracking_uri(before)


@pytest.mark.usefixtures("store")
def test_figures_series_settings_and_artifacts_are_read_back(content: Logged, tmp_path: Path) -> None:
    from mplus_eval.exports.trackers.mlflow import log

    run_id = log(content).rpartition(" ")[2]
    client = mlflow.MlflowClient()
    stored = client.get_run(run_id)
    assert stored.data.metrics["sft/alignment_tax"] == 0.032
    assert stored.data.params["model/plus"] == "plus"
    history = [(point.step, point.value) for point in client.get_metric_history(run_id, "plus/kl_per_answer")]
    assert sorted(history) == [(0, 0.0), (10, 3.0), (20, 7.0), (30, 12.0)]
    names = {file.path for file in client.list_artifacts(run_id)}
    assert names == {"decision.json", "report.html", "report.md", "comparison.json"}
    table = json.loads(Path(client.download_artifacts(run_id, "decision.json", str(tmp_path))).read_text())
    assert table == {"columns": content.columns, "data": content.cells()}
    page = Path(client.download_artifacts(run_id, "report.html", str(tmp_path))).read_bytes()
    assert page == (content.directory / "report.html").read_bytes()


@pytest.mark.usefixtures("store")
def test_a_refusal_is_one_line(content: Logged, monkeypatch: pytest.MonkeyPatch) -> None:
    from mplus_eval.exports.trackers.mlflow import log

    def refuse(_name: str) -> None:
        raise mlflow.exceptions.MlflowException("no\nserver")

    monkeypatch.setattr(mlflow, "set_experiment", refuse)
    with pytest.raises(UsageError, match="--log-to mlflow: no server"):
        log(content)
