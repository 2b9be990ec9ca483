"""The section on harmlessness: from the comparison's part on toxicity to tables and the words between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.toxicity import Toxicity
from mplus_eval.reports import formats
from mplus_eval.reports.anchors import anchor
from mplus_eval.reports.harmlessness_examples import SetExamples, examples
from mplus_eval.reports.harmlessness_phrasing import not_compared, primary_named, scorers_named
from mplus_eval.reports.harmlessness_refusals import refusal_matrix, refusal_sets, refusal_table
from mplus_eval.reports.harmlessness_sanity import sanity_table
from mplus_eval.reports.harmlessness_tables import HarmlessnessTables, sampled_sets
from mplus_eval.reports.tables import ModelLabel, Table, Withheld
from mplus_eval.reports.text import enumerated, one_line
from mplus_eval.reports.thinking import thinking_notes
from mplus_eval.reports.verdicts import MARKS, Mark, is_comparable


@dataclass(frozen=True)
class SampledSet:
    """One sampled prompt set: what was found of every model on it. A table without data is None.

    `is_open` says that its checks are to be seen at once: of the first set, and wherever a model is not comparable.
    """

    name: str
    anchor: str
    title: str
    summary: Table
    fewer: Table | None
    categories: Table | None
    scorers: Table | None
    sanity: Table
    is_open: bool


@dataclass(frozen=True)
class RefusalSet:
    """One set of requests: how often models refuse."""

    name: str
    anchor: str
    title: str
    table: Table


@dataclass(frozen=True)
class HarmlessnessSection:
    """Everything that the report says of harmlessness below the decision, besides its figures."""

    protocol: str
    matrix: Table | None
    refusal_matrix: Table | None
    withheld: tuple[Withheld, ...]
    sets: tuple[SampledSet, ...]
    refusals: tuple[RefusalSet, ...]
    notes: tuple[str, ...]
    examples: tuple[SetExamples, ...]


def harmlessness_section(
    comparison: Comparison, labels: Mapping[str, ModelLabel], directory: Path
) -> HarmlessnessSection | None:
    """The section, where toxicity was evaluated; the saved steps of a training are no part of `comparison`."""
    toxicity = comparison.toxicity
    if toxicity is None:
        return None
    tables = HarmlessnessTables(comparison, toxicity, labels)
    sampled = sampled_sets(comparison)
    sets: list[SampledSet] = []
    for name in sampled:
        facts = toxicity.sets[name]
        prompts = formats.counted(facts.n_prompts, f"{'provoking' if facts.provoking else 'ordinary'} prompt")
        chat = ", in each model’s chat format" if facts.chat else ""
        sets.append(
            SampledSet(
                name=name,
                anchor=anchor("set", name),
                title=f"{name}: {prompts} of {one_line(facts.source)}{chat}",
                summary=tables.summary(name),
                fewer=tables.fewer(name),
                categories=tables.categories(name),
                scorers=tables.scorers(name),
                sanity=sanity_table(toxicity, name, comparison.baseline, labels),
                is_open=not sets or not all(is_comparable(on_set.contrast) for on_set in tables.on(name).values()),
            )
        )
    refusals = []
    for name in refusal_sets(comparison):
        facts = toxicity.sets[name]
        title = f"{name}: {formats.counted(facts.n_prompts, 'request')} of {one_line(facts.source)}"
        refusals.append(RefusalSet(name, anchor("set", name), title, refusal_table(name, comparison, labels)))
    return HarmlessnessSection(
        protocol=protocol(toxicity),
        matrix=tables.matrix(sampled) if len(labels) > 1 and sampled else None,
        refusal_matrix=refusal_matrix(comparison, labels),
        withheld=tuple(withheld_verdicts(toxicity, labels)),
        sets=tuple(sets),
        refusals=tuple(refusals),
        notes=(*notes(tables), *thinking_notes(comparison, toxicity.sets)),
        examples=examples(toxicity, directory, labels),
    )


def protocol(toxicity: Toxicity) -> str:
    """How it was measured, in a line."""
    primary = toxicity.primary
    return (
        f"{formats.counted(toxicity.samples, 'sample')} per prompt, at most {toxicity.max_new_tokens} new tokens, "
        f"temperature {toxicity.temperature:g}, top-p {toxicity.top_p:g}. Scorer: {scorers_named(toxicity)}. Primary "
        f"measure: {primary_named(toxicity)} on {primary.set}, margin {formats.decimal(toxicity.margin)}."
    )


def withheld_verdicts(toxicity: Toxicity, labels: Mapping[str, ModelLabel]) -> Iterable[Withheld]:
    """Every model that is not comparable somewhere, with its reasons; sets with the same reasons together."""
    for model, of_model in toxicity.models.items():
        sets: dict[tuple[Mark, str], list[str]] = {}
        for name, on_set in of_model.sets.items():
            contrast = on_set.contrast
            if contrast and not is_comparable(contrast):
                why = not_compared(model, contrast.reasons, at_most=len(contrast.reasons))
                sets.setdefault((MARKS[contrast.verdict], why), []).append(name)
        for (mark, why), names in sets.items() if model in labels else ():
            yield Withheld(mark, model, f"{mark.word} on {enumerated(names)}", why)


def notes(tables: HarmlessnessTables) -> Iterable[str]:
    """Rows that could not be used, texts without a score, and chat formats that differ."""
    for name, facts in tables.toxicity.sets.items():
        if facts.left_out:
            left = enumerated([f"{formats.count(n)} {one_line(why)}" for why, n in facts.left_out.items()])
            yield f"{name}: rows left out: {left}." + "".join(f" {one_line(why)}." for why in facts.bad)
        by_model = tables.on(name)
        for model, on_set in by_model.items():
            if on_set.n_failed_scores:
                texts = formats.counted(on_set.n_failed_scores, "text")
                yield f"{model} × {name}: {texts} without a score; counted here, never taken for harmless."
        used = {model: one_line(on_set.chat_format)[:24] for model, on_set in by_model.items() if on_set.chat_format}
        if len(set(used.values())) > 1:
            yield f"{name}: chat formats differ: {', '.join(f'{model} {how}' for model, how in used.items())}."
    listed = {(cell.model, cell.task) for cell in tables.comparison.missing}
    for model in tables.labels:
        of_model = tables.toxicity.models.get(model)
        for name, why in of_model.missing.items() if of_model else ():
            if (model, name) not in listed:
                yield f"{model} × {name}: {one_line(why).rstrip('.')}."
