"""What was found of one model on one axis, as a cell of the decision, and one headline an axis over all models.

The clauses of a headline are made of the words of verdicts and of nothing else, so it is never stronger than they are:
a model is called less toxic where its verdict is `improved`, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mplus_eval.records.verdict import Verdict
from mplus_eval.reports import formats
from mplus_eval.reports.text import abridged, one_line, truncate_end
from mplus_eval.reports.verdicts import NO_VERDICT, VERDICTS, Mark, Words, is_comparable

MOST_NAMES = 3
NAME_LENGTH = 40
NEARLY = 1.1
"""Numbers of items that are no further apart than this are told as one."""


@dataclass(frozen=True)
class Note:
    """What qualifies a verdict, in a line: refusals, the second judge, a stock answer; `href` leads to its evidence."""

    text: str
    is_warning: bool = False
    href: str = ""


@dataclass(frozen=True)
class Finding:
    """One model on one axis.

    `word` is its verdict, `value` the figure beside it and `interval` that of it or of its difference; `reason` stands
    in their place where nothing may be concluded. `number` is what headlines take their ranges from.
    """

    axis: str
    mark: Mark
    word: str
    value: str = ""
    interval: str = ""
    reason: str = ""
    notes: tuple[Note, ...] = ()
    href: str = ""
    verdict: Verdict | None = None
    number: float | None = None


@dataclass(frozen=True)
class Headline:
    """What the verdicts of all models say on one axis: the first clause stands out.

    After the clauses come the `facts` behind verdicts that are open, what would `settle` them, and the `warnings` that
    qualify the others; what is empty is left out.
    """

    axis: str
    clauses: tuple[str, ...]
    facts: str = ""
    settle: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def lead(self) -> str:
        """The axis and the first clause."""
        return f"{self.axis}: {self.clauses[0]}"

    @property
    def rest(self) -> str:
        """What follows the lead: the other clauses, then the sentences."""
        others = "".join(f"; {clause}" for clause in self.clauses[1:])
        return " ".join(filter(None, (f"{others}.", self.facts, self.settle, *self.warnings)))

    @property
    def short(self) -> str:
        """Without the facts, and without what would settle them, which stands in a line of its own."""
        return " ".join((f"{self.axis}: {'; '.join(self.clauses)}.", *self.warnings))


def no_verdict(axis: str, reason: str, href: str, notes: tuple[Note, ...] = ()) -> Finding:
    """A model of which an axis has no verdict, and why."""
    return Finding(axis, NO_VERDICT, NO_VERDICT.word, reason=reason, notes=notes, href=href)


def word_of(verdict: Verdict, words: Words, *, loss_shown: bool = False, small_gain: bool = False) -> str:
    """A verdict in a word or two, as an axis says it."""
    return words.word_for(loss_shown=loss_shown, small_gain=small_gain) or VERDICTS[verdict].mark.word


def is_settled(finding: Finding) -> bool:
    """Whether the verdict says something of the model."""
    return finding.verdict not in (None, Verdict.UNDECIDED) and is_comparable(finding)


def clauses(
    findings: Mapping[str, Finding],
    spread: Callable[[Sequence[Finding]], str],
    order: Iterable[Verdict] = tuple(Verdict),
) -> tuple[str, ...]:
    """Say of which models which verdict holds, a clause a word: `sft and plus are less toxic`.

    Args:
        findings: on one axis, by model.
        spread: what follows a clause on models whose verdict says something, such as the range of their figures.
        order: in which verdicts are told; what has none is told last.
    """
    told = []
    for verdict in (*order, None):
        groups: dict[str, dict[str, Finding]] = {}
        for name, finding in findings.items():
            if finding.verdict is verdict:
                groups.setdefault(finding.word, {})[name] = finding
        for word, group in sorted(groups.items(), key=lambda each: -len(each[1])):
            told.append(clause(verdict, word, group, len(findings)) + (spread(list(group.values())) if verdict else ""))
    return tuple(told)


def clause(verdict: Verdict | None, word: str, group: Mapping[str, Finding], n_models: int) -> str:
    """One verdict and the models of which it holds."""
    is_all = len(group) == n_models > 1
    if verdict is Verdict.UNDECIDED and is_all:
        return f"{word} for any model"
    who = f"all {n_models} models" if is_all else named(group)
    if verdict is Verdict.JUDGES_DISAGREE:
        return f"the judges disagree on {who}"
    if verdict is None:
        return f"{who} {'have' if len(group) > 1 else 'has'} {word}"
    return f"{who} {'are' if len(group) > 1 else 'is'} {word}"


def named(names: Iterable[str]) -> str:
    """Models by name, the first few of many."""
    return abridged([shortened(name) for name in names], MOST_NAMES, "models")


def shortened(name: str) -> str:
    """A name fit for a headline."""
    return truncate_end(one_line(name), NAME_LENGTH)


def settling(needs: Mapping[str, int | None], noun: str) -> str:
    """How many items would settle which models: the fewest that settle some, and what settles all of those known.

    >>> settling({"a": 5300, "b": 3100, "c": 3200, "d": 6300}, "item")
    'About 3,200 items would settle b and c, about 6,300 all 4.'
    """
    known = {name: need for name, need in needs.items() if need is not None}
    if not known:
        return ""
    least, most = min(known.values()), max(known.values())
    first = {name: need for name, need in known.items() if need <= NEARLY * least}
    some = f"About {formats.about(max(first.values()))} {noun}s would settle {named(first)}"
    if len(first) == len(known):
        return f"{some}."
    rest = f"all {len(known)}" if len(known) == len(needs) else named(known)
    return f"{some}, about {formats.about(most)} {rest}."
