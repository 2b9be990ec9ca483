"""A scorer fitted on labelled texts and measured on others: what `mplus-eval toxicity fit-scorer` does.

Texts are held out by group, so that no prompt, no page and no text is on both sides. The scorer that is written is the
one that was measured; it is not fitted again on all texts.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mplus_eval.data.hub import is_hub_id
from mplus_eval.errors import SpecError, UsageError
from mplus_eval.harmlessness.labelled_texts import LabelledTexts, TextColumns, read_texts
from mplus_eval.harmlessness.scorer_quality import quality
from mplus_eval.harmlessness.scorers.batches import score_texts
from mplus_eval.harmlessness.scorers.ngram import NAME, NgramScorer
from mplus_eval.harmlessness.scorers.ngram_files import write_arrays, write_scorer
from mplus_eval.harmlessness.scorers.ngram_fit import REGULARISATION, OnProgress, fit_ngrams
from mplus_eval.harmlessness.scorers.ngram_model import NgramModel
from mplus_eval.harmlessness.text_measures import english_share
from mplus_eval.records.scorer import FittedNgrams, LabelledSource, NgramOptions

MOST_LETTERS = 20_000_000
"""Characters of all texts together, beyond which groups are left out, drawn by the seed; they bound the memory."""
LEAST_GROUPS = 20
"""Groups with a toxic text, and groups with another one, that there must be."""
BEYOND = "beyond what a fit reads"


@dataclass(frozen=True)
class FitSettings:
    """How a fit goes.

    Attributes:
        threshold: of a label, at and above which its text is toxic.
        held_out: share of the groups that the scorer is measured on.
        seed: of every draw.
    """

    threshold: float = 0.5
    held_out: float = 0.2
    seed: int = 0

    def faults(self) -> list[str]:
        """What cannot be meant, a line each."""
        faults = []
        if not 0.0 < self.threshold <= 1.0:
            faults.append(f"--threshold {self.threshold:g}: a number above 0 and up to 1 is accepted")
        if not 0.0 < self.held_out <= 0.5:
            faults.append(f"--held-out {self.held_out:g}: a share above 0 and up to 0.5 is accepted")
        if not 0 <= self.seed < 2**32:
            faults.append(f"--seed {self.seed}: a whole number from 0 to {2**32 - 1} is accepted")
        return faults


def fit_scorer(
    source: str,
    columns: TextColumns,
    settings: FitSettings,
    directory: Path,
    progress: OnProgress,
    *,
    split: str | None = None,
    subset: str | None = None,
    data_dir: Path | None = None,
) -> FittedNgrams:
    """Read labelled texts, fit a scorer on most of them, measure it on the others, and write both to a directory.

    Args:
        source: of the texts: a file, a folder, or a hub id.
        columns: what stands where in a row.
        settings: threshold, seed, share held out.
        directory: to be written; absent or empty.
        progress: told how far it is.
        split: of a folder or dataset; None takes its only one.
        subset: its configuration.
        data_dir: folder that holds datasets as org/name, before the hub.

    Raises:
        UsageError: a setting cannot be meant, the directory holds something, the texts cannot be had, or are too few.
    """
    if faults := settings.faults():
        raise SpecError(faults)
    if directory.is_file() or (directory.is_dir() and any(directory.iterdir())):
        raise UsageError(f"--output {str(directory)!r}: holds something already; name a new directory")
    read = read_texts(source, columns, split, subset, data_dir=data_dir)
    toxic, options = read.labels >= settings.threshold, NgramOptions()
    _refuse_few(source, toxic, read.groups, settings.threshold)
    sides = fit, held_out = _sides(read, toxic, settings, options.most_letters)
    data = source if is_hub_id(source) else Path(source).name
    n_beyond = len(read.texts) - int(fit.sum() + held_out.sum())
    described = LabelledSource(
        data=data,
        texts=columns.texts,
        labels=columns.labels,
        group=columns.group,
        threshold=settings.threshold,
        files={name.replace(source, data, 1): digest for name, digest in read.files.items()},
        left_out=read.left_out | ({BEYOND: n_beyond} if n_beyond else {}),
    )
    model = fit_ngrams(
        _chosen(read.texts, fit),
        read.labels[fit],
        settings.threshold,
        read.groups[fit],
        options,
        settings.seed,
        progress,
    )
    fitted = _measured(model, read, sides, described, settings.seed, write_arrays(directory, model))
    write_scorer(directory, fitted)
    return fitted


def _measured(
    model: NgramModel,
    read: LabelledTexts,
    sides: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    source: LabelledSource,
    seed: int,
    files: dict[str, str],
) -> FittedNgrams:
    """What is stored of a model: what it was fitted on, and how it does on the texts held out."""
    fit, held_out = sides
    toxic, texts, unseen = read.labels >= source.threshold, _chosen(read.texts, fit), _chosen(read.texts, held_out)
    scores = score_texts(NgramScorer(NAME, "", model), unseen)[:, 0]
    outcomes, groups, names = toxic[held_out], read.groups[held_out], np.array(read.columns)[held_out]
    return FittedNgrams(
        options=model.options,
        regularisation=REGULARISATION,
        n_words=len(model.words.grams),
        n_characters=len(model.characters.grams),
        source=source,
        seed=seed,
        n_texts=len(texts),
        n_toxic=int(toxic[fit].sum()),
        n_groups=int(np.unique(read.groups[fit]).size),
        english=english_share(texts),
        known_words=model.known_share(unseen),
        held_out=quality(scores, outcomes, groups),
        by_column={
            name: quality(scores[names == name], outcomes[names == name], groups[names == name])
            for name in (source.texts if len(source.texts) > 1 else ())
        },
        made_with={name: version(name) for name in ("mplus-eval", "scikit-learn")},
        files=files,
    )


def _refuse_few(source: str, toxic: NDArray[np.bool_], groups: NDArray[np.int64], threshold: float) -> None:
    counts = {kind: np.unique(groups[toxic == kind]).size for kind in (True, False)}
    if min(counts.values()) < LEAST_GROUPS:
        raise UsageError(
            f"{source}: toxic texts (label {threshold:g} or more) stand in {counts[True]} groups, others in "
            f"{counts[False]}; {LEAST_GROUPS} of each are expected"
        )


def _sides(
    read: LabelledTexts, toxic: NDArray[np.bool_], settings: FitSettings, most_letters: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The texts to fit on and those held out, shape (texts,) each; of groups with and without a toxic text as large."""
    n_groups = int(read.groups.max()) + 1
    letters = np.bincount(read.groups, weights=[min(len(text), most_letters) for text in read.texts])
    order = np.random.default_rng(settings.seed).permutation(n_groups)
    drawn = order[np.cumsum(letters[order]) <= MOST_LETTERS]
    has_toxic = (np.bincount(read.groups, weights=toxic) > 0)[drawn]
    kinds = [drawn[has_toxic == kind] for kind in (True, False)]
    held_out = np.concatenate([groups[: ceil(settings.held_out * groups.size)] for groups in kinds])
    is_held_out = np.isin(read.groups, held_out)
    return np.isin(read.groups, drawn) & ~is_held_out, is_held_out


def _chosen(texts: tuple[str, ...], places: NDArray[np.bool_]) -> list[str]:
    return [texts[place] for place in np.flatnonzero(places)]
