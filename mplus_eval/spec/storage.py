"""Addresses of storage (`store.storage`): which are accepted, and what each needs."""

from __future__ import annotations

from importlib.util import find_spec
from urllib.parse import urlsplit

PACKAGES = {"file": None, "memory": None, "s3": "s3fs", "gs": "gcsfs"}
"""What each kind of address needs besides fsspec."""
_EXTRAS = {"s3": "s3", "gs": "gcs"}
_ACCEPTED = "file:///FOLDER, s3://BUCKET/FOLDER or gs://BUCKET/FOLDER"


def storage_faults(url: str) -> list[str]:
    """What is wrong with an address, a line; a password in it is not repeated."""
    kind, separator, rest = url.partition("://")
    parts = urlsplit(url) if rest.count("[") == rest.count("]") else None
    if parts is None or not separator or kind not in PACKAGES or not rest.strip("/"):
        return [f"--storage {without_password(url)!r}: {_ACCEPTED} is accepted"]
    if parts.username or parts.password or parts.query or parts.fragment:
        return [
            f"--storage {without_password(url)!r}: a user, a password or a query was given with it; "
            f"{_ACCEPTED} is accepted, and credentials are read from the environment"
        ]
    if kind == "file" and parts.netloc:
        return [f"--storage {url!r}: a folder is named from the root, as file:///FOLDER"]
    package = PACKAGES[kind]
    if package is not None and find_spec(package) is None:
        return [f"--storage {url!r}: needs the package {package}: pip install 'mplus-eval[{_EXTRAS[kind]}]'"]
    return []


def without_password(url: str) -> str:
    """An address for a message: what stands before an @ or behind a ? may be a password."""
    kind, _, rest = url.rpartition("://")
    bare = rest.rpartition("@")[2].partition("?")[0]
    return f"{kind.rpartition('@')[2]}://{bare}"[:200] if kind else bare[:200]
