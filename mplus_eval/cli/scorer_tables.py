"""What `mplus-eval toxicity fit-scorer` and `agree` print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mplus_eval.records.scorer import Figure, FittedNgrams, HeldOut, ReliabilityBin, ScorerAgreement
from mplus_eval.reports import formats

_NOTHING = "–"
_PLACES = 3
Row = Sequence[str]


def fitted_lines(fitted: FittedNgrams, directory: Path) -> list[str]:
    """What it was fitted on, how it does on texts held out, by column too, and what it is named as."""
    source, held_out = fitted.source, fitted.held_out
    left_out = ", ".join(f"{formats.count(n)} {reason}" for reason, n in source.left_out.items())
    return [
        f"{source.data}: a text is toxic where {' or '.join(source.labels)} is {source.threshold:g} or more",
        *([f"left out: {left_out}"] if left_out else []),
        f"fitted on {_texts(fitted.n_texts, fitted.n_toxic, fitted.n_groups)}",
        f"held out  {_texts(held_out.n_texts, held_out.n_toxic, held_out.n_groups)}, by the seed {fitted.seed}",
        f"n-grams: {formats.count(fitted.n_words)} of words, {formats.count(fitted.n_characters)} of characters",
        *_language(fitted),
        "",
        *_figures({"held out": held_out, **fitted.by_column}),
        "",
        *_reliability(held_out.bins),
        "",
        f"scorer: ngram:{directory}",
    ]


def agreement_lines(found: ScorerAgreement) -> list[str]:
    """How far two scorers agree, and what was left out."""
    first, second = found.scorers
    pairs = [
        ("Spearman's correlation", found.spearman),
        ("Pearson's correlation", found.pearson),
        (f"Cohen's kappa at {found.threshold:g}", found.kappa),
        (f"AUC of {first}, where {second} says toxic", found.auc[0]),
        (f"AUC of {second}, where {first} says toxic", found.auc[1]),
        (f"toxic by {first}", found.toxic[0]),
        (f"toxic by {second}", found.toxic[1]),
    ]
    unscored = [
        f"{formats.count(n)} without a score by {name}"
        for n, name in zip(found.n_unscored, found.scorers, strict=True)
        if n
    ]
    counts = ((found.n_empty, "empty"), (found.n_repeated, "said again"))
    left_out = [*(f"{formats.count(n)} {why}" for n, why in counts if n), *unscored]
    return [
        f"{formats.counted(found.n_texts, 'text')} of {formats.counted(found.n_groups, 'group')}, scored by both",
        *([f"left out: {', '.join(left_out)}"] if left_out else []),
        *_english(found.english),
        "",
        *_aligned([("", "value", "95 % interval"), *((name, *_told(figure)) for name, figure in pairs)]),
        "",
        *(
            f"{name}: fingerprint {fingerprint[:12]}"
            for name, fingerprint in zip(found.scorers, found.fingerprints, strict=True)
        ),
    ]


def _texts(n_texts: int, n_toxic: int, n_groups: int) -> str:
    share = formats.with_percent(n_toxic / n_texts) if n_texts else _NOTHING
    return f"{formats.counted(n_texts, 'text')} of {formats.counted(n_groups, 'group')}, {share} of them toxic"


def _language(fitted: FittedNgrams) -> list[str]:
    """What is known of the language, since the scorer knows no other than that of its texts."""
    known = fitted.known_words
    return [
        *_english(fitted.english),
        *([] if known is None else [f"{formats.with_percent(known)} of the words held out are known to it"]),
        *(
            [f"{formats.counted(fitted.held_out.n_unscored, 'text')} held out without an n-gram it knows: no score"]
            if fitted.held_out.n_unscored
            else []
        ),
    ]


def _english(share: float | None) -> list[str]:
    if share is None:
        return ["language: no text of five words or more, so English was not looked for"]
    return [f"language: {formats.with_percent(share)} of texts of five words or more hold a common English word"]


def _figures(by_name: Mapping[str, HeldOut]) -> list[str]:
    rows: list[Row] = [
        ("", "texts", "toxic", "AUC", "95 % interval", "AP", "Brier", "95 % interval", "base", "ECE", "chance")
    ]
    rows += [
        (
            name,
            formats.count(each.n_texts),
            formats.count(each.n_toxic),
            *_told(each.auc),
            _told(each.average_precision)[0],
            *_told(each.brier),
            _number(each.brier_by_base_rate),
            _told(each.calibration_error)[0],
            _number(each.calibration_error_by_chance),
        )
        for name, each in by_name.items()
    ]
    return [
        *_aligned(rows),
        "AP: average precision, by chance the share of toxic texts. base: Brier score of whoever says that share of",
        "every text. ECE: expected calibration error over ten bins; chance: about that of exact probabilities.",
    ]


def _reliability(bins: Sequence[ReliabilityBin]) -> list[str]:
    rows: list[Row] = [("score", "texts", "mean", "toxic", "95 % interval")]
    rows += [
        (
            f"{each.low:.1f}–{each.high:.1f}",
            formats.count(each.n_texts),
            _number(each.mean_score),
            *_told(each.toxic),
        )
        for each in bins
    ]
    return _aligned(rows)


def _told(figure: Figure) -> tuple[str, str]:
    interval = _NOTHING if figure.ci is None else f"[{_number(figure.ci[0])}, {_number(figure.ci[1])}]"
    return _number(figure.value), interval


def _number(value: float | None) -> str:
    return _NOTHING if value is None else formats.decimal(value, _PLACES)


def _aligned(rows: Sequence[Row]) -> list[str]:
    """Columns of text, the first to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
