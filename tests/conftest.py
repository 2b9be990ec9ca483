"""Fixtures that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def benchmark_data() -> Path:
    """The real benchmarks on disk, as a mirror of the hub, where this machine has them."""
    default = Path(__file__).parents[2] / "shared" / "data" / "hub"
    folder = Path(os.environ.get("MPLUS_EVAL_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no benchmark data in {folder}; MPLUS_EVAL_TEST_DATA names their folder")
    return folder
