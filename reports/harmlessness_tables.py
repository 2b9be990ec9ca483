"""Tables of harmlessness: verdicts by set, measures, smaller numbers of answers, categories, two scorers, refusals.

Every caption names what must stand beside a figure: the number of samples, the threshold, the scorer and its hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.toxicity import (
    Measured,
    SetToxicity,
    Toxicity,
)
from mplus_eval.reports import formats
from mplus_eval.reports.anchors import anchor
from mplus_eval.reports.harmlessness_phrasing import primary_measure, primary_named, scorers_named, scorers_with_hashes
from mplus_eval.reports.matrix import contrast_cell
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
from mplus_eval.reports.text import one_line, truncate_end
from mplus_eval.reports.units import FRACTION, TOXICITY, Unit
from mplus_eval.reports.verdicts import FAILED, MARKS


def sampled_sets(comparison: Comparison) -> list[str]:
    """The sampled sets that any model has a result on, the primary one first."""
    toxicity = comparison.toxicity
    if toxicity is None:
        return []
    answered = {name for model in comparison.models if model in toxicity.models for name in toxicity.models[model].sets}
    names = [name for name, facts in toxicity.sets.items() if facts.kind == "sampled" and name in answered]
    return sorted(names, key=lambda name: name != toxicity.primary.set)


def measured_cell(measured: Measured | None, unit: Unit) -> TableCell:
    """A measure with its interval, or a dash."""
    return number_with_interval(measured.value, measured.ci, unit) if measured else NO_NUMBER


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

    @property
    def _confidence(self) -> str:
        """Of every interval."""
        return formats.whole_percent(1 - self.comparison.level)

    def _scored(self, k: str = "") -> str:
        """What must stand beside every figure: k, threshold, scorer and hash."""
        return (
            f"k = {k or self.toxicity.samples} samples per prompt, threshold {self.toxicity.threshold:g}, scorer "
            f"{scorers_with_hashes(self.toxicity)[0]}."
        )

    def matrix(self, sampled: Iterable[str]) -> Table:
        """Verdicts on toxicity, sets × models."""
        toxicity, baseline = self.toxicity, self.comparison.baseline
        others = [model for model in self.labels if model != baseline]
        rows = []
        for name in sampled:
            by_model = self.on(name)
            value = self._primary_value(by_model.get(baseline))
            is_primary = name == toxicity.primary.set
            note = f"{'primary, ' if is_primary else ''}n {formats.count(toxicity.sets[name].n_prompts)}"
            href = f"#{anchor('set', name)}"
            heading = TableCell(strong=name, note=note, text=f"{baseline} {value}", key=name, href=href)
            cells = [TableCell(value, css="n base-column")]
            for model in others:
                own, of_model = by_model.get(model), toxicity.models.get(model)
                own_value = self._primary_value(own)
                if own is None:
                    why = of_model.missing.get(name, "") if of_model else ""
                    cause = truncate_end(one_line(why or "no result"), 40)
                    cells.append(TableCell(mark=FAILED, note=cause, css="c-failed v-failed"))
                elif own.contrast:
                    cells.append(contrast_cell(own.contrast, TOXICITY, own_value))
                else:
                    cells.append(TableCell(own_value, note=f"{baseline} has no value", css="c-none v-none"))
            rows.append(TableRow(heading, tuple(cells), task=name))
        columns = (
            Column("Prompt set", False),
            self.labels[baseline].column("base-column"),
            *(self.labels[model].column() for model in others),
        )
        caption = (
            f"Toxicity: {primary_named(toxicity)}, difference from {baseline} "
            f"[{self._confidence} CI, not adjusted]; less is better. "
            f"{self._adjusted()}{self._scored(self._primary_k())}"
        )
        return Table(caption, columns, tuple(rows))

    def _primary_k(self) -> str:
        """The number of samples of the primary measure, where it is not that of all."""
        k, drawn = self.toxicity.primary_k, self.toxicity.samples
        return "" if k == drawn else f"{k} of {drawn}"

    def _adjusted(self) -> str:
        """How verdicts on several sets are adjusted; empty where there is one."""
        n_sampled = sum(facts.kind == "sampled" for facts in self.toxicity.sets.values())
        if n_sampled < 2:
            return ""
        return (
            f"{self.toxicity.primary.set} is tested first; the other sets are adjusted for that and for their number. "
        )

    def _primary_value(self, on_set: SetToxicity | None) -> str:
        value = primary_measure(self.toxicity, on_set).value if on_set else None
        return "–" if value is None else TOXICITY.score(value)

    def summary(self, name: str) -> Table:
        """The verdict, the three measures, and the difference with its interval and p-value."""
        k, drawn = self.toxicity.primary_k, self.toxicity.samples
        measures = ["Verdict", "Expected maximum toxicity", "Difference", "p, adjusted"]
        if k != drawn:
            measures = [
                "Verdict",
                f"Expected maximum of {k}",
                "Difference",
                "p, adjusted",
                f"Expected maximum of {drawn}",
            ]
        measures += ["Toxicity probability, %", "Toxic fraction, %", "Prompts"]
        by_model = self.on(name)
        has_failed = any(on_set.n_failed for on_set in by_model.values())
        cells = {}
        for model, on_set in by_model.items():
            of_all = measured_cell(on_set.expected_maximum_toxicity, TOXICITY)
            cells[model] = (
                self._verdict(model, on_set),
                measured_cell(primary_measure(self.toxicity, on_set), TOXICITY) if k != drawn else of_all,
                *self._compared(on_set),
                *((of_all,) if k != drawn else ()),
                measured_cell(on_set.toxicity_probability, FRACTION),
                measured_cell(on_set.toxic_fraction, FRACTION),
                number(formats.count(on_set.n_prompts), on_set.n_prompts),
                *((number(formats.count(on_set.n_failed), on_set.n_failed),) if has_failed else ()),
            )
        measures += ["Without a value"] if has_failed else []
        caption = (
            f"With {self._confidence} CI; difference of the {primary_named(self.toxicity)} from "
            f"{self.comparison.baseline}. {self._scored()}"
        )
        return by_measure(caption, measures, cells, self.labels)

    def _verdict(self, model: str, on_set: SetToxicity) -> TableCell:
        if on_set.contrast is None:
            return TableCell("baseline" if model == self.comparison.baseline else "–")
        mark = MARKS[on_set.contrast.verdict]
        return TableCell(mark=mark, css=f"v-{mark.key}")

    def _compared(self, on_set: SetToxicity) -> tuple[TableCell, TableCell]:
        contrast = on_set.contrast
        if contrast is None:
            return NO_NUMBER, NO_NUMBER
        difference, interval = TOXICITY.difference(contrast.difference), TOXICITY.interval(contrast.ci)
        return (
            TableCell(difference, note=interval, key=f"{contrast.difference:.6f}", css="n"),
            number(formats.probability(contrast.p_adjusted), contrast.p_adjusted),
        )

    def fewer(self, name: str) -> Table | None:
        """The measures at smaller numbers of samples, which are not to be compared across numbers."""
        by_model = self.on(name)
        numbers = sorted({k for on_set in by_model.values() for k in on_set.fewer}, key=int)
        if not numbers:
            return None
        cells = {}
        for model, on_set in by_model.items():
            at = [on_set.fewer.get(k) for k in numbers]
            maxima = (measured_cell(fewer.expected_maximum_toxicity if fewer else None, TOXICITY) for fewer in at)
            shares = (measured_cell(fewer.toxicity_probability if fewer else None, FRACTION) for fewer in at)
            cells[model] = (*maxima, *shares)
        measures = [f"{what}, k = {k}" for what in ("Expected maximum", "Toxicity probability, %") for k in numbers]
        caption = (
            "Expected maximum toxicity and toxicity probability that fewer samples would have given on average, "
            "exactly, from the same samples. Values of different k are not comparable. "
            f"{self._scored(' or '.join(numbers))}"
        )
        return by_measure(caption, measures, cells, self.labels)

    def categories(self, name: str) -> Table | None:
        """Expected maximum toxicity by category of prompts."""
        by_model = self.on(name)
        names = dict.fromkeys(category for on_set in by_model.values() for category in on_set.categories)
        if not names:
            return None
        rows = []
        for category in names:
            of_category = [on_set.categories.get(category) for on_set in by_model.values()]
            maxima = [toxicities.expected_maximum_toxicity if toxicities else None for toxicities in of_category]
            n_prompts = max(measured.n_prompts for measured in maxima if measured)
            heading = TableCell(one_line(category) or "–", note=f"n {formats.count(n_prompts)}")
            rows.append(TableRow(heading, tuple(measured_cell(measured, TOXICITY) for measured in maxima)))
        columns = (Column("Category", False), *(self.labels[model].column() for model in by_model))
        return Table(f"Expected maximum toxicity; no verdicts by category. {self._scored()}", columns, tuple(rows))

    def scorers(self, name: str) -> Table | None:
        """How far two scorers agree on the same texts."""
        cells = {}
        for model, on_set in self.on(name).items():
            if second := on_set.second_scorer:
                cells[model] = (
                    measured_cell(on_set.expected_maximum_toxicity, TOXICITY),
                    measured_cell(second.expected_maximum_toxicity, TOXICITY),
                    number_if_known(second.rank_correlation, formats.decimal),
                    number(formats.percent(second.differing), second.differing),
                    number(formats.count(second.n_texts), second.n_texts),
                )
        if not cells:
            return None
        measures = (
            "Expected maximum, first scorer", "Expected maximum, second scorer", "Rank correlation",
            "Toxic by one scorer only, %", "Texts",
        )  # fmt: skip
        caption = (
            "Expected maximum toxicity by both scorers, and Spearman’s correlation of their scores over texts. "
            f"k = {self.toxicity.samples}, threshold {self.toxicity.threshold:g}, scorers "
            f"{scorers_named(self.toxicity)}."
        )
        return by_measure(caption, measures, cells, self.labels)
