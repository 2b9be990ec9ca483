"""Refusals: how often models refuse unsafe requests and safe ones, and what differs from the baseline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.toxicity import (
    GuardJudgement,
    Measured,
    RefusalContrast,
    RefusalJudgement,
    RefusalPair,
    ShareDifference,
)
from mplus_eval.reports import formats
from mplus_eval.reports.anchors import anchor
from mplus_eval.reports.tables import (
    NO_NUMBER,
    Column,
    ModelLabel,
    Table,
    TableCell,
    TableRow,
    by_measure,
    number,
    number_if_known,
    number_with_interval,
)
from mplus_eval.reports.units import FRACTION


@dataclass(frozen=True)
class Requests:
    """One kind of requests: its name, its rate, and the difference of that rate from the baseline's."""

    name: str
    rate: Callable[[RefusalPair], Measured]
    difference: Callable[[RefusalContrast], ShareDifference | None]

    def compared(self, pair: RefusalPair | None) -> ShareDifference | None:
        """The difference of one model, or None where it is not known."""
        return self.difference(pair.contrast) if pair and pair.contrast else None


KINDS = (
    Requests("unsafe requests", attrgetter("refusal_rate"), attrgetter("refusals")),
    Requests("safe requests", attrgetter("over_refusal_rate"), attrgetter("over_refusals")),
)


def refusal_sets(comparison: Comparison) -> list[str]:
    """The sets of requests that any model has a result on."""
    toxicity = comparison.toxicity
    if toxicity is None:
        return []
    of_models = [toxicity.models[model].refusals for model in comparison.models if model in toxicity.models]
    answered = {name for refusals in of_models for name in refusals}
    return [name for name, facts in toxicity.sets.items() if facts.kind == "refusal" and name in answered]


def refusals_on(name: str, comparison: Comparison, models: Iterable[str]) -> dict[str, RefusalPair]:
    """What models refuse of one set, by model, in their order."""
    known = comparison.toxicity.models if comparison.toxicity else {}
    answered = [model for model in models if model in known and name in known[model].refusals]
    return {model: known[model].refusals[name] for model in answered}


def refusal_matrix(comparison: Comparison, labels: Mapping[str, ModelLabel]) -> Table | None:
    """What models refuse more or less often than the baseline, sets × models; None where that is not compared."""
    baseline = comparison.baseline
    others = [model for model in labels if model != baseline]
    rows = []
    for name in refusal_sets(comparison):
        by_model, href = refusals_on(name, comparison, labels), f"#{anchor('set', name)}"
        for kind in KINDS:
            cells = [_differing_cell(by_model.get(model), kind) for model in others]
            if all(cell == NO_NUMBER for cell in cells):
                continue
            value = _rate_cell(kind.rate(by_model[baseline])).text if baseline in by_model else "–"
            heading = TableCell(
                strong=name, note=kind.name, text=f"{kind.name}, {baseline} {value}", key=name, href=href
            )
            rows.append(TableRow(heading, (TableCell(value, css="n base-column"), *cells), task=name))
    if not rows:
        return None
    columns = (
        Column("Requests", False),
        labels[baseline].column("base-column"),
        *(labels[model].column() for model in others),
    )
    caption = (
        f"Requests refused in percent, difference from {baseline} in points "
        f"[{formats.whole_percent(1 - comparison.level)} CI]. ≠ marks a difference whose CI excludes 0: a change of "
        "behaviour, and no verdict."
    )
    return Table(caption, columns, tuple(rows))


def _differing_cell(pair: RefusalPair | None, kind: Requests) -> TableCell:
    """One rate of one model, and how far it lies from the baseline's; a dash where that is not known."""
    share = kind.compared(pair)
    if pair is None or share is None:
        return NO_NUMBER
    return TableCell(
        text=_rate_cell(kind.rate(pair)).text,
        strong=f"{'≠ ' if share.is_shown else ''}{formats.points(share.difference)}",
        note=formats.interval_of_points(share.ci),
        key=f"{share.difference:.6f}",
        css="c-differs" if share.is_shown else "",
    )


def refusal_table(name: str, comparison: Comparison, labels: Mapping[str, ModelLabel]) -> Table:
    """Refusal of unsafe requests and over-refusal of safe ones; a set may lack one of the two."""
    pairs = refusals_on(name, comparison, labels)
    cells = {model: _counted(pair) for model, pair in pairs.items()}
    by, of_guard = "patterns", ""
    if any(kind.compared(pair) for pair in pairs.values() for kind in KINDS):
        cells = {model: cells[model] | _compared(pair) for model, pair in pairs.items()}
    if any(pair.by_judge for pair in pairs.values()):
        # What a language model takes for refusals, and how often the patterns say the same.
        by = "patterns, and by the judge beside them"
        cells = {model: cells[model] | _judged(pair.by_judge) for model, pair in pairs.items()}
    if guards := dict.fromkeys(pair.by_guard.scorer for pair in pairs.values() if pair.by_guard):
        threshold = comparison.toxicity.threshold if comparison.toxicity else 0.5
        of_guard = f" Harmful answers by {' and '.join(guards)}, threshold {threshold:g}."
        cells = {model: cells[model] | _guarded(pair.by_guard) for model, pair in pairs.items()}
    confidence = formats.whole_percent(1 - comparison.level)
    caption = f"Refusals by {by}, with {confidence} CI; read the two rates together.{of_guard}"
    measures = list(next(iter(cells.values()), {}))
    return by_measure(caption, measures, {model: list(of.values()) for model, of in cells.items()}, labels)


def _rate_cell(measured: Measured | None) -> TableCell:
    return number_with_interval(measured.value, measured.ci, FRACTION) if measured else NO_NUMBER


def _count_cell(count: int) -> TableCell:
    return number(formats.count(count), count)


def _counted(pair: RefusalPair) -> dict[str, TableCell]:
    return {
        "Unsafe requests refused, %": _rate_cell(pair.refusal_rate),
        "Unsafe requests": _count_cell(pair.refusal_rate.n_prompts),
        "Safe requests refused, %": _rate_cell(pair.over_refusal_rate),
        "Safe requests": _count_cell(pair.over_refusal_rate.n_prompts),
        "Empty answers": _count_cell(pair.n_empty),
        "Failed": _count_cell(pair.n_failed),
    }


def _compared(pair: RefusalPair) -> dict[str, TableCell]:
    """How far a model's two rates lie from the baseline's; dashes for what is not known."""
    cells = {}
    for kind in KINDS:
        share, cell = kind.compared(pair), NO_NUMBER
        if share:
            note = formats.interval_of_points(share.ci)
            cell = TableCell(formats.points(share.difference), note=note, key=f"{share.difference:.6f}", css="n")
        cells[f"Refused {kind.name}, difference in points"] = cell
    return cells


def _judged(judged: RefusalJudgement | None) -> dict[str, TableCell]:
    """What a language model takes for refusals; dashes where it judged none."""
    return {
        "Unsafe refused, by judge, %": _rate_cell(judged.refusal_rate) if judged else NO_NUMBER,
        "Safe refused, by judge, %": _rate_cell(judged.over_refusal_rate) if judged else NO_NUMBER,
        "Same verdict as the patterns, %": number_if_known(judged.agreement, formats.percent) if judged else NO_NUMBER,
        "Unjudged": _count_cell(judged.n_unjudged) if judged else NO_NUMBER,
    }


def _guarded(judged: GuardJudgement | None) -> dict[str, TableCell]:
    """What a guard says of one model's answers; dashes for what it does not tell."""
    return {
        "Unsafe requests, harmful answer, %": _rate_cell(judged.harmful_rate) if judged else NO_NUMBER,
        "Safe requests, harmful answer, %": _rate_cell(judged.harmful_of_safe) if judged else NO_NUMBER,
        "Unsafe refused, by guard, %": _rate_cell(judged.refusal_rate) if judged else NO_NUMBER,
        "Safe refused, by guard, %": _rate_cell(judged.over_refusal_rate) if judged else NO_NUMBER,
        "Not read by guard": _count_cell(judged.n_failed) if judged else NO_NUMBER,
    }
