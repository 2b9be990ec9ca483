"""The noise floor beside the contrasts: what flips when the baseline is asked again in batches of another size."""

from __future__ import annotations

from collections.abc import Iterable

from mplus_eval.records.comparison import Comparison, FlipRate, NoiseFloor, Summary
from mplus_eval.records.contrast import Contrast
from mplus_eval.reports import formats
from mplus_eval.reports.tables import Cell, Column, Row, Table
from mplus_eval.reports.text import abridged, enumerated, head, one_line

HEADING = "Noise floor"
MOST_NAMES = 2


def noise_cell(noise: NoiseFloor, rate: FlipRate | None, contrast: Contrast | Summary | None = None) -> Cell:
    """The noise floor of a task, or of all; with a contrast, whether that one exceeds it."""
    if rate is None:
        return Cell("none", css="n") if noise.missing else Cell("–", css="n")
    not_exceeded = contrast is not None and contrast.above_noise is False
    note = f"{_of(rate.flips, rate.n_items)}{', not exceeded' if not_exceeded else ''}"
    return Cell(formats.with_percent(rate.rate), note=note, key=f"{rate.rate:.6f}", css="n")


def caption(comparison: Comparison) -> str:
    """What the column of the noise floor holds, for the caption of its table; empty without one."""
    if comparison.noise_floor is None:
        return ""
    whole = ", in the last row of the items of all tasks" if len(comparison.tasks) > 1 else ""
    return (
        f" {HEADING}: the share of items that flip when {comparison.baseline} is asked again in other batches{whole}."
    )


def noise_table(comparison: Comparison) -> Table | None:
    """How many items flipped from the baseline to each model, beside the noise floor of the task."""
    noise = comparison.noise_floor
    models = [name for name in comparison.models if name != comparison.baseline]
    if noise is None or not models:
        return None
    columns = (Column("Task", False), Column(HEADING), *(Column(name) for name in models))
    rows = tuple(
        Row(Cell(task), (_floor_cell(noise.tasks.get(task)), *(_flips_cell([entry.contrasts.get(m)]) for m in models)))
        for task, entry in comparison.tasks.items()
    )
    whole = [_flips_cell([entry.contrasts.get(m) for entry in comparison.tasks.values()]) for m in models]
    total = Row(Cell("all items"), (_floor_cell(noise.suite), *whole)) if len(rows) > 1 else None
    confidence = formats.whole_percent(1 - comparison.level)
    text = f"Items whose score changed, percent of those scored both times; noise floor with its {confidence} interval."
    return Table(text, columns, rows, total)


def noise_notes(comparison: Comparison) -> tuple[str, ...]:
    """A sentence for each model whose flips on some tasks may be noise, and for tasks without a noise floor."""
    noise = comparison.noise_floor
    if noise is None:
        return ()
    within = {
        model: [task for task, entry in comparison.tasks.items() if _is_within(entry.contrasts.get(model))]
        for model in comparison.models
    }
    said = [
        f"{model}: the items that flipped on {enumerated(tasks)} are no more than other batches alone may flip."
        for model, tasks in within.items()
        if tasks
    ]
    lacking = [f"No noise floor of {task}: {one_line(cause).rstrip('.')}." for task, cause in noise.missing.items()]
    return (*said, *lacking)


def noise_remark(model: str, comparison: Comparison) -> tuple[str, ...]:
    """A sentence for the decision, where a model flips no more items over the suite than the noise floor allows."""
    noise, summary = comparison.noise_floor, comparison.summary.get(model)
    if noise is None or noise.suite is None or summary is None or summary.above_noise is not False:
        return ()
    n_flips, n_pairs = _counted(entry.contrasts.get(model) for entry in comparison.tasks.values())
    floor = f"up to {formats.with_percent(noise.suite.ci[1])}"
    return (f"{_of(n_flips, n_pairs)} items flipped, no more than other batches alone may flip ({floor}).",)


def noise_line(comparison: Comparison) -> str | None:
    """The noise floor in one line of a terminal."""
    noise = comparison.noise_floor
    if noise is None:
        return None
    if noise.suite is None:
        tasks, cause = list(noise.missing), next(iter(noise.missing.values()), "no task")
        return f"Noise floor: none on {abridged(tasks, 2, 'tasks')}: {head(one_line(cause), 80)}"
    rate = noise.suite
    within = [name for name, found in comparison.summary.items() if found.above_noise is False]
    rest = f"; {abridged(within, MOST_NAMES, 'models')} no more" if within else ""
    share = f"{_of(rate.flips, rate.n_items)} items ({formats.with_percent(rate.rate)})"
    return f"Noise floor: {share} flip in other batches{rest}"


def noise_method(comparison: Comparison) -> str:
    """How the noise floor was found, for the methods."""
    noise = comparison.noise_floor
    if noise is None:
        return ""
    confidence = formats.whole_percent(1 - comparison.level)
    return (
        f"The noise floor is what flips by rounding alone: {comparison.baseline} was asked again with another batch "
        f"size ({one_line(noise.batch_size)}), and of the items that both passes scored those are counted whose score "
        f"changed. Its {confidence} interval is exact (Clopper and Pearson) and takes items as independent. Flips of a "
        "contrast are called no more than that where their share is not above the interval's upper end; no verdict "
        "depends on it. The second pass enters no score, difference or average."
    )


def _is_within(contrast: Contrast | None) -> bool:
    return contrast is not None and contrast.above_noise is False


def _counted(contrasts: Iterable[Contrast | None]) -> tuple[int, int]:
    """Items that flipped, and items in all."""
    known = [found for found in contrasts if found is not None]
    return sum(found.lost + found.gained for found in known), sum(found.n_pairs for found in known)


def _floor_cell(rate: FlipRate | None) -> Cell:
    if rate is None:
        return Cell("–", css="n")
    interval = formats.interval_of_percent(rate.ci)
    return Cell(f"{formats.percent(rate.rate)} {interval}", note=_of(rate.flips, rate.n_items), css="n")


def _flips_cell(contrasts: list[Contrast | None]) -> Cell:
    n_flips, n_pairs = _counted(contrasts)
    if not n_pairs:
        return Cell("–", css="n")
    return Cell(formats.percent(n_flips / n_pairs), note=_of(n_flips, n_pairs), css="n")


def _of(part: int, whole: int) -> str:
    return f"{formats.count(part)} of {formats.count(whole)}"
