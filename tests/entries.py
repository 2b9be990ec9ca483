"""Models as a comparison tells them, for tests of what is made of them."""

from __future__ import annotations

from typing import Any

from mplus_eval.records.comparison import ModelEntry


def entry(**changes: Any) -> ModelEntry:
    """A model of the backend hf, with what matters to a test changed."""
    usual = {"role": "r", "source": "s", "fingerprint": "f", "backend": "hf", "dtype": "float32"}
    return ModelEntry.model_validate(usual | changes)
