from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import cohen_kappa_score, roc_auc_score

from mplus_eval.errors import UsageError
from mplus_eval.harmlessness.scorer_agreement import GroupedText, agreement
from mplus_eval.harmlessness.scorers import load_scorer
from mplus_eval.harmlessness.scorers.base import Scorer
from tests.harmlessness.labelled import labelled_rows
from tests.harmlessness.small_detoxify import WORDS, write_checkpoint


@dataclass(frozen=True)
class Told:
    """Scores that stand in the texts themselves, as their column `place`."""

    place: int
    name: str = "told"
    fingerprint: str = "1"
    labels: tuple[str, ...] = ("toxicity",)
    device: str = "cpu"

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        return np.array([[float(text.split()[self.place])] for text in texts])


@dataclass(frozen=True)
class Pairs(Told):
    """The same, which reads the prompt."""

    def put(self, prompt: str, text: str) -> str:
        return f"{text} {prompt}"


def texts(*said: str, groups: Sequence[object] | None = None) -> list[GroupedText]:
    return [GroupedText(text, "", str(group)) for text, group in zip(said, groups or range(len(said)), strict=True)]


def drawn(n: int = 200) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(0)
    x = rng.uniform(size=n)
    return x, np.clip(x + rng.normal(scale=0.3, size=n), 0.0, 1.0)


def test_every_figure_is_that_of_an_independent_library() -> None:
    x, y = drawn()
    found = agreement((Told(0), Told(1)), texts(*(f"{a} {b}" for a, b in zip(x, y, strict=True))), 0.5)
    assert found.spearman.value == pytest.approx(stats.spearmanr(x, y).statistic)
    assert found.pearson.value == pytest.approx(stats.pearsonr(x, y).statistic)
    assert found.kappa.value == pytest.approx(cohen_kappa_score(x >= 0.5, y >= 0.5))
    assert found.agreement == pytest.approx(np.mean((x >= 0.5) == (y >= 0.5)))
    assert found.auc[0].value == pytest.approx(roc_auc_score(y >= 0.5, x))
    assert found.auc[1].value == pytest.approx(roc_auc_score(x >= 0.5, y))
    assert [each.value for each in found.toxic] == pytest.approx([np.mean(x >= 0.5), np.mean(y >= 0.5)])
    for figure in (found.spearman, found.pearson, found.kappa, *found.auc, *found.toxic):
        assert figure.value is not None
        assert figure.ci is not None
        assert figure.ci[0] < figure.value < figure.ci[1]


def test_texts_of_one_prompt_widen_every_interval() -> None:
    x, y = drawn(120)
    said = [f"{a} {b} {copy}" for a, b in zip(x, y, strict=True) for copy in range(3)]
    alone = agreement((Told(0), Told(1)), texts(*said), 0.5)
    together = agreement((Told(0), Told(1)), texts(*said, groups=np.repeat(range(120), 3).tolist()), 0.5)
    assert (together.n_texts, together.n_groups) == (360, 120)
    for one, other in (
        (alone.spearman, together.spearman),
        (alone.kappa, together.kappa),
        (alone.auc[0], together.auc[0]),
    ):
        assert one.ci is not None
        assert other.ci is not None
        assert other.ci[1] - other.ci[0] > 1.5 * (one.ci[1] - one.ci[0])


def test_what_is_empty_said_again_or_without_a_score_is_counted_and_left_out() -> None:
    given = texts("0.1 0.2", "", "0.1 0.2", " \n", "0.9 nan", "0.8 0.4")
    found = agreement((Told(0), Told(1)), given, 0.5)
    assert (found.n_texts, found.n_empty, found.n_repeated, found.n_unscored) == (2, 2, 1, (0, 1))


def test_a_text_that_answers_another_prompt_is_another_one_to_a_scorer_that_reads_prompts() -> None:
    given = [GroupedText("0.1 0.2", prompt, prompt) for prompt in ("a", "b")] + texts("0.9 0.8")
    assert agreement((Told(0), Told(1)), given, 0.5).n_texts == 2
    assert agreement((Told(0), Pairs(1)), given, 0.5).n_texts == 3


def test_a_scorer_of_one_score_has_neither_correlation_nor_area() -> None:
    found = agreement((Told(0), Told(1)), texts("0.1 0.2", "0.1 0.9", "0.1 0.3"), 0.5)
    assert (found.spearman.value, found.pearson.value, found.auc[1].value) == (None, None, None)
    assert found.auc[0].value == pytest.approx(0.5)
    assert found.kappa.value == pytest.approx(0.0)


def test_one_text_is_too_few() -> None:
    with pytest.raises(UsageError, match="1 texts have a score by both scorers; two at least"):
        agreement((Told(0), Told(1)), texts("0.1 0.2", ""), 0.5)


def test_a_scorer_over_n_grams_beside_one_in_detoxifys_format(ngrams: Path, tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path)
    scorers: tuple[Scorer, Scorer] = (load_scorer(f"ngram:{ngrams}"), load_scorer(f"detoxify:{checkpoint}"))
    said = [f"{row['text']} {WORDS[number % len(WORDS)]}" for number, row in enumerate(labelled_rows(60))]
    found = agreement(scorers, texts(*said), 0.5)
    assert found.scorers == (f"ngram:{ngrams}", f"detoxify:{checkpoint}")
    assert found.fingerprints == (scorers[0].fingerprint, scorers[1].fingerprint)
    scores = [scorer.score(said)[:, 0] for scorer in scorers]
    assert found.spearman.value == pytest.approx(stats.spearmanr(*scores).statistic, abs=1e-3)
