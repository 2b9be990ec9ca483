"""benchmarks/claim.py: what each verdict says of a claim, and that figures are the comparison's own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mplus_eval.records.verdict import Verdict
from tests.exports.runs import write_every_axis

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))  # they are not installed

import claim as benchmark


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Against the base: plus preserves the suite, is less toxic and talks better; sft is degraded."""
    return write_every_axis(tmp_path_factory.mktemp("claims") / "run")


@pytest.mark.parametrize(
    ("claim", "shown", "contradicted"),
    [
        (0, {"degraded"}, {"preserved", "improved"}),
        (2, {"preserved", "improved"}, {"degraded"}),
        (3, {"improved"}, {"degraded"}),
        (5, {"improved"}, {"degraded"}),
    ],
)
def test_a_verdict_shows_or_contradicts_a_claim_and_all_others_do_neither(
    claim: int, shown: set[str], contradicted: set[str]
):
    outcomes = {str(verdict): benchmark.CLAIMS[claim].outcome(str(verdict)) for verdict in Verdict}
    assert {verdict for verdict, outcome in outcomes.items() if outcome == "shown"} == shown
    assert {verdict for verdict, outcome in outcomes.items() if outcome == "contradicted"} == contradicted


def test_each_claim_stands_with_its_figure_and_a_run_that_is_not_there_is_no_evidence(
    run: Path, capsys: pytest.CaptureFixture[str]
):
    assert benchmark.main([str(run)]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = lines.index(benchmark.CLAIMS[0].text)
    assert lines[at + 1].split() == [
        "sft", "against", "base", "macro-average,", "difference", "-0.032", "[-0.038,", "-0.026]", "degraded", "shown",
    ]  # fmt: skip
    at = lines.index("it is safer than SFT")
    assert [line.split() for line in lines[at + 1 : at + 3]] == [
        ["plus", "against", "sft", "not", "measured"],
        ["plus", "against", "chosen", "not", "measured"],
    ]


def test_two_runs_of_one_baseline_and_a_folder_that_is_no_run_are_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert benchmark.main([str(run), str(run)]) == 2
    assert "has the baseline base too" in capsys.readouterr().err
    assert benchmark.main([str(tmp_path)]) == 2
    assert "holds no comparison.json" in capsys.readouterr().err
