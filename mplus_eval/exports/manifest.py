"""What an export reads of the manifest, of which nothing is sure but that it came from JSON."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from mplus_eval.store.sealed import DamagedFileError, read_sealed

if TYPE_CHECKING:
    from mplus_eval.exports import StoredRun


def manifest_of(run: StoredRun) -> dict[str, Any]:
    """The stored manifest; empty where there is none, or a damaged one."""
    try:
        return read_sealed(run.directory.manifest)
    except DamagedFileError:
        return {}


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
