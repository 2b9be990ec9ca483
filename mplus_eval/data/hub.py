"""The hub's network: whether it may be used, and what it says when it fails."""

from __future__ import annotations

import os

from mplus_eval.redaction import without_secrets

TABLE_FILES = (".jsonl", ".jsonl.gz", ".json", ".parquet", ".csv")
"""Endings of the files whose rows are read; `.json` as lines of JSON."""


def is_hub_id(source: str) -> bool:
    """Tell an id of the hub, `org/name`, from how paths, files of rows and what comes with the package are written.

    >>> is_hub_id("allenai/ai2_arc"), is_hub_id("./runs/plus"), is_hub_id("pairs/train.jsonl"), is_hub_id("demo:base")
    (True, False, False, False)
    """
    written_otherwise = source.startswith((".", "/", "~")) or source.endswith(TABLE_FILES) or ":" in source
    return source.count("/") == 1 and not written_otherwise


def offline() -> bool:
    """Tell whether the user forbade the hub's network (`HF_HUB_OFFLINE` or `TRANSFORMERS_OFFLINE`)."""
    values = (os.environ.get(name, "").upper() for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
    return any(value in ("1", "TRUE", "YES", "ON") for value in values)


def refused(error: BaseException, identifier: str, *, dataset: bool) -> str | None:
    """What to do about a repository that the hub keeps from this user; None for any other failure.

    Args:
        error: what asking the hub raised, of whichever library.
        identifier: the repository, `org/name`.
        dataset: whether it is a dataset, whose page lies elsewhere than a model's.
    """
    from huggingface_hub import constants
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    page = f"{constants.ENDPOINT}/{'datasets/' if dataset else ''}{identifier}"
    # `datasets` raises an error of its own, and hides the hub's.
    if isinstance(error, GatedRepoError) or "gated dataset" in str(error):
        return f"is gated: accept its licence at {page} and set HF_TOKEN to a token with access"
    # A stranger is told 401 of what does not exist, too.
    if isinstance(error, RepositoryNotFoundError) or not isinstance(error, HfHubHTTPError):
        return None
    if (status := error.response.status_code) not in (401, 403):
        return None
    return f"is refused by the hub ({status}): see {page}, and set HF_TOKEN to a token that may read it"


def reason(error: Exception) -> str:
    """An error of a network in one short line."""
    return without_secrets(" ".join(str(error).split()))[:200] or type(error).__name__
