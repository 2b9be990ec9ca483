"""Where the demo keeps its models: in the cache, under a hash of everything that makes them what they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from mplus_eval.demo import BASE, FOLDER
from mplus_eval.errors import UsageError
from mplus_eval.store.hashes import cache_directory, hash_components, hash_text, tokenizer_hash, weights_hash
from mplus_eval.training.recipe import Recipe, load_recipe

_LIBRARIES = ("torch", "transformers", "trl")
_SOURCES = (
    "arithmetic.py", "everyday.py", "passages.py", "questions.py", "reasoning.py", "talk.py", "text.py", "words.py",
    "world.py",
)  # fmt: skip


def demo_directories(names: Sequence[str]) -> dict[str, Path]:
    """Where demo models lie, or will lie once they are trained, by name.

    Raises:
        UsageError: when there is no such model.
    """
    recipe = demo_recipe()
    trained = (*recipe.sft, *recipe.rlhf)
    for name in names:
        if name not in ("base", *trained):
            raise UsageError(f"no demo model {name!r}; there are base, {', '.join(trained)}")
    return {name: BASE if name == "base" else recipe.output / name for name in names}


def is_trained(directory: Path) -> bool:
    """Whether a demo model lies there; the base comes with the package."""
    return directory == BASE or (directory / "training.json").is_file()


def demo_recipe() -> Recipe:
    """The shipped recipe, with the cache as its place and no checkpoints on the way."""
    recipe = load_recipe("demo")
    rlhf = {name: stage.model_copy(update={"save_every": None}) for name, stage in recipe.rlhf.items()}
    return recipe.model_copy(update={"output": cache_directory() / "demo" / recipe_hash(recipe)[:16], "rlhf": rlhf})


def recipe_hash(recipe: Recipe) -> str:
    """Hash of all that the models' weights depend on."""
    sources = [(FOLDER / name).read_text(encoding="utf-8") for name in _SOURCES]
    return hash_components(
        {
            "recipe": json.dumps(recipe.model_dump(mode="json"), sort_keys=True),
            "data": hash_text("".join(sources)),
            "base": weights_hash(BASE),
            "tokenizer": tokenizer_hash(BASE),
            **{library: version(library) for library in _LIBRARIES},
        }
    )
