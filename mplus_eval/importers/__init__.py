"""Results that other tools stored, read without running a model; `spec.results` is the table of the tools."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import cast

from mplus_eval.errors import UsageError
from mplus_eval.importers.base import Importer, StoredRun
from mplus_eval.spec.results import KINDS, RUN

_CHECKPOINT = ("config.json", "adapter_config.json")


def read_results(kind: str, source: str) -> StoredRun:
    """Read what a tool stored of one model.

    Args:
        kind: the tool, by its name in `spec.results`.
        source: the folder, or the one file.

    Raises:
        UsageError: there is nothing there, or a file in it is not as the tool writes it.
    """
    folder = Path(source)
    if not folder.exists():
        raise UsageError(f"{source}: no such file or directory; {KINDS[kind].files} are expected there")
    importer = cast(Importer, import_module(f"{__name__}.{KINDS[kind].module}"))
    run = importer.read(folder)
    if not run.tasks:
        hint = ""
        if any((folder / name).is_file() for name in _CHECKPOINT):
            hint = f"; it looks like a checkpoint, and results={RUN} has it run here"
        raise UsageError(f"{source}: no {KINDS[kind].files} in it{hint}")
    return run


def scores_alone(kind: str, where: object) -> UsageError:
    """The refusal of results that have no items."""
    needed = "aggregate scores only; per-item samples are needed to pair"
    return UsageError(f"{where}: {needed} ({KINDS[kind].how})")


def only_model(folder: Path, names: Iterable[str]) -> str:
    """The one model of a folder's results.

    Raises:
        UsageError: there are several.
    """
    models = list(dict.fromkeys(names))
    if len(models) > 1:
        raise UsageError(
            f"{folder} holds results of {len(models)} models ({', '.join(models)}); name the folder of one"
        )
    return models[0]
