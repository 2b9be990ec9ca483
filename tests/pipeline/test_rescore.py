from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mplus_eval.errors import SpecError, UsageError
from mplus_eval.harmlessness import score as score_module
from mplus_eval.pipeline.executors import worker as worker_module
from mplus_eval.pipeline.rescore import rescore
from mplus_eval.records.comparison import Comparison
from tests.talkers import Bench, plain, rude


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    found = Bench(tmp_path, {"base": rude, "plus": plain})
    found.run()
    monkeypatch.setattr("mplus_eval.reports.write_report", lambda path: None)

    def load(*_: Any) -> Any:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr(worker_module, "load_backend", load)
    return found


def words(folder: Path, *lines: str) -> str:
    path = folder / "words.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return f"words:{path}"


def value(comparison: Comparison, model: str) -> float | None:
    assert comparison.toxicity is not None
    return comparison.toxicity.models[model].sets["provoking"].expected_maximum_toxicity.value


def test_another_scorer_gives_other_figures_of_the_same_texts(bench: Bench, tmp_path: Path) -> None:
    before = Comparison.read(bench.directory.comparison)
    answers = {path: path.read_bytes() for path in bench.directory.path.glob("answers/*/*/*")}
    scorer = words(tmp_path, "idiot\t0.9")

    after = rescore(bench.directory.path, [scorer]).comparison
    assert value(after, "base") == pytest.approx(0.9 / 0.6 * (value(before, "base") or 0.0))
    assert value(after, "plus") == 0.0
    assert after.toxicity is not None
    assert list(after.toxicity.scorers) == [scorer]
    assert Comparison.read(bench.directory.comparison) == after
    assert {path: path.read_bytes() for path in answers} == answers


def test_what_is_not_of_the_scorer_stays(bench: Bench, tmp_path: Path) -> None:
    before = Comparison.read(bench.directory.comparison).toxicity
    after = rescore(bench.directory.path, [words(tmp_path, "idiot\t0.9")]).comparison.toxicity
    assert before is not None
    assert after is not None
    assert after.models["base"].refusals == before.models["base"].refusals
    assert after.models["base"].sets["ordinary"].sanity == before.models["base"].sets["ordinary"].sanity


class Guard:
    """Takes every answer to a request that breaks something for harmful."""

    name, fingerprint, labels, device = "guard:g", "1", ("toxicity", "refusal"), "cpu"

    def put(self, prompt: str, text: str) -> str:
        return prompt

    def score(self, texts: Sequence[str]) -> Any:
        return np.array([[float("break" in text), 0.0] for text in texts])


def test_a_guard_judges_the_answers_to_requests_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    before = bench.directory.comparison.read_text()
    real = score_module.load_scorer
    monkeypatch.setattr(score_module, "load_scorer", lambda name: Guard() if name == "guard:g" else real(name))
    monkeypatch.setattr("mplus_eval.pipeline.rescore.scorer_faults", lambda name: [])
    after = rescore(bench.directory.path, ["guard:g"]).comparison.toxicity
    assert after is not None
    judged = after.models["plus"].refusals["requests"].by_guard
    assert judged is not None
    assert judged.over_refusal_rate is not None
    assert (judged.harmful_rate.value, judged.harmful_of_safe.value, judged.over_refusal_rate.value) == (1.0, 0.0, 0.0)
    rescore(bench.directory.path, ["words"])
    assert bench.directory.comparison.read_text() == before


def test_two_scorers_show_how_they_disagree(bench: Bench, tmp_path: Path) -> None:
    after = rescore(bench.directory.path, ["words", words(tmp_path, "river\t0.9")]).comparison.toxicity
    assert after is not None
    found = after.models["base"].sets["provoking"].second_scorer
    assert found is not None
    assert found.differing > 0


def test_the_first_scorer_again_gives_the_first_comparison_back(bench: Bench, tmp_path: Path) -> None:
    before = bench.directory.comparison.read_text()
    rescore(bench.directory.path, [words(tmp_path, "idiot\t0.9")])
    rescore(bench.directory.path, ["words"])
    assert bench.directory.comparison.read_text() == before


def test_a_run_goes_on_after_it_was_scored_again(bench: Bench, tmp_path: Path) -> None:
    before = bench.directory.comparison.read_text()
    rescore(bench.directory.path, [words(tmp_path, "idiot\t0.9")])
    bench.run()
    assert bench.backends == []
    assert bench.directory.comparison.read_text() == before


def test_a_wrong_scorer_changes_nothing(bench: Bench, tmp_path: Path) -> None:
    files = {path: path.read_bytes() for path in bench.directory.path.rglob("*") if path.is_file()}
    with pytest.raises(SpecError, match=r"absent\.txt: cannot be read"):
        rescore(bench.directory.path, ["words", f"words:{tmp_path / 'absent.txt'}"])
    assert {path: path.read_bytes() for path in bench.directory.path.rglob("*") if path.is_file()} == files


def test_a_run_without_toxicity_has_nothing_to_score_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"base": rude, "plus": plain})
    comparison = bench.run()
    comparison.model_copy(update={"toxicity": None}).write(bench.directory.comparison)
    with pytest.raises(UsageError, match="toxicity was not evaluated in this run"):
        rescore(bench.directory.path, ["words"])


def test_a_directory_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no comparison"):
        rescore(tmp_path, ["words"])
