from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.errors import SpecError, UsageError
from mplus_eval.pipeline.executors import worker as worker_module
from mplus_eval.pipeline.rejudge import export, import_verdicts, rejudge
from mplus_eval.records.comparison import Comparison
from mplus_eval.records.conversation import Conversation
from tests.talkers import Bench, plain, rude

LONGER = "function:tests.talkers:n_words"
SHORTER = "function:tests.pipeline.test_rejudge:fewer_words"
N_PAIRS = 24
"""Twelve dialogues of two turns."""


def fewer_words(prompt: str, answer: str, ended: bool) -> float:
    """A judge that prefers the shorter answer."""
    return -len(answer.split())


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A run that the longer answer wins; from now on no model may be loaded."""
    bench = Bench(tmp_path, {"base": plain, "plus": lambda prompt, rng: plain(prompt, rng) + " river"}, judges=[LONGER])
    bench.run(toxicity=False)
    monkeypatch.setattr("mplus_eval.reports.write_report", lambda path: None)

    def load(*_: Any) -> Any:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr(worker_module, "load_backend", load)
    return bench


def conversation(bench: Bench) -> Conversation:
    part = Comparison.read(bench.directory.comparison).conversation
    assert part is not None
    return part


def wins(part: Conversation) -> tuple[int, int, int]:
    rate = part.models["plus"].win_rate
    return rate.wins, rate.ties, rate.losses


def test_another_judge_gives_other_figures_of_the_same_answers(bench: Bench) -> None:
    assert wins(conversation(bench)) == (N_PAIRS, 0, 0)
    answers = {path: path.read_bytes() for path in bench.directory.path.glob("answers/*/*/*")}
    after = rejudge(bench.directory.path, [SHORTER, LONGER]).comparison.conversation
    assert after == conversation(bench)
    assert list(after.judges) == ["fewer_words", "n_words"]
    assert wins(after) == (0, 0, N_PAIRS)
    second = after.models["plus"].second_judge
    assert second is not None
    assert second.win_rate.wins == N_PAIRS
    assert {path: path.read_bytes() for path in answers} == answers


def test_the_first_judge_again_gives_the_first_comparison_back(bench: Bench) -> None:
    before = bench.directory.comparison.read_text()
    rejudge(bench.directory.path, [SHORTER])
    rejudge(bench.directory.path, [LONGER])
    assert bench.directory.comparison.read_text() == before


def test_a_judge_that_cannot_be_asked_changes_nothing(bench: Bench) -> None:
    files = {path: path.read_bytes() for path in bench.directory.path.rglob("*") if path.is_file()}
    with pytest.raises(SpecError, match="judge 'gpt'"):
        rejudge(bench.directory.path, [LONGER, "gpt"])
    assert {path: path.read_bytes() for path in bench.directory.path.rglob("*") if path.is_file()} == files


def test_people_are_given_pairs_that_name_no_model_and_judge_beside_the_judge_or_before_it(
    bench: Bench, tmp_path: Path
) -> None:
    pairs = tmp_path / "pairs.csv"
    assert export(bench.directory.path, pairs) == N_PAIRS
    with pairs.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert not {"base", "plus"} & set(pairs.read_text(encoding="utf-8").replace(",", " ").split())
    with pairs.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows([{**row, "verdict": "tie"} for row in rows])

    with pytest.raises(UsageError, match=rf"was judged by '{LONGER}', .* --judge '{LONGER}', or name another judge"):
        import_verdicts(bench.directory.path, pairs)
    import_verdicts(bench.directory.path, pairs, judges=[LONGER])
    assert list(conversation(bench).judges) == ["n_words", "human"]
    assert wins(conversation(bench)) == (N_PAIRS, 0, 0)
    import_verdicts(bench.directory.path, pairs, first=True, judges=[LONGER])
    assert list(conversation(bench).judges) == ["human", "n_words"]
    assert wins(conversation(bench)) == (0, N_PAIRS, 0)


def test_a_run_without_conversation_has_nothing_to_judge(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"base": rude, "plus": plain})
    bench.run()
    for again in (
        lambda: rejudge(bench.directory.path, [LONGER]),
        lambda: export(bench.directory.path, tmp_path / "p"),
    ):
        with pytest.raises(UsageError, match="conversation was not evaluated in this run"):
            again()
