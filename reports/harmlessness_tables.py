"""Tables of harmlessness: verdicts by set, measures, smaller numbers of answers, categories, two scorers, refusals.

Every caption names what must stand beside a figure: the number of samples, the threshold, the scorer and its hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.toxicity import Measured, RefusalJudgement, RefusalPair, SetToxicity, Toxicity
from mplus_eval.reports import formats
from mplus_eval.reports.harmlessness_phrasing import MEASURES, measured, scorer_named, scorers_named
from mplus_eval.reports.matrix import contrast_cell
from mplus_eval.reports.tables import FAILED, MARKS, Cell, Column, ModelLabel, Row, Table, number
from mplus_eval.reports.text import head, one_line
from mplus_eval.reports.units import TOXICITY


@dataclass(frozen=True)
class HarmlessnessTables:
    """The tables of one comparison; models in the order of `labels`, and no others."""

    comparison: Comparison
    toxicity: Toxicity
    labels: Mapping[str, ModelLabel]

    def on(self, name: str) -> dict[str, SetToxicity]:
        """What was found on a set, by model, in the order of the report."""
        known = self.toxicity.models
        return {model: known[model].sets[name] for model in self.labels if model in known and name in known[model].sets}

    def pairs(self, name: str) -> dict[str, RefusalPair]:
        """The refusal pairs on a set, by model."""
        known = self.toxicity.models
        return {
            model: known[model].refusals[name]
            for model in self.labels
            if model in known and name in known[model].refusals
        }

    def matrix(self, sampled: Iterable[str]) -> Table:
        """Verdicts on toxicity, models × sets."""
        baseline = self.comparison.baseline
        others = [model for model in self.labels if model != baseline]
        columns = (
            Column("Prompt set", False),
            Column(baseline, css=f"{self.labels[baseline].css} base-column"),
            *(Column(model, css=self.labels[model].css) for model in others),
        )
        rows = tuple(self._matrix_row(name, others) for name in sampled)
        measure = MEASURES[self.toxicity.primary.measure].lower()
        confidence = formats.whole_percent(1 - self.comparison.level)
        caption = (
            f"Toxicity: {measure}, difference from {baseline} [{confidence} interval, not adjusted]; less is better. "
            f"Verdicts are Holm-adjusted over the sets of a model. {self._scored()}"
        )
        return Table(caption, columns, rows)

    def _matrix_row(self, name: str, others: Iterable[str]) -> Row:
        found, baseline = self.on(name), self.comparison.baseline
        value = self._value(found.get(baseline))
        is_primary = name == self.toxicity.primary.set
        note = f"{'primary, ' if is_primary else ''}n {formats.count(self.toxicity.sets[name].n_prompts)}"
        cells = (self._matrix_cell(found.get(model), model, name) for model in others)
        return Row(
            Cell(strong=name, note=note, text=f"{baseline} {value}", key=name),
            (Cell(value, css="n base-column"), *cells),
        )

    def _matrix_cell(self, found: SetToxicity | None, model: str, name: str) -> Cell:
        if found is None:
            why = self.toxicity.models[model].missing.get(name, "") if model in self.toxicity.models else ""
            return Cell(mark=FAILED, note=head(one_line(why or "no result"), 40), css="c-failed v-failed")
        if found.contrast is None:
            return Cell(self._value(found), note=f"{self.comparison.baseline} has no value", css="c-none v-none")
        return contrast_cell(found.contrast, TOXICITY, self._value(found))

    def _value(self, found: SetToxicity | None) -> str:
        value = measured(self.toxicity, found).value if found else None
        return "–" if value is None else TOXICITY.score(value)

    def _scored(self, k: str = "") -> str:
        """What must stand beside every figure: k, threshold, scorer and hash."""
        return (
            f"k = {k or self.toxicity.samples} answers a prompt, threshold {self.toxicity.threshold:g}, scorer "
            f"{scorer_named(self.toxicity)}."
        )

    def summary(self, name: str) -> Table:
        """One row a model: the verdict, the three measures, and the difference with its interval."""
        headings = (
            "Expected maximum",
            "Difference",
            "Interval",
            "p, adjusted",
            "Toxicity probability, %",
            "Toxic fraction, %",
            "Prompts",
        )
        found = self.on(name)
        n_failed = sum(one.n_failed for one in found.values())
        columns = (
            Column("Model", False),
            Column("Verdict", False),
            *(Column(heading) for heading in headings),
            *((Column("Without a value"),) if n_failed else ()),
        )
        rows = tuple(self._summary_row(model, one, with_failed=bool(n_failed)) for model, one in found.items())
        of = MEASURES[self.toxicity.primary.measure].lower()
        confidence = formats.whole_percent(1 - self.comparison.level)
        return Table(
            f"With {confidence} intervals; difference of the {of} from {self.comparison.baseline}. {self._scored()}",
            columns,
            rows,
        )

    def _summary_row(self, model: str, found: SetToxicity, *, with_failed: bool) -> Row:
        contrast = found.contrast
        mark = MARKS[contrast.verdict] if contrast else None
        baseline = "baseline" if model == self.comparison.baseline else "–"
        cells = [
            Cell(mark=mark, css=f"v-{mark.key}") if mark else Cell(baseline),
            _toxicity_cell(found.expected_maximum_toxicity),
            number(TOXICITY.difference(contrast.difference), contrast.difference) if contrast else Cell("–", css="n"),
            Cell(TOXICITY.interval(contrast.ci) if contrast else "–", css="n"),
            number(formats.probability(contrast.p_adjusted), contrast.p_adjusted) if contrast else Cell("–", css="n"),
            _percent_cell(found.toxicity_probability),
            _percent_cell(found.toxic_fraction),
            number(formats.count(found.n_prompts), found.n_prompts),
        ]
        cells += [number(formats.count(found.n_failed), found.n_failed)] if with_failed else []
        return Row(Cell(model), tuple(cells))

    def fewer(self, name: str) -> Table | None:
        """The measures at smaller numbers of samples, which are not to be compared across numbers."""
        found = self.on(name)
        numbers = sorted({k for one in found.values() for k in one.fewer}, key=int)
        if not numbers:
            return None
        headings = [f"{what}, k = {k}" for what in ("Maximum", "Probability, %") for k in numbers]
        rows = tuple(
            Row(
                Cell(model),
                (
                    *(
                        _toxicity_cell(one.fewer[k].expected_maximum_toxicity if k in one.fewer else None)
                        for k in numbers
                    ),
                    *(_percent_cell(one.fewer[k].toxicity_probability if k in one.fewer else None) for k in numbers),
                ),
            )
            for model, one in found.items()
        )
        caption = (
            "What fewer answers would have given on average, exactly, from the same answers: expected maximum "
            "toxicity and toxicity probability. Values of different k are not to be compared. "
            f"{self._scored(' or '.join(numbers))}"
        )
        return Table(caption, (Column("Model", False), *map(Column, headings)), rows)

    def categories(self, name: str) -> Table | None:
        """Expected maximum toxicity by category of prompts."""
        found = self.on(name)
        known = dict.fromkeys(category for one in found.values() for category in one.categories)
        if not known:
            return None
        rows = []
        for category in known:
            ones = [one.categories.get(category) for one in found.values()]
            sizes = [one.expected_maximum_toxicity.n_prompts for one in ones if one]
            cells = tuple(_toxicity_cell(one.expected_maximum_toxicity if one else None) for one in ones)
            rows.append(Row(Cell(one_line(category) or "–", note=f"n {formats.count(max(sizes))}"), cells))
        columns = (Column("Category", False), *(Column(model, css=self.labels[model].css) for model in found))
        return Table(f"Expected maximum toxicity; no verdicts by category. {self._scored()}", columns, tuple(rows))

    def scorers(self, name: str) -> Table | None:
        """How far two scorers agree on the same texts."""
        found = {model: one for model, one in self.on(name).items() if one.second_scorer}
        if not found:
            return None
        headings = ("Maximum, first", "Maximum, second", "Rank correlation", "Only one calls toxic, %", "Texts")
        rows = []
        for model, one in found.items():
            if other := one.second_scorer:
                rank = other.rank_correlation
                cells = (
                    _toxicity_cell(one.expected_maximum_toxicity),
                    _toxicity_cell(other.expected_maximum_toxicity),
                    number("–" if rank is None else formats.toxicity(rank), rank),
                    number(formats.percent(other.differing), other.differing),
                    number(formats.count(other.n_texts), other.n_texts),
                )
                rows.append(Row(Cell(model), cells))
        caption = (
            "Expected maximum toxicity by both scorers, and Spearman’s correlation of their scores over texts. "
            f"k = {self.toxicity.samples}, threshold {self.toxicity.threshold:g}, scorers "
            f"{scorers_named(self.toxicity)}."
        )
        return Table(caption, (Column("Model", False), *map(Column, headings)), tuple(rows))

    def refusals(self, name: str) -> Table:
        """Refusal of unsafe requests and over-refusal of safe ones; a set may lack one of the two."""
        headings = ("Unsafe refused, %", "Unsafe", "Safe refused, %", "Safe", "Empty answers", "Failed")
        judged = any(pair.by_judge for pair in self.pairs(name).values())
        rows = tuple(
            Row(
                Cell(model),
                (
                    _percent_cell(pair.refusal_rate),
                    number(formats.count(pair.refusal_rate.n_prompts), pair.refusal_rate.n_prompts),
                    _percent_cell(pair.over_refusal_rate),
                    number(formats.count(pair.over_refusal_rate.n_prompts), pair.over_refusal_rate.n_prompts),
                    number(formats.count(pair.n_empty), pair.n_empty),
                    number(formats.count(pair.n_failed), pair.n_failed),
                    *(_judged_cells(pair.by_judge) if judged else ()),
                ),
            )
            for model, pair in self.pairs(name).items()
        )
        by = "the string matcher, and by the judge beside it" if judged else "the string matcher"
        caption = f"Refusals by {by}, with intervals; only the two rates together mean anything."
        further = ("Unsafe, by judge, %", "Safe, by judge, %", "Same verdict, %", "Unjudged") if judged else ()
        return Table(caption, (Column("Model", False), *map(Column, (*headings, *further))), rows)


def _judged_cells(found: RefusalJudgement | None) -> tuple[Cell, ...]:
    """What a language model takes for refusals, and how often the matcher says the same."""
    if found is None:
        return (Cell("–"),) * 4
    agreement = "–" if found.agreement is None else formats.percent(found.agreement)
    return (
        _percent_cell(found.refusal_rate),
        _percent_cell(found.over_refusal_rate),
        number(agreement, found.agreement),
        number(formats.count(found.n_unjudged), found.n_unjudged),
    )


def _toxicity_cell(found: Measured | None) -> Cell:
    if found is None or found.value is None:
        return Cell("–", css="n")
    note = formats.interval_of_toxicities(found.ci, 3) if found.ci else ""
    return Cell(TOXICITY.score(found.value), note=note, key=f"{found.value:.6f}", css="n")


def _percent_cell(found: Measured | None) -> Cell:
    if found is None or found.value is None:
        return Cell("–", css="n")
    note = formats.interval_of_percent(found.ci) if found.ci else ""
    return Cell(formats.percent(found.value), note=note, key=f"{found.value:.6f}", css="n")
