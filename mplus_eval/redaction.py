"""Keys and passwords blotted out of every text that is shown or stored.

https://jo:secret@host/v1?api_key=sk-123&n=2      https://***@host/v1?api_key=***&n=2
"""

from __future__ import annotations

import logging
import os
import re

BLOT = "***"
_SHORTEST = 8
"""Letters of a key; shorter ones are stand-ins that local servers are given, as EMPTY or x, and parts of words."""
_VARIABLE = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS)\Z")
_USER = re.compile(r"(:/{1,2})[^/?#\s@'\"]+@")
_QUERY = re.compile(
    r"([?&][\w.-]*(?:key|token|secret|passw(?:or)?d|sig|signature|auth|credential)[\w.-]*=)[^&#\s'\")\]}]+",
    re.IGNORECASE,
)


def without_secrets(text: str) -> str:
    """A text in which a mark stands for every key of the environment, and for users, passwords and keys within URLs."""
    keys = {value.strip() for name, value in os.environ.items() if _is_secret(name)}
    # A longer one first, in case another is a part of it.
    for key in sorted((key for key in keys if len(key) >= _SHORTEST), key=len, reverse=True):
        text = text.replace(key, BLOT)
    return _QUERY.sub(rf"\g<1>{BLOT}", _USER.sub(rf"\g<1>{BLOT}@", text))


def environment_without_secrets() -> dict[str, str]:
    """The environment for a child that has no business with keys."""
    return {name: value for name, value in os.environ.items() if not _is_secret(name)}


def _is_secret(variable: str) -> bool:
    return _VARIABLE.search(variable.upper()) is not None


class RedactingFormatter(logging.Formatter):
    """A formatter of logs, which libraries write too."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, with its traceback if it has one."""
        return without_secrets(super().format(record))
