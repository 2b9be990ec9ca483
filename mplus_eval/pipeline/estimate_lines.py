"""What is said of an estimate: how much there is to do, how long it will take, what it will cost."""

from __future__ import annotations

from collections.abc import Iterator

from mplus_eval.pipeline.estimate import Estimate, ModelEstimate
from mplus_eval.pipeline.progress import duration
from mplus_eval.pipeline.speed import Span

_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
NOT_KNOWN = "time: not known before something is measured; `mplus-eval plan` does, and --from-run takes another run's"


def estimate_lines(estimate: Estimate) -> Iterator[str]:
    """A line for each thing that is known, and one for each model where there are several."""
    work, n_cells = estimate.work, estimate.n_cells - estimate.n_stored
    stored = f"; {estimate.n_stored} of {estimate.n_cells} cells are stored" if estimate.n_stored else ""
    if not work.items:
        yield f"plan: {estimate.n_cells} cells, all of them stored"
        return
    most = "at most " if estimate.at_most else ""
    yield f"plan: {n_cells} cells, {most}{work.items:,.0f} items, {work.requests:,.0f} requests{stored}"
    yield f"tokens: {_tokens(estimate)}"
    yield from _times(estimate)
    yield f"disk: about {amount(work.stored)}B; {amount(estimate.free)}B are free"
    if estimate.price is not None:
        yield f"price: up to {estimate.price:,.2f}, in the currency of the models' prices"


def _tokens(estimate: Estimate) -> str:
    """Tokens by what becomes of them."""
    work = estimate.work
    told = []
    if scored := work.scored + work.rescored:
        told.append(f"{'up to ' if work.rescored else ''}{amount(scored)} to score")
    if work.read:
        told.append(f"{amount(work.read)} of prompts to go on from")
    once = f"every prefix once; {amount(work.sent)} without" if work.scored or work.read else ""
    written = [f"up to {amount(work.written)} to generate"] if work.written else []
    return ", ".join([*told[:-1], f"{told[-1]} ({once})", *written] if told else written)


def _times(estimate: Estimate) -> Iterator[str]:
    for name, why in estimate.not_timed.items():
        yield f"{name}: could not be measured: {why}"
    span = estimate.span
    if span is None:
        yield NOT_KNOWN
    else:
        assert estimate.scoring is not None
        assert estimate.generation is not None
        halves = [
            f"{name} {duration(half.middle)}"
            for name, half in (("scoring", estimate.scoring), ("generation", estimate.generation))
            if half.middle
        ]
        if (loading := sum(model.loading for model in estimate.models)) >= 1:
            halves.append(f"loading {duration(loading)}")
        beside = f"; {' and '.join(estimate.beside)} come on top, not timed" if estimate.beside else ""
        hours = "" if estimate.gpu_hours is None else f"; {estimate.gpu_hours:.2g} GPU hours"
        by = f" by {estimate.n_workers} workers" if estimate.n_workers > 1 else ""
        yield f"time: about {between(span)}{by}: {', '.join(halves)}{hours}{beside}"
    if len(estimate.models) > 1:
        width = max(len(model.name) for model in estimate.models)
        yield from (f"  {model.name:{width}}  {_of_model(model)}" for model in estimate.models if model.span)


def _of_model(model: ModelEstimate) -> str:
    assert model.span is not None
    loading = f", loading {duration(model.loading)}" if model.loading >= 1 else ""
    return f"about {between(model.span)}{loading}"


def between(span: Span) -> str:
    """Put a span of seconds into words.

    >>> between(Span(240, 360, 600))
    '6 min (4 min to 10 min)'
    """
    return f"{duration(span.middle)} ({duration(span.low)} to {duration(span.high)})"


def amount(number: float) -> str:
    """Put a number into two digits or three and a unit.

    >>> amount(812), amount(2_340_000), amount(41_000)
    ('812 ', '2.3 M', '41 k')
    """
    for unit, letter in _UNITS:
        if number >= unit:
            value = number / unit
            return f"{value:.1f} {letter}" if value < 10 else f"{value:.0f} {letter}"
    return f"{number:.0f} "
