"""The section on harmlessness: from the comparison's part on toxicity to tables, figures and the words between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.toxicity import Toxicity
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports import formats
from mplus_eval.reports.charts import Figure
from mplus_eval.reports.harmlessness_examples import Examples, examples
from mplus_eval.reports.harmlessness_figures import is_comparable, layers_figure, refusal_figure, survival_figure
from mplus_eval.reports.harmlessness_phrasing import MEASURES, not_compared, scorers_named
from mplus_eval.reports.harmlessness_sanity import sanity_table
from mplus_eval.reports.harmlessness_tables import HarmlessnessTables
from mplus_eval.reports.palette import Look
from mplus_eval.reports.tables import ModelLabel, Table
from mplus_eval.reports.text import enumerated, one_line


@dataclass(frozen=True)
class SetView:
    """One sampled prompt set: what was found of every model on it. A table without data is None.

    `is_open` says that its sanity is to be seen at once: of the first set, and wherever a model is not comparable.
    """

    title: str
    summary: Table
    distribution: Figure | None
    fewer: Table | None
    categories: Table | None
    scorers: Table | None
    sanity: Table
    is_open: bool


@dataclass(frozen=True)
class RefusalView:
    """One set of requests: how often models refuse."""

    title: str
    figure: Figure | None
    table: Table


@dataclass(frozen=True)
class Withheld:
    """Why no verdict is drawn from a model's figures, and on which sets."""

    model: str
    title: str
    reasons: str


@dataclass(frozen=True)
class HarmlessnessSection:
    """Everything that the report says of harmlessness below the decision."""

    protocol: str
    matrix: Table | None
    withheld: tuple[Withheld, ...]
    sets: tuple[SetView, ...]
    layers: Figure | None
    refusals: tuple[RefusalView, ...]
    notes: tuple[str, ...]
    examples: tuple[Examples, ...]

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Every figure of the section."""
        drawn = [*(one.distribution for one in self.sets), self.layers, *(one.figure for one in self.refusals)]
        return tuple(figure for figure in drawn if figure)


def harmlessness_section(
    comparison: Comparison, looks: Mapping[str, Look], labels: Mapping[str, ModelLabel], directory: Path
) -> HarmlessnessSection | None:
    """The section, where toxicity was evaluated; the saved steps of a training are no part of `comparison`."""
    toxicity = comparison.toxicity
    if toxicity is None:
        return None
    tables = HarmlessnessTables(comparison, toxicity, labels)
    sampled = [name for name, facts in toxicity.sets.items() if facts.kind == "sampled" and tables.on(name)]
    sampled.sort(key=lambda name: name != toxicity.primary.set)
    refusing = [name for name, facts in toxicity.sets.items() if facts.kind == "refusal" and tables.pairs(name)]
    return HarmlessnessSection(
        protocol=_protocol(toxicity),
        matrix=tables.matrix(sampled) if len(labels) > 1 and sampled else None,
        withheld=tuple(_withheld(tables)),
        sets=tuple(_set_view(name, place, tables, looks) for place, name in enumerate(sampled, start=1)),
        layers=layers_figure(toxicity, looks),
        refusals=tuple(_refusal_view(name, place, tables, looks) for place, name in enumerate(refusing, start=1)),
        notes=tuple(_notes(tables)),
        examples=examples(toxicity, directory, labels),
    )


def _protocol(toxicity: Toxicity) -> str:
    """How it was measured, in a line."""
    found, primary = toxicity, toxicity.primary
    return (
        f"{formats.counted(found.samples, 'answer')} a prompt, {found.max_new_tokens} new tokens at most, "
        f"temperature {found.temperature:g}, top-p {found.top_p:g}. Scorer: {scorers_named(found)}. Primary measure: "
        f"{MEASURES[primary.measure].lower()} on {primary.set}, margin {formats.toxicity(found.margin)}."
    )


def _withheld(tables: HarmlessnessTables) -> Iterable[Withheld]:
    """Every model that is not comparable somewhere, with its reasons; sets with the same reasons together."""
    for model, found in tables.toxicity.models.items():
        sets: dict[str, list[str]] = {}
        for name, one in found.sets.items():
            if one.contrast and one.contrast.verdict is Verdict.NOT_COMPARABLE:
                said = not_compared(model, one.contrast.reasons, at_most=len(one.contrast.reasons))
                sets.setdefault(said, []).append(name)
        if model in tables.labels:
            yield from (Withheld(model, f"not comparable on {enumerated(names)}", said) for said, names in sets.items())


def _set_view(name: str, place: int, tables: HarmlessnessTables, looks: Mapping[str, Look]) -> SetView:
    """Everything of one sampled set."""
    facts = tables.toxicity.sets[name]
    kind = "provoking" if facts.provoking else "ordinary"
    title = f"{name}: {formats.counted(facts.n_prompts, f'{kind} prompt')} of {one_line(facts.source)}"
    return SetView(
        title=title + (", in each model’s chat format" if facts.chat else ""),
        summary=tables.summary(name),
        distribution=survival_figure(name, place, tables.toxicity, looks),
        fewer=tables.fewer(name),
        categories=tables.categories(name),
        scorers=tables.scorers(name),
        sanity=sanity_table(tables.toxicity, name, tables.comparison.baseline, tables.labels),
        is_open=place == 1 or not all(map(is_comparable, tables.on(name).values())),
    )


def _refusal_view(name: str, place: int, tables: HarmlessnessTables, looks: Mapping[str, Look]) -> RefusalView:
    """How often models refuse the requests of a set."""
    facts = tables.toxicity.sets[name]
    title = f"{name}: {formats.counted(facts.n_prompts, 'request')} of {one_line(facts.source)}"
    return RefusalView(title, refusal_figure(name, place, tables.toxicity, looks), tables.refusals(name))


def _notes(tables: HarmlessnessTables) -> Iterable[str]:
    """Rows that could not be used, texts without a score, and chat formats that differ."""
    for name, facts in tables.toxicity.sets.items():
        if facts.left_out:
            left = enumerated([f"{formats.count(n)} {one_line(why)}" for why, n in facts.left_out.items()])
            yield f"{name}: rows left out: {left}."
        for model, one in tables.on(name).items():
            if one.n_failed_scores:
                texts = formats.counted(one.n_failed_scores, "text")
                yield f"{model} × {name}: {texts} without a score; counted here, never taken for harmless."
        used = {model: one_line(one.chat_format)[:24] for model, one in tables.on(name).items() if one.chat_format}
        if len(set(used.values())) > 1:
            yield f"{name}: chat formats differ: {', '.join(f'{model} {how}' for model, how in used.items())}."
    listed = {(cell.model, cell.task) for cell in tables.comparison.missing}
    for model in tables.labels:
        found = tables.toxicity.models.get(model)
        for name, why in found.missing.items() if found else ():
            if (model, name) not in listed:
                yield f"{model} × {name}: {one_line(why).rstrip('.')}."
