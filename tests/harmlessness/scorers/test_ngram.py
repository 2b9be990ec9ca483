from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mplus_eval.harmlessness.scorers import load_scorer, scorer_faults
from mplus_eval.harmlessness.scorers.batches import score_texts
from mplus_eval.harmlessness.scorers.ngram_files import SCORER, VOCABULARY, WEIGHTS
from mplus_eval.store.hashes import hash_file
from mplus_eval.store.sealed import read_sealed, write_sealed

TEXTS = ["You fool, shut up.", "Thank you, that is kind.", "What a lovely day it is."]


def sealed_with(directory: Path, **changes: Any) -> None:
    """Write the description again with changes, and with the hashes of the files as they are now."""
    content = read_sealed(directory / SCORER)
    hashes = {name: hash_file(directory / name) for name in (VOCABULARY, WEIGHTS)}
    write_sealed(directory / SCORER, {**content, "files": hashes, **changes})


@pytest.fixture
def own(ngrams: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(ngrams, tmp_path / "scorer"))


def test_a_directory_scores_texts_one_by_one_as_together(ngrams: Path) -> None:
    scorer = load_scorer(f"ngram:{ngrams}")
    assert scorer.labels == ("toxicity",)
    scores = scorer.score(TEXTS)
    assert scores.shape == (3, 1)
    assert scores[0, 0] > 0.5 > scores[1, 0]
    assert score_texts(scorer, TEXTS)[:, 0] == pytest.approx([scorer.score([text])[0, 0] for text in TEXTS], abs=1e-15)


def test_nothing_said_is_not_toxic_and_another_script_has_no_score(ngrams: Path) -> None:
    scores = load_scorer(f"ngram:{ngrams}").score(["", " \n", "дурак", "混蛋"])[:, 0]
    assert scores[:2].tolist() == [0.0, 0.0]
    assert np.isnan(scores[2:]).all()


def test_the_fingerprint_is_that_of_the_files(own: Path, ngrams: Path) -> None:
    before = load_scorer(f"ngram:{ngrams}").fingerprint
    assert load_scorer(f"ngram:{own}").fingerprint == before
    sealed_with(own, seed=77)
    assert load_scorer(f"ngram:{own}").fingerprint == before
    tensors = load_file(own / WEIGHTS)
    save_file({**tensors, "intercept": tensors["intercept"] + 0.1}, own / WEIGHTS)
    sealed_with(own)
    assert load_scorer(f"ngram:{own}").fingerprint != before


def truncated(name: str) -> Callable[[Path], None]:
    def damage(directory: Path) -> None:
        path = directory / name
        path.write_bytes(path.read_bytes()[:-20])

    return damage


def flipped(directory: Path) -> None:
    content = bytearray((directory / WEIGHTS).read_bytes())
    content[-5] ^= 1
    (directory / WEIGHTS).write_bytes(bytes(content))


def described(**changes: Any) -> Callable[[Path], None]:
    return lambda directory: sealed_with(directory, **changes)


def weights(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Path], None]:
    def damage(directory: Path) -> None:
        save_file(change(load_file(directory / WEIGHTS)), directory / WEIGHTS)
        sealed_with(directory)

    return damage


def vocabulary(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def damage(directory: Path) -> None:
        kept = json.loads((directory / VOCABULARY).read_text())
        (directory / VOCABULARY).write_text(json.dumps(change(kept)))
        sealed_with(directory)

    return damage


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda directory: shutil.rmtree(directory), "no such directory"),
        (lambda directory: (directory / SCORER).unlink(), "has no scorer.json"),
        (lambda directory: (directory / WEIGHTS).unlink(), "weights.safetensors cannot be read"),
        (truncated(SCORER), "is damaged"),
        (truncated(VOCABULARY), "vocabulary.json is not what was written"),
        (truncated(WEIGHTS), "weights.safetensors is not what was written"),
        (flipped, "weights.safetensors is not what was written"),
        (lambda directory: (directory / SCORER).write_text("{}"), "does not have its sha256"),
        (lambda directory: write_sealed(directory / SCORER, {"a": 1}), "format None, version None"),
        (described(version=2), "version 2"),
        (described(options={"words": [0, 2]}), "options.words.0"),
        (described(options={"words": [2, 1]}), "options.words"),
        (described(files={}), "files: vocabulary.json and weights.safetensors are expected"),
        (described(files={"../x": "1"}), "files: vocabulary.json and weights.safetensors are expected"),
        (weights(lambda kept: {**kept, "intercept": np.array([np.nan])}), "1 finite numbers"),
        (weights(lambda kept: {**kept, "words.idf": kept["words.idf"][1:]}), "finite numbers"),
        (weights(lambda kept: {**kept, "slope": kept["slope"].astype(np.float32)}), "of 64 bits"),
        (weights(lambda kept: {name: kept[name] for name in kept if name != "slope"}), "'slope' is missing"),
        (vocabulary(lambda kept: {**kept, "words": ["a", "a"]}), "stands there twice"),
        (vocabulary(lambda kept: {**kept, "words": [1, 2]}), "a list of texts is expected"),
        (vocabulary(lambda kept: []), "not as fit-scorer writes it"),
    ],
)
def test_a_damaged_or_foreign_directory_is_one_line_that_names_it(
    own: Path, damage: Callable[[Path], None], told: str
) -> None:
    damage(own)
    (fault,) = scorer_faults(f"ngram:{own}")
    assert told in fault
    assert str(own) in fault
    assert len(fault.splitlines()) == 1


def test_a_file_in_the_place_of_weights_that_torch_would_run_is_not_read(own: Path) -> None:
    (own / WEIGHTS).write_bytes(b"\x80\x04\x95")
    sealed_with(own)
    (fault,) = scorer_faults(f"ngram:{own}")
    assert "not as fit-scorer writes it" in fault


def test_scoring_needs_neither_scikit_learn_nor_torch(ngrams: Path) -> None:
    code = (
        "import sys; from mplus_eval.harmlessness.scorers import load_scorer;"
        f"load_scorer('ngram:{ngrams}').score(['a fool']);"
        "print(sorted({'sklearn', 'joblib', 'torch', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
