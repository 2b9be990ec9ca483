"""Weights & Biases, offline."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.exports.trackers.content import Logged

wandb = pytest.importorskip("wandb", reason="wandb is not installed")


def test_an_offline_run_has_figures_series_table_and_artifact(
    content: Logged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mplus_eval.exports.trackers.wandb import log

    monkeypatch.chdir(tmp_path)
    for name, value in (("WANDB_MODE", "offline"), ("WANDB_DIR", str(tmp_path)), ("WANDB_SILENT", "true")):
        monkeypatch.setenv(name, value)
    for name in ("WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_CONFIG_DIR", "WANDB_ARTIFACT_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    log(content)
    records = list(read(next((tmp_path / "wandb").glob("offline-run-*/run-*.wandb"))))
    history = [
        {item.key or "/".join(item.nested_key): item.value_json for item in record.history.item}
        for record in records
        if record.WhichOneof("record_type") == "history"
    ]
    points = [(row["plus/step"], row["plus/kl_per_answer"]) for row in history if "plus/step" in row]
    assert [(int(step), float(kl)) for step, kl in points] == [(0, 0.0), (10, 3.0), (20, 7.0), (30, 12.0)]
    assert any("decision" in key for row in history for key in row)
    summary = {
        item.key or "/".join(item.nested_key): item.value_json
        for record in records
        for item in record.summary.update
        if record.WhichOneof("record_type") == "summary"
    }
    assert float(summary["sft/alignment_tax"]) == 0.032
    artifacts = [record.artifact for record in records if record.WhichOneof("record_type") == "artifact"]
    report = next(each for each in artifacts if each.type == "report")
    assert {entry.path for entry in report.manifest.contents} == {"report.html", "report.md", "comparison.json"}
    assert b"/home/jo" not in b"".join(record.SerializeToString() for record in records if record.HasField("run"))


def read(path: Path) -> Iterator[Any]:
    """The records of a run's file: after seven bytes, the log format of LevelDB, in blocks of 32 KiB.

    Each piece has its checksum (4 bytes), length (2) and kind (1): whole, first, middle or last.
    """
    from wandb.proto import wandb_internal_pb2

    content, place, whole = path.read_bytes(), 7, b""
    while place + 7 <= len(content):
        if (left := 2**15 - place % 2**15) < 7:
            place += left
            continue
        length, kind = int.from_bytes(content[place + 4 : place + 6], "little"), content[place + 6]
        whole += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(whole)
            yield record
            whole = b""
