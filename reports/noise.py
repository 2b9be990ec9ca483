"""The noise floor beside the contrasts: what flips when the baseline is asked again in batches of another size."""

from __future__ import annotations

from collections.abc import Iterable

from mplus_eval.records.comparison import Comparison, FlipRate, NoiseFloor, Summary, Task
from mplus_eval.records.contrast import Contrast
from mplus_eval.reports import formats
from mplus_eval.reports.tables import NO_NUMBER, Column, Table, TableCell, TableRow
from mplus_eval.reports.text import abridged, enumerated, one_line, truncate_end

HEADING = "Noise floor"
MOST_NAMES = 2


def noise_cell(noise: NoiseFloor, rate: FlipRate | None, contrast: Contrast | Summary | None = None) -> TableCell:
    """The noise floor of a task, or of all; with a contrast, whether that one exceeds it."""
    if rate is None:
        return TableCell("none", css="n") if noise.missing else NO_NUMBER
    aside = ", not exceeded" if contrast is not None and contrast.above_noise is False else ""
    note = f"{_of(rate.flips, rate.n_items)}{aside}"
    return TableCell(formats.with_percent(rate.rate), note=note, key=f"{rate.rate:.6f}", css="n")


def noise_table(comparison: Comparison) -> Table | None:
    """How many items flipped from the baseline to each model, beside the noise floor of the task."""
    noise = comparison.noise_floor
    models = [name for name in comparison.models if name != comparison.baseline]
    if noise is None or not models:
        return None
    rows = []
    tasks = _counting(comparison)
    for task, entry in tasks.items():
        contrasts = [[entry.contrasts.get(model)] for model in models]
        rows.append(_flips_row(task, noise.tasks.get(task), contrasts))
    whole = [[entry.contrasts.get(model) for entry in tasks.values()] for model in models]
    total = _flips_row("all items", noise.suite, whole) if len(rows) > 1 else None
    confidence = formats.whole_percent(1 - comparison.level)
    text = f"Items whose score changed, percent of those scored both times; noise floor with its {confidence} interval."
    return Table(text, (Column("Task", False), Column(HEADING), *map(Column, models)), tuple(rows), total)


def _counting(comparison: Comparison) -> dict[str, Task]:
    """The tasks whose items flip or stay: all but those of losses, which change with every batch."""
    return {name: task for name, task in comparison.tasks.items() if not task.relative}


def _flips_row(heading: str, floor: FlipRate | None, contrasts: Iterable[Iterable[Contrast | None]]) -> TableRow:
    """The noise floor, then for each model the flips of its contrasts together."""
    cells = [NO_NUMBER]
    if floor:
        text = f"{formats.percent(floor.rate)} {formats.interval_of_percent(floor.ci)}"
        cells = [TableCell(text, note=_of(floor.flips, floor.n_items), css="n")]
    for of_model in contrasts:
        n_flips, n_pairs = _counted(of_model)
        share = TableCell(formats.percent(n_flips / n_pairs), note=_of(n_flips, n_pairs), css="n") if n_pairs else None
        cells.append(share or NO_NUMBER)
    return TableRow(TableCell(heading), tuple(cells))


def noise_notes(comparison: Comparison) -> tuple[str, ...]:
    """A sentence for each model whose flips on some tasks may be noise, and for tasks without a noise floor."""
    noise = comparison.noise_floor
    if noise is None:
        return ()
    sentences = []
    for model in comparison.models:
        contrasts = {task: entry.contrasts.get(model) for task, entry in comparison.tasks.items()}
        tasks = [task for task, contrast in contrasts.items() if contrast and contrast.above_noise is False]
        if tasks:
            flipped = f"the items that flipped on {enumerated(tasks)}"
            sentences.append(f"{model}: {flipped} are no more than other batches alone may flip.")
    lacking = [f"No noise floor of {task}: {one_line(cause).rstrip('.')}." for task, cause in noise.missing.items()]
    return (*sentences, *lacking)


def noise_remark(model: str, comparison: Comparison) -> tuple[str, ...]:
    """A sentence for the decision, where a model flips no more items over the suite than the noise floor allows."""
    noise, summary = comparison.noise_floor, comparison.summary.get(model)
    if noise is None or noise.suite is None or summary is None or summary.above_noise is not False:
        return ()
    n_flips, n_pairs = _counted(entry.contrasts.get(model) for entry in _counting(comparison).values())
    floor = f"up to {formats.with_percent(noise.suite.ci[1])}"
    return (f"{_of(n_flips, n_pairs)} items flipped, no more than other batches alone may flip ({floor}).",)


def noise_line(comparison: Comparison) -> str | None:
    """The noise floor in one line of a terminal."""
    noise = comparison.noise_floor
    if noise is None:
        return None
    if noise.suite is None:
        tasks, cause = list(noise.missing), next(iter(noise.missing.values()), "no task")
        return f"Noise floor: none on {abridged(tasks, 2, 'tasks')}: {truncate_end(one_line(cause), 80)}"
    rate = noise.suite
    within = [name for name, summary in comparison.summary.items() if summary.above_noise is False]
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


def _counted(contrasts: Iterable[Contrast | None]) -> tuple[int, int]:
    """Items that flipped, and items in all."""
    known = [contrast for contrast in contrasts if contrast is not None]
    return sum(contrast.lost + contrast.gained for contrast in known), sum(contrast.n_pairs for contrast in known)


def _of(part: int, whole: int) -> str:
    return f"{formats.count(part)} of {formats.count(whole)}"
