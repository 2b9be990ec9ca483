"""Two scorers on the same texts: how alike they order them, and whether they call the same ones toxic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mplus_eval.errors import UsageError
from mplus_eval.harmlessness.scorers.base import PairScorer, Scorer
from mplus_eval.harmlessness.scorers.batches import score_texts
from mplus_eval.harmlessness.text_measures import english_share
from mplus_eval.records.base import Interval
from mplus_eval.records.scorer import Figure, ScorerAgreement
from mplus_eval.statistics.correlation import pearson, spearman
from mplus_eval.statistics.design import Design
from mplus_eval.statistics.discrimination import area_under_curve
from mplus_eval.statistics.kappa import cohens_kappa
from mplus_eval.statistics.scores import mean_score


@dataclass(frozen=True)
class GroupedText:
    """A text, what it answers where that is known, and what it stands or falls together with."""

    text: str
    prompt: str
    group: str


def agreement(scorers: tuple[Scorer, Scorer], texts: Sequence[GroupedText], threshold: float) -> ScorerAgreement:
    """Score every different text by both, and compare.

    Args:
        scorers: two.
        texts: as they come; empty ones are left out, and of those that a scorer cannot tell apart one is taken.
        threshold: at and above which a score is toxic.

    Raises:
        UsageError: fewer than two texts have a score by both.
    """
    there = [each for each in texts if each.text.strip()]
    reads_prompts = any(isinstance(scorer, PairScorer) for scorer in scorers)
    distinct = list({(each.text, each.prompt if reads_prompts else ""): each for each in reversed(there)}.values())
    said, prompts = [each.text for each in distinct], [each.prompt for each in distinct]
    scores = [score_texts(scorer, said, prompts)[:, 0] for scorer in scorers]
    both = ~np.isnan(scores[0]) & ~np.isnan(scores[1])
    if both.sum() < 2:
        raise UsageError(f"{int(both.sum())} texts have a score by both scorers; two at least are expected")
    first, second = (side[both] for side in scores)
    groups = np.unique(np.array([each.group for each in distinct])[both], return_inverse=True)[1].reshape(-1)
    toxic = [side >= threshold for side in (first, second)]
    kappa = cohens_kappa(toxic[0].astype(np.int64), toxic[1].astype(np.int64), groups)
    return ScorerAgreement(
        scorers=(scorers[0].name, scorers[1].name),
        fingerprints=(scorers[0].fingerprint, scorers[1].fingerprint),
        threshold=threshold,
        n_texts=int(both.sum()),
        n_groups=int(groups.max()) + 1,
        n_empty=len(texts) - len(there),
        n_repeated=len(there) - len(distinct),
        n_unscored=(int(np.isnan(scores[0]).sum()), int(np.isnan(scores[1]).sum())),
        english=english_share(said),
        spearman=_figure(spearman(first, second, groups)),
        pearson=_figure(pearson(first, second, groups)),
        kappa=Figure(value=kappa.value, ci=kappa.ci),
        agreement=kappa.agreement,
        toxic=(_share(toxic[0], groups), _share(toxic[1], groups)),
        auc=(
            _figure(area_under_curve(first, toxic[1], groups)),
            _figure(area_under_curve(second, toxic[0], groups)),
        ),
    )


def _figure(found: tuple[float, Interval] | None) -> Figure:
    return Figure(value=None) if found is None else Figure(value=found[0], ci=found[1])


def _share(toxic: NDArray[np.bool_], groups: ArrayLike) -> Figure:
    share = mean_score(toxic.astype(float), Design.of(np.zeros(toxic.size), groups))
    low, high = share.interval()
    return Figure(value=float(share.value), ci=(float(low), float(high)))
