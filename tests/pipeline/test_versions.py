from __future__ import annotations

import platform
from importlib.metadata import version

from mplus_eval.pipeline.versions import versions


def test_versions_are_those_that_are_installed() -> None:
    found = versions()
    assert (found["python"], found["torch"]) == (platform.python_version(), version("torch"))
    assert "no-such-package" not in found
