"""The demo's world as data: its facts, texts, talk and tasks, made by rules."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parent
BASE = FOLDER / "base"
"""The checkpoint that all of the demo's models are trained from."""
MODELS = ("base", "instruct", "sft", "chosen", "forgetful", "plus")
"""The demo's models: `base`, and those that the recipe `demo` trains from it."""
