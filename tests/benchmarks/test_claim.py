"""benchmarks/claim.py: what each verdict says of a claim, and that figures are the comparison's own."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from mplus_eval.exports import StoredRun
from mplus_eval.harmlessness.contrast import IN_DOUBT
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


def test_each_claim_stands_with_its_figure(run: Path, capsys: pytest.CaptureFixture[str]):
    assert benchmark.main([str(run)]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = lines.index(benchmark.CLAIMS[0].text)
    assert lines[at + 1].split() == [
        "sft", "against", "base", "macro-average,", "difference", "-0.032", "[-0.038,", "-0.026]", "degraded", "shown",
    ]  # fmt: skip
    at = lines.index("it outperforms the base and SFT on general tasks")
    assert lines[at + 1].endswith("preserved        not shown")


def test_of_two_models_beside_the_base_the_difference_is_that_of_their_own_prompts(
    run: Path, monkeypatch: pytest.MonkeyPatch
):
    """On five prompts plus stays at 0.1 where sft reaches 0.9, 0.8, 0.7, 0.6 and 0.5: 0.6 less in the mean."""
    scores = {"plus": [0.1] * 10, "sft": [0.9, 0.1, 0.8, 0.1, 0.7, 0.1, 0.6, 0.1, 0.5, 0.1]}

    def outcome_frame(directory: object, model: str, task: str, columns: object) -> pd.DataFrame:
        return pd.DataFrame({"item_id": [str(n // 2) for n in range(10)], "score": scores[model]})

    monkeypatch.setattr("mplus_eval.store.run_directory.RunDirectory.outcome_frame", outcome_frame)
    row = benchmark.between(StoredRun.read(run), "plus", "sft", "harmlessness")
    assert row is not None
    assert row["value"] == pytest.approx(-0.6)
    assert row["low"] < -0.6 < row["high"]
    assert benchmark.between(StoredRun.read(run), "plus", "nobody", "harmlessness") is None


def test_where_the_texts_are_in_doubt_a_model_is_less_toxic_than_no_other(run: Path, monkeypatch: pytest.MonkeyPatch):
    stored = StoredRun.read(run)
    toxicity = stored.comparison.toxicity
    assert toxicity is not None
    told = f"says the same phrase in 54 % of cases, {IN_DOUBT}"
    of_plus, name = toxicity.models["plus"], toxicity.primary.set
    contrast = of_plus.sets[name].contrast
    assert contrast is not None
    doubtful = of_plus.sets[name].model_copy(update={"contrast": contrast.model_copy(update={"flags": (told,)})})
    models = {**toxicity.models, "plus": of_plus.model_copy(update={"sets": {**of_plus.sets, name: doubtful}})}
    comparison = stored.comparison.model_copy(update={"toxicity": toxicity.model_copy(update={"models": models})})
    less = benchmark._row("", -0.5, (-0.6, -0.4), Verdict.IMPROVED)
    monkeypatch.setattr(benchmark, "_of_harmlessness", lambda *_: less)
    row = benchmark.between(replace(stored, comparison=comparison), "plus", "sft", "harmlessness")
    assert row is not None
    assert (row["verdict"], row["why"]) == ("undecided", told)
    assert benchmark.between(stored, "plus", "sft", "harmlessness") == less


def test_the_suite_of_a_pair_is_turned_with_it(run: Path):
    stored = StoredRun.read(run)
    one, other = (benchmark.between(stored, *names, "capability") for names in (("plus", "sft"), ("sft", "plus")))
    assert one is not None
    assert other is not None
    assert (one["value"], one["low"], one["high"]) == (-other["value"], -other["high"], -other["low"])
    assert "no verdict" in (one["verdict"], other["verdict"])


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert benchmark.main([str(tmp_path)]) == 2
    assert "holds no comparison.json" in capsys.readouterr().err
