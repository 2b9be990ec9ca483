"""The demo's models: `base` comes with the package, `instruct` and `sft` are trained from it on the spot and kept.

They are kept in the user's cache directory under the hash of everything that makes them what they are, so a changed
recipe, base, text or library trains anew, and everything else is found.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from mplus_eval.errors import UsageError
from mplus_eval.fingerprint import cache_directory, hash_components, hash_text, tokenizer_hash, weights_hash
from mplus_eval.training.demo.talk import CHAT_TEMPLATE, Breadth, Turn, demonstrations

Progress = Callable[[str, int, int], None]

BASE = Path(__file__).resolve().parent / "base"
_LIBRARIES = ("torch", "transformers", "trl")


@dataclass(frozen=True)
class SftRecipe:
    """How a model is fine-tuned from the base on demonstrations."""

    breadth: Breadth
    n_demonstrations: int = 800
    n_epochs: int = 3
    learning_rate: float = 5e-4
    batch_size: int = 32
    n_warmup_steps: int = 5
    seed: int = 0

    def demonstrations(self) -> list[Turn]:
        """The data."""
        return demonstrations(self.breadth, self.n_demonstrations, self.seed)


RECIPES = {"instruct": SftRecipe("broad"), "sft": SftRecipe("narrow")}
"""The models that are trained on the spot."""


def demo_model(name: str, progress: Progress | None = None) -> Path:
    """Find a demo model, training it first where it is not in the cache yet.

    Args:
        name: `base`, `instruct` or `sft`.
        progress: called after every step with what is done, the steps done and the steps in all.

    Returns:
        The checkpoint's directory.

    Raises:
        UsageError: when there is no such model.
    """
    if name == "base":
        return BASE
    if name not in RECIPES:
        raise UsageError(f"no demo model {name!r}; there are base, {', '.join(RECIPES)}")
    recipe = RECIPES[name]
    directory = cache_directory() / "demo" / f"{name}-{recipe_hash(recipe)[:16]}"
    if not directory.is_dir():
        _train_into(directory, name, recipe, progress)
    return directory


def recipe_hash(recipe: SftRecipe) -> str:
    """Hash of all that a model's weights depend on."""
    data = [asdict(turn) for turn in recipe.demonstrations()]
    return hash_components(
        {
            "recipe": json.dumps(asdict(recipe), sort_keys=True),
            "data": hash_text(json.dumps(data)),
            "chat_template": CHAT_TEMPLATE,
            "base": weights_hash(BASE),
            "tokenizer": tokenizer_hash(BASE),
            **{library: version(library) for library in _LIBRARIES},
        }
    )


def _train_into(directory: Path, name: str, recipe: SftRecipe, progress: Progress | None) -> None:
    """Train beside the place and move the checkpoint there when it is whole."""
    from mplus_eval.training.demo.fine_tune import fine_tune

    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=f".{name}-") as partial:
        checkpoint = Path(partial) / "checkpoint"
        fine_tune(BASE, recipe, checkpoint, lambda done, total: progress and progress(f"training {name}", done, total))
        try:
            checkpoint.rename(directory)
        except OSError:
            # Another process may have trained the same model meanwhile; any other cause is an error.
            if not directory.is_dir():
                raise
            shutil.rmtree(checkpoint)
