"""Evidence: what a run holds of one model at one place, in the form to which any rule can be put."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import quote, urlencode

from mplus_eval.records.base import Interval
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports.text import one_line, truncate_end
from mplus_eval.reports.units import FRACTION, Unit

NAME_LENGTH = 100
REASON_LENGTH = 200


@dataclass(frozen=True)
class Scope:
    """Where a rule looks: names or patterns of tasks, subjects, prompt sets; None is what the measure itself means."""

    tasks: tuple[str, ...] | None = None
    subjects: tuple[str, ...] | None = None
    sets: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Evidence:
    """What is known of one model at one place; what is not known is None.

    Attributes:
        place: a task, subject, prompt set; the axis where it has no parts.
        link: the part of the report behind it, from the # on.
        what: what `value` is of, in a word or two.
        absent: why there is no evidence; empty where there is.
        verdict: the comparison's own.
        reasons: why the verdict is no other.
        value: in `unit`.
        ci: of `value`.
        difference: the model minus the baseline, in `unit`.
        difference_ci: of `difference`, unadjusted, at the comparison's level.
        count: how many items failed.
        n_items: on which all of this stands.
        items_to_settle: how many would settle an undecided verdict.
        even: what `difference` is from, where that is not the baseline.
        unit: how it is written, and which direction is a loss.
    """

    place: str
    link: str
    what: str = ""
    absent: str = ""
    verdict: Verdict | None = None
    reasons: tuple[str, ...] = ()
    value: float | None = None
    ci: Interval | None = None
    difference: float | None = None
    difference_ci: Interval | None = None
    count: int | None = None
    n_items: int | None = None
    items_to_settle: int | None = None
    even: str = ""
    unit: Unit = FRACTION


def shown(name: str) -> str:
    """A name from a run, fit to stand in a line."""
    return truncate_end(one_line(name), NAME_LENGTH)


def reason(text: str) -> str:
    """A cause or reason from a run, fit to stand in a sentence."""
    return truncate_end(one_line(text), REASON_LENGTH).rstrip(".")


def items_link(model: str, show: str, **where: str) -> str:
    """The fragment at which the report's explorer shows a model's items.

    >>> items_link("plus", "lost", task="gsm8k")
    '#items?task=gsm8k&model=plus&show=lost'
    """
    return "#items?" + urlencode({**where, "model": model, "show": show}, errors="replace", quote_via=quote)


def chosen(names: Iterable[str], patterns: Sequence[str] | None) -> list[str]:
    """The names that a rule means; all of them where it names none."""
    return [name for name in names if patterns is None or any(fnmatchcase(name, pattern) for pattern in patterns)]


def is_glob(pattern: str) -> bool:
    """Whether it may stand for several names, so that matching none is no misspelling."""
    return any(sign in pattern for sign in "*?[")


def or_absent(found: Iterator[Evidence], place: str, why: str) -> Iterator[Evidence]:
    """What was found, or that nothing was."""
    first = next(found, None)
    yield first or Evidence(place, "", absent=why)
    yield from found
