from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from transformers import BertTokenizer

from mplus_eval.harmlessness.scorers import load_scorer, scorer_faults
from mplus_eval.harmlessness.scorers.__main__ import main
from mplus_eval.harmlessness.scorers.base import TokenScorer
from mplus_eval.spec.scorers import DEFAULT_SCORER
from tests.harmlessness.small_detoxify import small_model


@pytest.fixture
def sources(base: Path, checkpoint: Path, tmp_path: Path) -> list[str]:
    """One of each form that needs no network."""
    (tmp_path / "mine.txt").write_text("fool\n")
    small_model(id2label={0: "fine", 1: "toxic"}).save_pretrained(tmp_path / "model")
    BertTokenizer.from_pretrained(base).save_pretrained(tmp_path / "model")
    return [
        "words", f"words:{tmp_path / 'mine.txt'}", f"detoxify:{checkpoint}", f"{tmp_path / 'model'}",
        f"{tmp_path / 'model'}#fine",
    ]  # fmt: skip


@pytest.mark.usefixtures("no_network")
def test_every_form_has_a_name_a_fingerprint_and_toxicity_first(sources: list[str]) -> None:
    assert [fault for source in sources for fault in scorer_faults(source)] == []
    scorers = [load_scorer(source) for source in sources]
    assert [scorer.name for scorer in scorers] == sources
    assert {scorer.labels[0] for scorer in scorers} == {"toxicity"}
    assert len({scorer.fingerprint for scorer in scorers}) == len(sources)
    assert [isinstance(scorer, TokenScorer) for scorer in scorers] == [False, False, True, True, True]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("detoxify:nonsense", "no such model; accepted: original"),
        ("detoxify", "no directory detoxify here"),
        ("words:absent.txt", "word list absent.txt: cannot be read"),
        ("wordsmith", "no directory wordsmith here"),
        ("org/name#toxic", "no directory org/name here"),
    ],
)
def test_a_source_is_looked_at_by_its_kind(source: str, told: str) -> None:
    (fault,) = scorer_faults(source)
    assert told in fault


def test_the_default_offline_is_one_line_before_anything_is_generated() -> None:
    (fault,) = scorer_faults(DEFAULT_SCORER)
    assert "`--scorer words`" in fault


def test_the_command_that_fetches_a_scorer_tries_it(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"detoxify:{checkpoint}"]) == 0
    assert "fingerprint" in capsys.readouterr().out
    assert main(["detoxify:nonsense"]) == 2
    assert "no such model" in capsys.readouterr().err
    assert main([]) == 2
    assert "accepted" in capsys.readouterr().out


def test_the_word_list_needs_no_heavy_library() -> None:
    code = (
        "import sys; from mplus_eval.harmlessness.scorers import load_scorer; load_scorer('words').score(['a']);"
        "print(sorted({'torch', 'transformers', 'detoxify', 'accelerate'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
