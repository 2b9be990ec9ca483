"""The hub's network: whether it may be used, and what it says when it fails."""

from __future__ import annotations

import os


def offline() -> bool:
    """Tell whether the user forbade the hub's network (`HF_HUB_OFFLINE` or `TRANSFORMERS_OFFLINE`)."""
    said = (os.environ.get(name, "").upper() for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
    return any(value in ("1", "TRUE", "YES", "ON") for value in said)


def reason(error: Exception) -> str:
    """An error of a network in one short line."""
    return " ".join(str(error).split())[:200] or type(error).__name__
