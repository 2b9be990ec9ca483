"""Degeneration checks: what each model's texts on a prompt set were like, beside the limits of what can be compared.

Most limits are the baseline's own value and some way above it, so they are written out for each set. A value beyond its
limit carries the mark of `not comparable`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log2
from operator import attrgetter
from typing import Literal

from mplus_eval.records.toxicity import Limits, SetToxicity, Toxicity
from mplus_eval.reports import formats
from mplus_eval.reports.tables import (
    NO_NUMBER,
    Column,
    ModelLabel,
    Table,
    TableCell,
    TableRow,
    number,
    number_if_known,
)
from mplus_eval.reports.verdicts import NOT_COMPARABLE

MOST_FAILED = 0.01
"""The share of failed scores above which a verdict is withheld."""


@dataclass(frozen=True)
class SanityMeasure:
    """One row: its name, where its value is, how it is written, and the limit that stands on it, by its name or itself.

    `bound` tells how the limit is meant: `above` the baseline's value, as so many `times` it, in the `bits` a byte that
    so many times the perplexity are, or `fixed`. `of_content` ones are judged on ordinary prompts only, where there are
    any. `of_baseline` is where the baseline's value is when that is another than a model's own.
    """

    name: str
    value: Callable[[SetToxicity], float | None]
    write: Callable[[float], str]
    limit: str | float = ""
    bound: Literal["above", "times", "bits", "fixed"] = "above"
    of_content: bool = False
    of_baseline: Callable[[SetToxicity], float | None] | None = None

    def most(self, baseline: SetToxicity | None, limits: Limits) -> float | None:
        """The largest value of a model that is still comparable; None where none is too large."""
        if not self.limit:
            return None
        limit: float = getattr(limits, self.limit) if isinstance(self.limit, str) else self.limit
        own = (self.of_baseline or self.value)(baseline) if baseline else None
        if self.bound == "times":
            return None if own is None else own * limit
        if self.bound == "bits":
            length = baseline.sanity.bytes_per_token if baseline else None
            return None if own is None or not length else own + log2(limit) / length
        return limit if self.bound == "fixed" else (own or 0.0) + limit


def overflowed(on_set: SetToxicity) -> float | None:
    """Share of the texts with a likelihood whose perplexity is no finite number."""
    return on_set.sanity.n_overflowed / on_set.sanity.n_likelihoods if on_set.sanity.n_likelihoods else None


def fewest_refusals(on_set: SetToxicity) -> float | None:
    """The lowest that the true share of refusals may be; as counted in a comparison that has no bounds."""
    bounds = on_set.sanity.refusal_bounds
    return bounds[0] if bounds else on_set.sanity.refusal_rate


def most_refusals(on_set: SetToxicity) -> float | None:
    """The highest that it may be."""
    bounds = on_set.sanity.refusal_bounds
    return bounds[1] if bounds else on_set.sanity.refusal_rate


def unscored(on_set: SetToxicity) -> float | None:
    """Share of texts that the scorer failed on."""
    return on_set.n_failed_scores / on_set.sanity.n_texts if on_set.sanity.n_texts else None


_PERCENT, _PLAIN, _DECIMAL = formats.percent, formats.plain, formats.decimal
_of = attrgetter
PERPLEXITY = SanityMeasure("perplexity", _of("sanity.perplexity"), _PLAIN, "perplexity_ratio", "times")
BITS = SanityMeasure("bits per byte", _of("sanity.bits_per_byte"), _DECIMAL, "perplexity_ratio", "bits")
"""Judged in place of the perplexity of a model whose tokens are not the baseline's."""
OVERFLOWED = SanityMeasure("perplexity overflowed, %", overflowed, _PERCENT, "overflowed", "fixed")
DIVERGENCE = SanityMeasure(
    "letter divergence, bits", _of("sanity.letter_divergence"), _DECIMAL, "letter_divergence", "fixed"
)
NEW_LETTERS = SanityMeasure(
    "letter n-grams unseen in the baseline, %", _of("sanity.new_letter_rate"), _PERCENT, "new_letters", "fixed"
)
UNSCORED = SanityMeasure("not scored, %", unscored, _PERCENT, MOST_FAILED, "fixed")
SANITY_MEASURES = (
    SanityMeasure("empty, %", _of("sanity.empty_rate"), _PERCENT, "empty"),
    SanityMeasure("EOS as first token, %", _of("sanity.immediate_end_rate"), _PERCENT),
    SanityMeasure("ended with EOS, %", _of("sanity.end_of_turn_rate"), _PERCENT),
    SanityMeasure("truncated at the token limit, %", _of("sanity.truncated_rate"), _PERCENT),
    SanityMeasure("continued as the user, %", _of("sanity.ran_on_rate"), _PERCENT),
    SanityMeasure("words, mean", _of("sanity.mean_words"), _PLAIN),
    SanityMeasure("words, median", _of("sanity.median_words"), _PLAIN),
    SanityMeasure("tokens, mean", _of("sanity.mean_tokens"), _PLAIN),
    SanityMeasure("distinct-1", _of("sanity.distinct_1"), _DECIMAL),
    SanityMeasure("distinct-2", _of("sanity.distinct_2"), _DECIMAL),
    SanityMeasure("distinct-3", _of("sanity.distinct_3"), _DECIMAL),
    SanityMeasure("repetition within a text, %", _of("sanity.repetition_rate"), _PERCENT),
    SanityMeasure("repetition loops, %", _of("sanity.loop_rate"), _PERCENT, "loops"),
    SanityMeasure("copies of the prompt, %", _of("sanity.copy_rate"), _PERCENT, "copies"),
    SanityMeasure("refusals, %", _of("sanity.refusal_rate"), _PERCENT),
    SanityMeasure(
        "refusals at least, %", fewest_refusals, _PERCENT, "refusals", of_content=True, of_baseline=most_refusals
    ),
    SanityMeasure("distinct answers, %", _of("sanity.distinct_answers"), _PERCENT),
    SanityMeasure("distinct first answers, %", _of("sanity.distinct_first_answers"), _PERCENT),
    SanityMeasure(
        "same answer to two prompts, %", _of("sanity.same_answer_rate"), _PERCENT, "same_answers", of_content=True
    ),
    SanityMeasure("same phrase, %", _of("sanity.same_phrase_rate"), _PERCENT, "same_phrase", of_content=True),
    SanityMeasure("unexpected scripts, %", _of("sanity.foreign_letter_rate"), _PERCENT, "foreign_letters"),
    PERPLEXITY,
    SanityMeasure("median perplexity", _of("sanity.median_perplexity"), _PLAIN),
    BITS,
    SanityMeasure("bits per byte, under itself", _of("sanity.own_bits_per_byte"), _DECIMAL),
    OVERFLOWED,
    SanityMeasure("KL, nats per token", _of("sanity.kl_per_token"), _PLAIN),
    DIVERGENCE,
    NEW_LETTERS,
    UNSCORED,
)


def sanity_table(toxicity: Toxicity, name: str, baseline: str, labels: Mapping[str, ModelLabel]) -> Table:
    """The sanity of every model's texts on one set; measures that no model has are left out."""
    by_model = {
        model: toxicity.models[model].sets[name]
        for model in labels
        if model in toxicity.models and name in toxicity.models[model].sets
    }
    # Refusals, and the same words each time, are good answers to a set that provokes, and judged on ordinary ones if
    # there are any.
    sampled = [facts for facts in toxicity.sets.values() if facts.kind == "sampled"]
    aside = toxicity.sets[name].provoking and not all(facts.provoking for facts in sampled)
    own, limits = by_model.get(baseline), toxicity.limits
    rows = []
    for measure in SANITY_MEASURES:
        values = {model: measure.value(on_set) for model, on_set in by_model.items()}
        if all(value is None for value in values.values()):
            continue
        cells = [number_if_known(value, measure.write) for value in values.values()]
        for place, (model, value) in enumerate(values.items()):
            on_set = by_model[model]
            if value is None:
                continue
            if marked(measure, on_set, on_set.beyond) or (measure == UNSCORED and value > MOST_FAILED):
                css = f"n v-{NOT_COMPARABLE.key} beyond"
                cells[place] = TableCell(mark=NOT_COMPARABLE, strong=measure.write(value), key=f"{value:.6f}", css=css)
            elif marked(measure, on_set, on_set.in_doubt):
                cells[place] = TableCell(f"{measure.write(value)} ?", key=f"{value:.6f}", css="n")
        most = None if aside and measure.of_content else measure.most(own, limits)
        limit = NO_NUMBER if most is None else number(f"≤ {measure.write(most)}", most)
        rows.append(TableRow(TableCell(measure.name), (*cells, limit)))
    columns = (Column("Measure", False), *(labels[model].column() for model in by_model), Column("Limit"))
    counts = {on_set.sanity.n_texts for on_set in by_model.values()}
    n_texts = formats.counted(counts.pop(), "text") + " per model" if len(counts) == 1 else "Texts"
    of_shares = f"limits of shares lie above {baseline}’s own" if own else f"{baseline} has no texts to compare"
    rest = " Refusals, equal answers and phrases are judged on the sets that do not provoke." if aside else ""
    if any(on_set.in_doubt for on_set in by_model.values()):
        rest += " A value with ? is above its limit within sampling error: neither improved nor preserved is said."
    if any(on_set.sanity.refusal_bounds for on_set in by_model.values()):
        rest += " Refusals are judged at the bounds of the error with which they are told."
    caption = (
        f"{n_texts}; perplexity, bits per byte and KL under {baseline}{_other_tokens(by_model, baseline)}. "
        "A value that breaks its limit beyond sampling error is marked, and withholds the verdict; "
        f"the phrase, perplexity and letters are judged where no other share is beyond its limit; {of_shares}.{rest}"
    )
    return Table(caption, columns, tuple(rows))


def _other_tokens(by_model: Mapping[str, SetToxicity], baseline: str) -> str:
    """Which models have no figures per token, since their tokens are not the baseline's."""
    other = [model for model, on_set in by_model.items() if not on_set.sanity.same_vocabulary]
    return f"; the tokens of {' and '.join(other)} are not those of {baseline}: bits per byte alone" if other else ""


def marked(measure: SanityMeasure, on_set: SetToxicity, limits: tuple[str, ...]) -> bool:
    """Whether a measure stands for one of the limits, by name; bits per byte where a token is not the baseline's."""
    if measure == UNSCORED:
        return False
    other_tokens = (BITS if on_set.sanity.same_vocabulary else PERPLEXITY) == measure
    return measure.limit in limits and not other_tokens
