"""How long a server asks to be left alone, in whichever of the ways that servers have to say so.

Retry-After: 2                           seconds
Retry-After: Fri, 01 Jan 2027 00:00 GMT  a date
retry-after-ms: 1500
x-ratelimit-remaining-requests: 0        with a reset beside it, as 6m0s, 20ms, a number of seconds or a date
x-ratelimit-reset-requests: 1s
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_WAIT_SECONDS = 120.0
"""A server that asks for a longer pause is not waited for."""
_PASSING = (408, 409, 425, 429)
_RESET = re.compile(r"(?:x-)?ratelimit-reset(?:-.+)?")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_EPOCH, _EPOCH_MS = 1e9, 1e12  # from where on a number is a date


def may_pass(status: int) -> bool:
    """Whether another try may bring another status."""
    return status in _PASSING or (status >= 500 and status != 501)


def asked_wait(headers: Mapping[str, str], *, limited: bool = True) -> float | None:
    """Seconds that a reply asks to wait before the next request; None where it says nothing of it.

    Args:
        headers: of the reply, by names in any case.
        limited: whether the reply refused for too many requests; of others only a used-up limit counts.
    """
    said = {name.lower(): value.strip() for name, value in headers.items()}
    with suppress(KeyError, ValueError):
        return max(0.0, float(said["retry-after-ms"]) / 1000)
    if (seconds := _seconds(said.get("retry-after", ""))) is not None:
        return seconds
    waits = [
        seconds
        for name, value in said.items()
        if _RESET.fullmatch(name)
        and said.get(name.replace("reset", "remaining", 1), "0" if limited else "") == "0"
        and (seconds := _seconds(value)) is not None
    ]
    return max(waits, default=None)


def _seconds(value: str) -> float | None:
    """A number of seconds, a duration as Go writes it, or the time until a date."""
    with suppress(ValueError):
        number = float(value)
        if number >= _EPOCH:
            number = (number / 1000 if number >= _EPOCH_MS else number) - time.time()
        return max(0.0, number) if number == number else None
    if value and not _DURATION.sub("", value):
        return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(value))
    date = None
    with suppress(ValueError):
        date = parsedate_to_datetime(value)
    if date is None:
        with suppress(ValueError):
            date = datetime.fromisoformat(value)
    if date is None:
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())
