"""The demo's models: `base` comes with the package, the others are trained from it on the spot and kept.

They are trained by the shipped recipe `demo`, in the user's cache directory under a hash of everything that makes them
what they are: a changed recipe, base, text or library trains anew, and everything else is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mplus_eval.training.demo_recipe import demo_directories, demo_recipe, is_trained
from mplus_eval.training.hooks import Progress
from mplus_eval.training.train import train


def demo_models(names: Sequence[str], progress: Progress | None = None) -> list[Path]:
    """Find demo models, training together those that are not in the cache yet.

    Args:
        names: `base`, or models of the recipe `demo`: `instruct`, `sft`, `chosen`, `forgetful`, `plus`.
        progress: called after every step with what is done, the steps done and the steps in all.

    Returns:
        The checkpoints' directories, in the same order.

    Raises:
        UsageError: when there is no such model.
    """
    directories = demo_directories(names)
    if missing := [name for name, path in directories.items() if not is_trained(path)]:
        train(demo_recipe(), missing, progress=progress)
    return [directories[name] for name in names]
