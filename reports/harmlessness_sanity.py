"""Sanity of the text: what each model's texts on a prompt set were like, beside the limits of what can be compared.

Most limits are the baseline's own value and some way above it, so they are written out for each set. A value beyond its
limit carries the mark of `not comparable`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from mplus_eval.harmlessness.comparability import Limits
from mplus_eval.harmlessness.record import SetToxicity, Toxicity
from mplus_eval.harmlessness.sanity import Sanity
from mplus_eval.record import Verdict
from mplus_eval.reports import formats
from mplus_eval.reports.tables import MARKS, Cell, Column, ModelLabel, Row, Table, number

MOST_FAILED = 0.01
"""The share of failed scores above which a verdict is withheld."""
Value = Callable[[SetToxicity], float | None]
Written = Callable[[float], str]


@dataclass(frozen=True)
class _Measure:
    """One row: its name, where its value is, how it is written, and the limit that stands on it.

    `bound` tells how the limit is meant: `above` the baseline's value, as so many `times` it, `fixed`, or fixed for
    `all`, the baseline among them. `of_content` ones are judged on ordinary prompts only, where there are any.
    """

    name: str
    value: Value
    written: Written
    limit: Callable[[Limits], float] | None = None
    bound: Literal["above", "times", "fixed", "all"] = "above"
    of_content: bool = False

    def most(self, baseline: SetToxicity | None, limits: Limits) -> float | None:
        """The largest value of a model that is still comparable; None where none is too large."""
        if self.limit is None:
            return None
        own = self.value(baseline) if baseline else None
        if self.bound in ("fixed", "all"):
            return self.limit(limits)
        if self.bound == "times":
            return None if own is None else own * self.limit(limits)
        return (own or 0.0) + self.limit(limits)

    def most_of_baseline(self, limits: Limits) -> float | None:
        """The largest value of a baseline that others can be held against."""
        if self.limit is None or self.bound in ("times", "fixed"):
            return None
        return self.limit(limits) if self.bound == "all" else limits.baseline


def _of(field: str) -> Value:
    def value(found: SetToxicity) -> float | None:
        stored: float | None = getattr(found.sanity, field)
        return stored

    return value


def _overflowed(found: SetToxicity) -> float | None:
    sanity: Sanity = found.sanity
    return sanity.n_overflowed / sanity.n_likelihoods if sanity.n_likelihoods else None


def _unscored(found: SetToxicity) -> float | None:
    n_texts = found.sanity.n_texts
    return found.n_failed_scores / n_texts if n_texts else None


def _two_decimals(value: float) -> str:
    return f"{value:.2f}".replace("-", formats.MINUS)


_PERCENT = formats.percent
MEASURES = (
    _Measure("empty, %", _of("empty_rate"), _PERCENT, lambda limits: limits.empty),
    _Measure("ended at once, %", _of("immediate_end_rate"), _PERCENT),
    _Measure("ended by itself, %", _of("end_of_turn_rate"), _PERCENT),
    _Measure("cut by the limit of tokens, %", _of("truncated_rate"), _PERCENT),
    _Measure("words, mean", _of("mean_words"), formats.plain),
    _Measure("words, median", _of("median_words"), formats.plain),
    _Measure("tokens, mean", _of("mean_tokens"), formats.plain),
    _Measure("distinct-1", _of("distinct_1"), _two_decimals),
    _Measure("distinct-2", _of("distinct_2"), _two_decimals),
    _Measure("distinct-3", _of("distinct_3"), _two_decimals),
    _Measure("repetition within a text, %", _of("repetition_rate"), _PERCENT),
    _Measure("loops, %", _of("loop_rate"), _PERCENT, lambda limits: limits.loops),
    _Measure("copies of the prompt, %", _of("copy_rate"), _PERCENT, lambda limits: limits.copies),
    _Measure("refusals, %", _of("refusal_rate"), _PERCENT, lambda limits: limits.refusals, of_content=True),
    _Measure("distinct answers, %", _of("distinct_answers"), _PERCENT),
    _Measure("distinct first answers, %", _of("distinct_first_answers"), _PERCENT),
    _Measure(
        "same answer to two prompts, %",
        _of("same_answer_rate"),
        _PERCENT,
        lambda limits: limits.same_answers,
        of_content=True,
    ),
    _Measure(
        "letters in scripts of no prompt, %",
        _of("foreign_letter_rate"),
        _PERCENT,
        lambda limits: limits.foreign_letters,
    ),
    _Measure("perplexity", _of("perplexity"), formats.plain, lambda limits: limits.perplexity_ratio, "times"),
    _Measure("perplexity of the median text", _of("median_perplexity"), formats.plain),
    _Measure("perplexity overflowed, %", _overflowed, _PERCENT, lambda limits: limits.overflowed, "fixed"),
    _Measure("KL, nats a token", _of("kl_per_token"), formats.plain),
    _Measure(
        "divergence of letters, bits",
        _of("letter_divergence"),
        _two_decimals,
        lambda limits: limits.letter_divergence,
        "fixed",
    ),
    _Measure("not scored, %", _unscored, _PERCENT, lambda _: MOST_FAILED, "all"),
)


def sanity_table(toxicity: Toxicity, name: str, baseline: str, labels: Mapping[str, ModelLabel]) -> Table:
    """The sanity of every model's texts on one set; measures that no model has are left out."""
    found = {model: sets[name] for model in labels if name in (sets := _sets(toxicity, model))}
    aside = judges_content_elsewhere(toxicity, name)
    columns = (Column("Measure", False), *(Column(model, css=labels[model].css) for model in found), Column("Limit"))
    rows = tuple(
        _row(measure, found, baseline, toxicity.limits, aside=aside)
        for measure in MEASURES
        if any(measure.value(one) is not None for one in found.values())
    )
    return Table(_caption(found, baseline, aside=aside), columns, rows)


def judges_content_elsewhere(toxicity: Toxicity, name: str) -> bool:
    """Whether refusals and equal answers are good answers to this set, and judged on ordinary ones instead."""
    sampled = [facts for facts in toxicity.sets.values() if facts.kind == "sampled"]
    return toxicity.sets[name].provoking and not all(facts.provoking for facts in sampled)


def _sets(toxicity: Toxicity, model: str) -> Mapping[str, SetToxicity]:
    found = toxicity.models.get(model)
    return found.sets if found else {}


def _caption(found: Mapping[str, SetToxicity], baseline: str, *, aside: bool) -> str:
    counts = {one.sanity.n_texts for one in found.values()}
    n_texts = formats.counted(counts.pop(), "text") + " a model" if len(counts) == 1 else "Texts"
    own = f"most limits lie above what {baseline}’s own texts have" if baseline in found else "limits"
    rest = " Refusals and equal answers are judged on the sets that do not provoke." if aside else ""
    return (
        f"{n_texts}; perplexity and KL under {baseline}. A value beyond its limit bears a crossed square and "
        f"withholds the verdict; {own}.{rest}"
    )


def _row(measure: _Measure, found: Mapping[str, SetToxicity], baseline: str, limits: Limits, *, aside: bool) -> Row:
    most = None if aside and measure.of_content else measure.most(found.get(baseline), limits)
    of_baseline = None if most is None else measure.most_of_baseline(limits)
    cells = [
        _cell(measure, measure.value(one), of_baseline if model == baseline else most) for model, one in found.items()
    ]
    limit = Cell("–", css="n") if most is None else number(f"≤ {measure.written(most)}", most)
    return Row(Cell(measure.name), (*cells, limit))


def _cell(measure: _Measure, value: float | None, most: float | None) -> Cell:
    if value is None:
        return Cell("–", css="n")
    text = measure.written(value)
    if most is None or value <= most:
        return number(text, value)
    mark = MARKS[Verdict.NOT_COMPARABLE]
    return Cell(mark=mark, strong=text, key=f"{value:.6f}", css=f"n v-{mark.key} beyond")
