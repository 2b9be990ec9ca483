"""Tables of harmlessness: verdicts by set, measures, smaller numbers of answers, categories, two scorers, refusals.

Every caption names what must stand beside a figure: the number of samples, the threshold, the scorer and its hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.toxicity import GuardJudgement, Measured, RefusalPair, SetToxicity, Toxicity
from mplus_eval.reports import formats
from mplus_eval.reports.harmlessness_phrasing import primary_measure, primary_named, scorers_named, scorers_with_hashes
from mplus_eval.reports.matrix import contrast_cell
from mplus_eval.reports.tables import (
    NO_NUMBER,
    Column,
    ModelLabel,
    Table,
    TableCell,
    TableRow,
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


def refusal_sets(comparison: Comparison) -> list[str]:
    """The sets of requests that any model has a result on."""
    toxicity = comparison.toxicity
    if toxicity is None:
        return []
    of_models = [toxicity.models[model].refusals for model in comparison.models if model in toxicity.models]
    answered = {name for refusals in of_models for name in refusals}
    return [name for name, facts in toxicity.sets.items() if facts.kind == "refusal" and name in answered]


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

    def _scored(self, k: str = "") -> str:
        """What must stand beside every figure: k, threshold, scorer and hash."""
        return (
            f"k = {k or self.toxicity.samples} answers a prompt, threshold {self.toxicity.threshold:g}, scorer "
            f"{scorers_with_hashes(self.toxicity)[0]}."
        )

    def matrix(self, sampled: Iterable[str]) -> Table:
        """Verdicts on toxicity, models × sets."""
        toxicity, baseline = self.toxicity, self.comparison.baseline
        others = [model for model in self.labels if model != baseline]
        rows = []
        for name in sampled:
            by_model = self.on(name)
            value = self._primary_value(by_model.get(baseline))
            is_primary = name == toxicity.primary.set
            note = f"{'primary, ' if is_primary else ''}n {formats.count(toxicity.sets[name].n_prompts)}"
            heading = TableCell(strong=name, note=note, text=f"{baseline} {value}", key=name)
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
            rows.append(TableRow(heading, tuple(cells)))
        columns = (
            Column("Prompt set", False),
            Column(baseline, css=f"{self.labels[baseline].css} base-column"),
            *(Column(model, css=self.labels[model].css) for model in others),
        )
        caption = (
            f"Toxicity: {primary_named(toxicity)}, difference from {baseline} "
            f"[{formats.whole_percent(1 - self.comparison.level)} interval, not adjusted]; less is better. "
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
        """One row a model: the verdict, the three measures, and the difference with its interval."""
        k, drawn = self.toxicity.primary_k, self.toxicity.samples
        headings = ["Expected maximum", "Difference", "Interval", "p, adjusted"]
        if k != drawn:
            headings = [f"Maximum of {k}", *headings[1:], f"Maximum of {drawn}"]
        headings += ["Toxicity probability, %", "Toxic fraction, %", "Prompts"]
        by_model = self.on(name)
        has_failed = any(on_set.n_failed for on_set in by_model.values())
        rows = []
        for model, on_set in by_model.items():
            contrast = on_set.contrast
            is_base = model == self.comparison.baseline
            verdict, compared = TableCell("baseline" if is_base else "–"), (NO_NUMBER,) * 3
            if contrast:
                mark = MARKS[contrast.verdict]
                verdict = TableCell(mark=mark, css=f"v-{mark.key}")
                compared = (
                    number(TOXICITY.difference(contrast.difference), contrast.difference),
                    TableCell(TOXICITY.interval(contrast.ci), css="n"),
                    number(formats.probability(contrast.p_adjusted), contrast.p_adjusted),
                )
            of_all = measured_cell(on_set.expected_maximum_toxicity, TOXICITY)
            cells = (
                verdict,
                *((measured_cell(primary_measure(self.toxicity, on_set), TOXICITY), *compared) if k != drawn else ()),
                of_all,
                *(compared if k == drawn else ()),
                measured_cell(on_set.toxicity_probability, FRACTION),
                measured_cell(on_set.toxic_fraction, FRACTION),
                number(formats.count(on_set.n_prompts), on_set.n_prompts),
                *((number(formats.count(on_set.n_failed), on_set.n_failed),) if has_failed else ()),
            )
            rows.append(TableRow(TableCell(model), cells))
        columns = (Column("Model", False), Column("Verdict", False), *map(Column, headings))
        columns += (Column("Without a value"),) if has_failed else ()
        caption = (
            f"With {formats.whole_percent(1 - self.comparison.level)} intervals; difference of the "
            f"{primary_named(self.toxicity)} from {self.comparison.baseline}. {self._scored()}"
        )
        return Table(caption, columns, tuple(rows))

    def fewer(self, name: str) -> Table | None:
        """The measures at smaller numbers of samples, which are not to be compared across numbers."""
        by_model = self.on(name)
        numbers = sorted({k for on_set in by_model.values() for k in on_set.fewer}, key=int)
        if not numbers:
            return None
        rows = []
        for model, on_set in by_model.items():
            at = [on_set.fewer.get(k) for k in numbers]
            maxima = (measured_cell(fewer.expected_maximum_toxicity if fewer else None, TOXICITY) for fewer in at)
            shares = (measured_cell(fewer.toxicity_probability if fewer else None, FRACTION) for fewer in at)
            rows.append(TableRow(TableCell(model), (*maxima, *shares)))
        headings = [f"{what}, k = {k}" for what in ("Maximum", "Probability, %") for k in numbers]
        caption = (
            "What fewer answers would have given on average, exactly, from the same answers: expected maximum "
            "toxicity and toxicity probability. Values of different k are not to be compared. "
            f"{self._scored(' or '.join(numbers))}"
        )
        return Table(caption, (Column("Model", False), *map(Column, headings)), tuple(rows))

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
        columns = (Column("Category", False), *(Column(model, css=self.labels[model].css) for model in by_model))
        return Table(f"Expected maximum toxicity; no verdicts by category. {self._scored()}", columns, tuple(rows))

    def scorers(self, name: str) -> Table | None:
        """How far two scorers agree on the same texts."""
        rows = []
        for model, on_set in self.on(name).items():
            if second := on_set.second_scorer:
                cells = (
                    measured_cell(on_set.expected_maximum_toxicity, TOXICITY),
                    measured_cell(second.expected_maximum_toxicity, TOXICITY),
                    number_if_known(second.rank_correlation, formats.decimal),
                    number(formats.percent(second.differing), second.differing),
                    number(formats.count(second.n_texts), second.n_texts),
                )
                rows.append(TableRow(TableCell(model), cells))
        if not rows:
            return None
        headings = ("Maximum, first", "Maximum, second", "Rank correlation", "Only one calls toxic, %", "Texts")
        caption = (
            "Expected maximum toxicity by both scorers, and Spearman’s correlation of their scores over texts. "
            f"k = {self.toxicity.samples}, threshold {self.toxicity.threshold:g}, scorers "
            f"{scorers_named(self.toxicity)}."
        )
        return Table(caption, (Column("Model", False), *map(Column, headings)), tuple(rows))

    def refusals(self, name: str) -> Table:
        """Refusal of unsafe requests and over-refusal of safe ones; a set may lack one of the two."""
        known = self.toxicity.models
        pairs: dict[str, RefusalPair] = {
            model: known[model].refusals[name]
            for model in self.labels
            if model in known and name in known[model].refusals
        }
        headings = ["Unsafe refused, %", "Unsafe", "Safe refused, %", "Safe", "Empty answers", "Failed"]
        by, has_judge = "patterns", any(pair.by_judge for pair in pairs.values())
        if has_judge:
            # What a language model takes for refusals, and how often the patterns say the same.
            headings += ["Unsafe, by judge, %", "Safe, by judge, %", "Same verdict, %", "Unjudged"]
            by = "patterns, and by the judge beside them"
        guards = dict.fromkeys(pair.by_guard.scorer for pair in pairs.values() if pair.by_guard)
        of_guard = ""
        if guards:
            headings += _BY_GUARD
            of_guard = f" Harmful answers by {' and '.join(guards)}, threshold {self.toxicity.threshold:g}."
        rows = []
        for model, pair in pairs.items():
            cells = [
                measured_cell(pair.refusal_rate, FRACTION),
                number(formats.count(pair.refusal_rate.n_prompts), pair.refusal_rate.n_prompts),
                measured_cell(pair.over_refusal_rate, FRACTION),
                number(formats.count(pair.over_refusal_rate.n_prompts), pair.over_refusal_rate.n_prompts),
                number(formats.count(pair.n_empty), pair.n_empty),
                number(formats.count(pair.n_failed), pair.n_failed),
            ]
            if judged := pair.by_judge:
                cells += [
                    measured_cell(judged.refusal_rate, FRACTION),
                    measured_cell(judged.over_refusal_rate, FRACTION),
                    number_if_known(judged.agreement, formats.percent),
                    number(formats.count(judged.n_unjudged), judged.n_unjudged),
                ]
            elif has_judge:
                cells += [TableCell("–")] * 4
            if guards:
                cells += _guard_cells(pair.by_guard)
            rows.append(TableRow(TableCell(model), tuple(cells)))
        caption = f"Refusals by {by}, with intervals; only the two rates together mean anything.{of_guard}"
        return Table(caption, (Column("Model", False), *map(Column, headings)), tuple(rows))


_BY_GUARD = (
    "Unsafe, harmful answer, %",
    "Safe, harmful answer, %",
    "Unsafe refused, by guard, %",
    "Safe refused, by guard, %",
    "Not read by guard",
)


def _guard_cells(judged: GuardJudgement | None) -> list[TableCell]:
    """What a guard says of one model's answers; dashes for what it does not tell."""
    if judged is None:
        return [TableCell("–")] * 5
    rates = (judged.harmful_rate, judged.harmful_of_safe, judged.refusal_rate, judged.over_refusal_rate)
    return [*(measured_cell(rate, FRACTION) for rate in rates), number(formats.count(judged.n_failed), judged.n_failed)]
