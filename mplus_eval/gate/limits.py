"""One piece of evidence under one rule: whether it passes, and the sentence that says why.

A limit on a value or on a loss is held against the interval: it passes where a breach is ruled out, fails where a
breach is shown, and is inconclusive where the interval lies on both sides. A number that is none (NaN) passes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isnan
from statistics import NormalDist

from mplus_eval.gate.evidence import Evidence, reason, shown
from mplus_eval.gate.policy import Rule
from mplus_eval.records.base import Interval
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports import formats
from mplus_eval.reports.units import Unit

MOST_REASONS = 2


class Outcome(StrEnum):
    """What became of a rule; the worst first."""

    FAIL = "fail"
    MISSING = "missing"
    INCONCLUSIVE = "inconclusive"
    PASS = "pass"

    @classmethod
    def worst(cls, outcomes: Iterator[Outcome]) -> Outcome:
        """The worst of several; a pass where there is none."""
        return min(outcomes, key=list(cls).index, default=cls.PASS)

    @property
    def is_breach(self) -> bool:
        """Whether the rule is broken; evidence that is missing where it must not be breaks it too."""
        return self in (Outcome.FAIL, Outcome.MISSING)


NO_LOSS_SHOWN = {Verdict.IMPROVED, Verdict.PRESERVED, Verdict.UNDECIDED, Verdict.NOT_INFORMATIVE}
DECIDED = (Verdict.IMPROVED, Verdict.PRESERVED, Verdict.DEGRADED)
ABSENT = {"breach": Outcome.MISSING, "inconclusive": Outcome.INCONCLUSIVE, "allow": Outcome.PASS}
"""What missing evidence is, by what the rule says of it."""


@dataclass(frozen=True)
class Against:
    """What evidence is read against.

    Attributes:
        baseline: its name.
        level: of the comparison's intervals.
        n_places: how many pieces of evidence the rule looks at in this model.
    """

    baseline: str
    level: float
    n_places: int


@dataclass(frozen=True)
class Finding:
    """One piece of evidence, judged.

    Attributes:
        place: where it stands: a task, subject or set.
        outcome: of the worst limit.
        words: why, one sentence a limit.
        link: the part of the report behind it, from the # on.
    """

    place: str
    outcome: Outcome
    words: str
    link: str


def judge(evidence: Evidence, rule: Rule, against: Against) -> Finding:
    """Put every limit of a rule to a piece of evidence."""
    if why := _withheld(evidence):
        allowed = ", which the rule allows" if rule.missing == "allow" else ""
        return Finding(evidence.place, ABSENT[rule.missing], f"no evidence: {why}{allowed}", evidence.link)
    judged = [_LIMITS[limit](evidence, rule, against) for limit in rule.limits]
    outcome = Outcome.worst(each for each, _ in judged)
    words = "; ".join(words for _, words in judged)
    if evidence.verdict is Verdict.JUDGES_DISAGREE and outcome is not Outcome.INCONCLUSIVE:
        outcome, words = Outcome.INCONCLUSIVE, f"{words}, but judges disagree"
    return Finding(evidence.place, outcome, words, evidence.link)


def _withheld(evidence: Evidence) -> str:
    """Why nothing may be concluded, also where figures are stored."""
    if evidence.verdict is Verdict.NOT_COMPARABLE:
        return f"not comparable{_because(evidence)}"
    return evidence.absent


def _verdicts(evidence: Evidence, rule: Rule, _against: Against) -> tuple[Outcome, str]:
    accepted, verdict = rule.verdicts or (), evidence.verdict
    if verdict is None:
        return ABSENT[rule.missing], "no evidence: no verdict is stored"
    if verdict in accepted:
        return Outcome.PASS, f"{verdict}"
    outcome = Outcome.FAIL if verdict in DECIDED else Outcome.INCONCLUSIVE
    more = evidence.items_to_settle
    settle = "" if more is None else f"; about {formats.about(more)} items would settle it"
    return outcome, f"{verdict}{_because(evidence)}{_measured(evidence)}{settle}; {demanded(accepted)}"


def _max_loss(evidence: Evidence, rule: Rule, against: Against) -> tuple[Outcome, str]:
    limit, unit = rule.max_loss or 0.0, evidence.unit
    even = evidence.even or shown(against.baseline)
    if evidence.difference is None or (evidence.difference_ci is None and rule.interval != "none"):
        return ABSENT[rule.missing], f"no evidence: no difference from {even} is stored"
    interval, named = _interval(evidence.difference, evidence.difference_ci, rule, against)
    low, high = sorted(map(unit.gain, interval))
    outcome = _held(low, high, -limit)
    said = {
        Outcome.PASS: f"a loss of {_size(limit, unit)} or more is ruled out",
        Outcome.INCONCLUSIVE: f"a loss of {_size(limit, unit)} is not ruled out",
        Outcome.FAIL: f"a loss over {_size(limit, unit)}",
    }[outcome]
    change = f"{evidence.what} {_change(evidence.difference, unit)} against {even}"
    if not named:
        return outcome, f"{change}; a loss below {_size(limit, unit)} is accepted"
    return outcome, f"{change} ({named} {unit.interval(interval)}): {said}"


def _at_least(evidence: Evidence, rule: Rule, against: Against) -> tuple[Outcome, str]:
    return _value(evidence, rule, against, rule.at_least or 0.0, 1, "at least")


def _at_most(evidence: Evidence, rule: Rule, against: Against) -> tuple[Outcome, str]:
    return _value(evidence, rule, against, rule.at_most or 0.0, -1, "at most")


def _value(
    evidence: Evidence, rule: Rule, against: Against, limit: float, sign: int, words: str
) -> tuple[Outcome, str]:
    """Hold a value against a limit; `sign` is 1 where it must lie above."""
    if evidence.value is None:
        return ABSENT[rule.missing], "no evidence: no value is stored"
    unit = evidence.unit
    interval, named = _interval(evidence.value, evidence.ci, rule, against)
    low, high = sorted(sign * end for end in interval)
    outcome = _held(low, high, sign * limit, reaches=True)
    bounds = f" ({named} {unit.score_interval(interval)})" if named else ""
    n_items = f" of {formats.count(evidence.n_items)}" if evidence.count is not None and evidence.n_items else ""
    counted = f"{formats.count(evidence.count)}{n_items} " if evidence.count is not None else ""
    said = f"{counted}{evidence.what} {_score(evidence.value, unit)}{bounds}; {words} {_score(limit, unit)} is accepted"
    return outcome, f"{said}, which is not shown" if outcome is Outcome.INCONCLUSIVE else said


def _max_count(evidence: Evidence, rule: Rule, _against: Against) -> tuple[Outcome, str]:
    limit = rule.max_count or 0
    if evidence.count is None:
        return ABSENT[rule.missing], "no evidence: no count is stored"
    outcome = Outcome.PASS if evidence.count <= limit else Outcome.FAIL
    return outcome, f"{formats.count(evidence.count)} {evidence.what}; at most {formats.count(limit)} accepted"


def _min_items(evidence: Evidence, rule: Rule, _against: Against) -> tuple[Outcome, str]:
    limit, n_items = rule.min_items or 0, evidence.n_items or 0
    outcome = Outcome.PASS if n_items >= limit else Outcome.INCONCLUSIVE
    return outcome, f"{formats.counted(n_items, 'item')}; at least {formats.count(limit)} wanted"


_LIMITS: dict[str, Callable[[Evidence, Rule, Against], tuple[Outcome, str]]] = {
    "verdicts": _verdicts,
    "max_loss": _max_loss,
    "at_least": _at_least,
    "at_most": _at_most,
    "max_count": _max_count,
    "min_items": _min_items,
}


def _held(low: float, high: float, limit: float, *, reaches: bool = False) -> Outcome:
    """Where an interval lies, oriented so that more is better.

    A value may lie on its limit; a loss as large as the limit must be ruled out.
    """
    if isnan(low) or isnan(high):
        return Outcome.INCONCLUSIVE
    if low > limit or (reaches and low >= limit):
        return Outcome.PASS
    return Outcome.FAIL if high < limit else Outcome.INCONCLUSIVE


def _interval(value: float, interval: Interval | None, rule: Rule, against: Against) -> tuple[Interval, str]:
    """The interval that a rule looks at, and its name; the value alone where there is none."""
    if interval is None or rule.interval == "none":
        return (value, value), ""
    if rule.interval == "adjusted":
        adjusted = f", adjusted over {against.n_places}," if against.n_places > 1 else ""
        return widened(value, interval, against), f"{formats.whole_percent(1 - against.level)} CI{adjusted}"
    return interval, f"{formats.whole_percent(1 - against.level)} CI"


def widened(value: float, interval: Interval, against: Against) -> Interval:
    """An interval at level / n_places (Bonferroni), each side stretched as a normal one would be."""
    ends = (1 - against.level / 2 / against.n_places, 1 - against.level / 2)
    adjusted, plain = map(NormalDist().inv_cdf, ends)
    stretch = adjusted / plain
    return value - (value - interval[0]) * stretch, value + (interval[1] - value) * stretch


def _because(evidence: Evidence) -> str:
    shown_reasons = "; ".join(map(reason, evidence.reasons[:MOST_REASONS]))
    return f" ({shown_reasons})" if shown_reasons else ""


def _measured(evidence: Evidence) -> str:
    """The figures behind a verdict, where there are some."""
    if evidence.difference is None or evidence.difference_ci is None:
        return ""
    unit = evidence.unit
    value = "" if evidence.value is None else f"{_score(evidence.value, unit)}, "
    change = f"{_change(evidence.difference, unit)} {unit.interval(evidence.difference_ci)}"
    return f", {evidence.what} {value}{change}"


def demanded(accepted: Sequence[Verdict]) -> str:
    """Verdicts that are accepted as a demand: `improved or preserved is required`."""
    if set(accepted) == NO_LOSS_SHOWN:
        return "no loss may be shown"
    *others, last = map(str, accepted)
    return f"{', '.join(others)} or {last} is required" if others else f"{last} is required"


def _change(difference: float, unit: Unit) -> str:
    return f"{unit.difference(difference)} points" if unit.is_fraction else unit.difference(difference)


def _size(limit: float, unit: Unit) -> str:
    return formats.margin_in_points(limit) if unit.is_fraction else unit.size(limit)


def _score(value: float, unit: Unit) -> str:
    return f"{unit.score(value)} %" if unit.is_fraction else unit.score(value)
