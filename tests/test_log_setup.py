from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import TinyModel

SCRIPT = """
import sys
from mplus_eval.log_setup import silence_libraries
silence_libraries()
from mplus_eval.backends import load_backend
from mplus_eval.models.locations import resolve_source, model_faults
from mplus_eval.spec.model import ModelSpec
from tests.backends.requests import choices, generations, texts
model = ModelSpec(name="m", source=sys.argv[1])
assert model_faults(model, "hf") == []
backend = load_backend("hf", model, resolve_source(model, "hf"))
for requests in (choices(), generations(), texts()):
    backend.respond(requests)
"""
WARNING = """
import logging, sys
from mplus_eval.log_setup import silence_libraries
silence_libraries(verbose="-v" in sys.argv)
logging.getLogger("lm_eval.models.huggingface").warning("a warning of a library's")
"""


def speak(script: str, *arguments: str) -> tuple[str, str]:
    root = Path(__file__).resolve().parents[1]
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    return done.stdout, done.stderr


@pytest.mark.slow
def test_loading_and_asking_a_model_prints_nothing(tiny_model: TinyModel) -> None:
    assert speak(SCRIPT, str(tiny_model())) == ("", "")


def test_libraries_warn_only_when_asked_to() -> None:
    assert speak(WARNING)[1] == ""
    assert "a warning of a library's" in speak(WARNING, "-v")[1]
