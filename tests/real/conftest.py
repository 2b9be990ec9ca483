"""Where the real checkpoints lie: the folder that MPLUS_EVAL_REAL_MODELS names.

gemma3-270m/              Gemma 3 270M, the base: 262,144 tokens, a sliding window of 512, no chat template
smollm2-135m-instruct/    SmolLM2-135M-Instruct: ChatML
gguf/NAME.gguf            the 4-bit files of both, from which the checkpoints were unpacked in float32
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

VARIABLE = "MPLUS_EVAL_REAL_MODELS"
RealModel = Callable[[str], Path]


@pytest.fixture(scope="session")
def real_model() -> RealModel:
    """Find a checkpoint or file by its path in the folder; what is not there is skipped, with the reason."""

    def find(name: str) -> Path:
        folder = os.environ.get(VARIABLE)
        if not folder:
            pytest.skip(f"the real checkpoints are not at hand: {VARIABLE} names no folder")
        path = Path(folder) / name
        if not path.exists():
            pytest.skip(f"the real checkpoints are not at hand: no {path}; set {VARIABLE}")
        return path

    return find
