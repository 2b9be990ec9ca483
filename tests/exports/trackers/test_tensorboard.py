"""TensorBoard: the event files, read back."""

from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval import cli
from mplus_eval.exports.trackers.content import Logged

accumulator = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator", reason="tensorboard is not installed"
)


def test_figures_series_and_texts_are_read_back(content: Logged) -> None:
    from mplus_eval.exports.trackers.tensorboard import log

    log(content)
    folder = Path(log(content))
    assert len(list(folder.iterdir())) == 1
    events = accumulator.EventAccumulator(str(folder)).Reload()
    (tax,) = events.Scalars("sft/alignment_tax")
    assert tax.value == pytest.approx(0.032)
    points = [(event.step, event.value) for event in events.Scalars("plus/kl_per_answer")]
    assert points == [(0, 0.0), (10, 3.0), (20, 7.0), (30, 12.0)]
    texts = {
        tag.removesuffix("/text_summary"): events.Tensors(tag)[0].tensor_proto.string_val[0].decode()
        for tag in events.Tags()["tensors"]
    }
    assert "| sft | capability | degraded |" in texts["decision"]
    assert texts["report"] == (content.directory / "report.md").read_text(encoding="utf-8")
    assert "/home/jo" not in texts["settings"]


def test_the_commands_log_a_stored_run_and_a_new_one(
    reported: Path,
    tmp_path: Path,
    tiny_model,
    capsys: pytest.CaptureFixture[str],  # type: ignore[no-untyped-def]
) -> None:
    from tests.cli.test_compare import toy_arguments

    assert cli.run(["report", str(reported), "--log-to", "tensorboard"]) == 0
    assert f"Logged to tensorboard: {reported / 'tensorboard'}" in capsys.readouterr().out
    given = [f"base={tiny_model()}", f"plus={tiny_model(seed=1)}"]
    assert cli.run([*toy_arguments(tmp_path, *given), "--log-to", "tensorboard"]) == 0
    assert "Logged to tensorboard" in capsys.readouterr().err
    events = accumulator.EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert "plus/sums/difference" in events.Tags()["scalars"]
