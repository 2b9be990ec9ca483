"""What an export reads of the manifest, of which nothing is sure but that it came from JSON."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mplus_eval.exports import StoredRun


def manifest_of(run: StoredRun) -> dict[str, Any]:
    """The stored manifest; empty where there is none, or a damaged one."""
    try:
        stored = json.loads(run.directory.manifest.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return stored if isinstance(stored, dict) else {}


def created_of(run: StoredRun) -> float:
    """When the run was made, in seconds since 1970; that of its comparison's file where no manifest says it."""
    created = manifest_of(run).get("created")
    try:
        return datetime.fromisoformat(str(created)).timestamp()
    except ValueError:
        return run.directory.comparison.stat().st_mtime


def created_text(run: StoredRun) -> str:
    """The same as ISO 8601, in UTC."""
    from datetime import UTC

    return datetime.fromtimestamp(created_of(run), UTC).isoformat(timespec="seconds")
