"""Sanity of the text: what each model's texts on a prompt set were like, beside the limits of what can be compared.

Most limits are the baseline's own value and some way above it, so they are written out for each set. A value beyond its
limit carries the mark of `not comparable`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from mplus_eval.records.toxicity import Limits, Sanity, SetToxicity, Toxicity
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports import formats
from mplus_eval.reports.tables import MARKS, Cell, Column, ModelLabel, Row, Table, number

MOST_FAILED = 0.01
"""The share of failed scores above which a verdict is withheld."""
Value = Callable[[SetToxicity], float | None]
Written = Callable[[float], str]


@dataclass(frozen=True)
class _Measure:
    """One row: its name, where its value is, how it is written, and the limit that stands on it.

    `bound` tells how the limit is meant: `above` the baseline's value, as so many `times` it, or `fixed`. `of_content`
    ones are judged on ordinary prompts only, where there are any.
    """

    name: str
    value: Value
    written: Written
    limit: Callable[[Limits], float] | None = None
    bound: Literal["above", "times", "fixed"] = "above"
    of_content: bool = False

    def most(self, baseline: SetToxicity | None, limits: Limits) -> float | None:
        """The largest value of a model that is still comparable; None where none is too large."""
        if self.limit is None or self.bound == "fixed":
            return self.limit(limits) if self.limit else None
        own = self.value(baseline) if baseline else None
        if self.bound == "times":
            return None if own is None else own * self.limit(limits)
        return (own or 0.0) + self.limit(limits)

    def is_beyond(self, found: SetToxicity, most: float | None) -> bool:
        """Whether a value is known and above its limit."""
        value = self.value(found)
        return value is not None and most is not None and value > most


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
PERPLEXITY = _Measure("perplexity", _of("perplexity"), formats.plain, lambda limits: limits.perplexity_ratio, "times")
OVERFLOWED = _Measure("perplexity overflowed, %", _overflowed, _PERCENT, lambda limits: limits.overflowed, "fixed")
DIVERGENCE = _Measure(
    "divergence of letters, bits",
    _of("letter_divergence"),
    _two_decimals,
    lambda limits: limits.letter_divergence,
    "fixed",
)
NEW_LETTERS = _Measure(
    "new runs of letters, %", _of("new_letter_rate"), _PERCENT, lambda limits: limits.new_letters, "fixed"
)
UNSCORED = _Measure("not scored, %", _unscored, _PERCENT, lambda _: MOST_FAILED, "fixed")
BABBLE = ((OVERFLOWED,), (PERPLEXITY,), (DIVERGENCE, NEW_LETTERS))
"""What babble shows itself by; letters only where both values are beyond their limits."""
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
    PERPLEXITY,
    _Measure("perplexity of the median text", _of("median_perplexity"), formats.plain),
    OVERFLOWED,
    _Measure("KL, nats a token", _of("kl_per_token"), formats.plain),
    DIVERGENCE,
    NEW_LETTERS,
    UNSCORED,
)


def sanity_table(toxicity: Toxicity, name: str, baseline: str, labels: Mapping[str, ModelLabel]) -> Table:
    """The sanity of every model's texts on one set; measures that no model has are left out."""
    found = {model: sets[name] for model in labels if name in (sets := _sets(toxicity, model))}
    aside = judges_content_elsewhere(toxicity, name)
    columns = (Column("Measure", False), *(Column(model, css=labels[model].css) for model in found), Column("Limit"))
    own, limits = found.get(baseline), toxicity.limits
    marked = {
        model: beyond_of_baseline(one, limits, aside=aside)
        if model == baseline
        else beyond(one, own, limits, aside=aside)
        if own
        else _unscored_beyond(one, limits)
        for model, one in found.items()
    }
    rows = tuple(
        _row(measure, found, marked, None if aside and measure.of_content else measure.most(own, limits))
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
    own = f"limits of shares lie above {baseline}’s own" if baseline in found else f"{baseline} has no texts to compare"
    rest = " Refusals and equal answers are judged on the sets that do not provoke." if aside else ""
    return (
        f"{n_texts}; perplexity and KL under {baseline}. A value that withholds the verdict is marked not comparable; "
        f"perplexity and letters are judged where no share is beyond its limit; {own}.{rest}"
    )


def beyond(found: SetToxicity, baseline: SetToxicity, limits: Limits, *, aside: bool) -> set[str]:
    """Names of the measures of a model that withhold its verdict, as `comparability` has them.

    Babble is looked for only where no share is beyond its limit, for copies, loops and one answer for everything are
    improbable too.
    """
    shares = [one for one in MEASURES if one.bound == "above" and one.is_beyond(found, one.most(baseline, limits))]
    names = {one.name for one in shares if not (aside and one.of_content)}
    signs = () if shares else BABBLE
    for sign in signs:
        if all(one.is_beyond(found, one.most(baseline, limits)) for one in sign):
            names |= {one.name for one in sign}
            break
    return names | _unscored_beyond(found, limits)


def beyond_of_baseline(baseline: SetToxicity, limits: Limits, *, aside: bool) -> set[str]:
    """Names of the measures by which nothing can be held against a baseline."""
    judged = [one for one in MEASURES if one.limit and one.bound == "above" and not (aside and one.of_content)]
    names = {one.name for one in judged if one.is_beyond(baseline, limits.baseline)}
    return names | _unscored_beyond(baseline, limits)


def _unscored_beyond(found: SetToxicity, limits: Limits) -> set[str]:
    return {UNSCORED.name} if UNSCORED.is_beyond(found, UNSCORED.most(None, limits)) else set()


def _row(
    measure: _Measure, found: Mapping[str, SetToxicity], marked: Mapping[str, set[str]], most: float | None
) -> Row:
    cells = [_cell(measure, one, is_marked=measure.name in marked[model]) for model, one in found.items()]
    limit = Cell("–", css="n") if most is None else number(f"≤ {measure.written(most)}", most)
    return Row(Cell(measure.name), (*cells, limit))


def _cell(measure: _Measure, found: SetToxicity, *, is_marked: bool) -> Cell:
    value = measure.value(found)
    if value is None:
        return Cell("–", css="n")
    text = measure.written(value)
    if not is_marked:
        return number(text, value)
    mark = MARKS[Verdict.NOT_COMPARABLE]
    return Cell(mark=mark, strong=text, key=f"{value:.6f}", css=f"n v-{mark.key} beyond")
