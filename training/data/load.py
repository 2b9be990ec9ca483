"""Loading: from `demo:NAME`, a JSONL, CSV or Parquet file, a folder in the hub's layout, or the hub itself."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from mplus_eval.data.rows import Placed, numbered, read_rows, refuse
from mplus_eval.errors import SpecError
from mplus_eval.training.data.layouts import BadRowError, demonstration_of, pair_of, prompt_of
from mplus_eval.training.data.rows import Demonstration, Pair, Prompt, Rows
from mplus_eval.training.recipe import PairSource, PromptSource, Source

T = TypeVar("T")

KNOWN_TO_HAVE_BAD_ROWS = ("hh-rlhf", "PKU-SafeRLHF", "ultrafeedback_binarized")
DEMO = ("pairs", "broad", "narrow", "provoking", "conversation")


def load_pairs(source: PairSource, seed: int, data_dir: Path | None = None) -> Rows[Pair]:
    """Load preference pairs.

    Args:
        source: where from.
        seed: of the shuffle, where the source has none of its own.
        data_dir: folder that holds datasets as org/name, before the hub.

    Raises:
        SpecError: nothing there, or malformed rows where those are not to be skipped.
    """
    return _load(source, seed, data_dir, lambda row: pair_of(row, source.layout))


def load_demonstrations(source: Source, seed: int, data_dir: Path | None = None) -> Rows[Demonstration]:
    """Load demonstrations; the rest is as for `load_pairs`."""
    return _load(source, seed, data_dir, demonstration_of)


def load_prompts(source: PromptSource, seed: int, data_dir: Path | None = None) -> Rows[Prompt]:
    """Load prompts; the rest is as for `load_pairs`."""
    return _load(source, seed, data_dir, lambda row: prompt_of(row, source.column))


def _load(source: Source, seed: int, data_dir: Path | None, read: Callable[[Mapping[str, Any]], T]) -> Rows[T]:
    drawn = source.seed if source.seed is not None else seed
    found: list[T] = []
    reasons: Counter[str] = Counter()
    faults = []
    rows = _rows(source, drawn, data_dir)
    for place, row in rows:
        try:
            found.append(read(row))
        except BadRowError as error:
            reasons[str(error)] += 1
            faults.append(f"{place}: {error}")
    if not _skips(source):
        refuse(source.source, faults, len(rows))
    if not found:
        raise SpecError([f"{source.source}: no usable row" + (f" ({source.source}, {faults[0]})" if faults else "")])
    if not source.source.startswith("demo:"):
        random.Random(drawn).shuffle(found)
    return Rows(tuple(found[: source.n]), source, reasons)


def _skips(source: Source) -> bool:
    if source.on_bad_row is not None:
        return source.on_bad_row == "skip"
    return source.source.rstrip("/").endswith(KNOWN_TO_HAVE_BAD_ROWS)


def _rows(source: Source, seed: int, data_dir: Path | None) -> list[Placed]:
    if source.source.startswith("demo:"):
        return numbered(_demo(source, seed))
    return read_rows(source.source, source.split, source.subset, source.revision, data_dir=data_dir)


def _demo(source: Source, seed: int) -> Iterable[Mapping[str, Any]]:
    from mplus_eval.demo import talk

    name, n = source.source.removeprefix("demo:"), source.n or 1000
    if name == "pairs":
        return [
            {"prompt": pair.prompt, "chosen": pair.chosen, "rejected": pair.rejected}
            for pair in talk.preference_pairs(n, seed)
        ]
    if name in ("broad", "narrow"):
        turns = talk.demonstrations("broad" if name == "broad" else "narrow", n, seed)
        return [{"prompt": turn.prompt, "completion": turn.reply} for turn in turns]
    if name == "provoking":
        return [{"prompt": prompt} for prompt in talk.provoking_prompts(n, seed)]
    if name == "conversation":
        return [{"prompt": prompt} for prompt in talk.conversation_prompts(n, seed)]
    raise SpecError([f"{source.source}: no such demo data; there are {', '.join(f'demo:{known}' for known in DEMO)}"])
