"""What the data show of one difference, in one word."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """What the data show of one difference; the first that holds, in this order."""

    IMPROVED = "improved"
    PRESERVED = "preserved"
    DEGRADED = "degraded"
    UNDECIDED = "undecided"
    NOT_INFORMATIVE = "not informative"
    JUDGES_DISAGREE = "judges disagree"
    NOT_COMPARABLE = "not comparable"
