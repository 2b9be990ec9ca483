"""A report on two real models of different families, of 8 items of each task."""

from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval import cli
from mplus_eval.records.comparison import Comparison
from mplus_eval.records.verdict import Verdict
from tests.real.conftest import RealModel
from tests.real.models import GEMMA, SMOL

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

TASKS = ("winogrande", "race_middle", "gsm8k")
N_ITEMS = 8


def test_a_report_of_8_items_says_that_tokenizers_differ(
    real_model: RealModel, benchmark_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = [f"gemma={real_model(GEMMA)}", f"smol={real_model(SMOL)}"]
    options = ["--suite", "mplus", "--tasks", ",".join(TASKS), "--limit", str(N_ITEMS)]
    output = tmp_path / "run"

    place = ["--data-dir", str(benchmark_data), "--output", str(output)]
    assert cli.run(["compare", *models, *options, *place]) == 0

    out, err = capsys.readouterr()
    assert f"Report: {output / 'report.html'}" in out
    assert "verdicts on smol may be withheld: the vocabulary is another than that of gemma" in err
    comparison = Comparison.read(output / "comparison.json")
    assert comparison.missing == ()
    assert sorted(comparison.tasks) == sorted(TASKS)
    for task in comparison.tasks.values():
        assert {name: (score.n_scored, score.n_failed) for name, score in task.scores.items()} == {
            "gemma": (N_ITEMS, 0),
            "smol": (N_ITEMS, 0),
        }
        assert task.contrasts["smol"].verdict is Verdict.NOT_COMPARABLE
    assert "the same prompt has other token ids than for gemma" in (output / "report.html").read_text(encoding="utf-8")
