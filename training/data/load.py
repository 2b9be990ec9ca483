"""Loading: from `demo:NAME`, a JSONL, CSV or Parquet file, a folder in the hub's layout, or the hub itself."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from mplus_eval.data.rows import numbered, read_rows, refuse
from mplus_eval.errors import SpecError
from mplus_eval.training.data.layouts import BadRowError, demonstration_of, pair_of, prompt_of
from mplus_eval.training.data.rows import Demonstration, OpenDialogue, PreferencePair, Rows, T
from mplus_eval.training.recipe import DataSource, PairDataSource, PromptDataSource

KNOWN_TO_HAVE_BAD_ROWS = ("hh-rlhf", "PKU-SafeRLHF", "ultrafeedback_binarized")
DEMO = ("pairs", "broad", "narrow", "provoking", "conversation")


def load_pairs(source: PairDataSource, seed: int, data_dir: Path | None = None) -> Rows[PreferencePair]:
    """Load preference pairs.

    Args:
        source: where from.
        seed: of the shuffle, where the source has none of its own.
        data_dir: folder that holds datasets as org/name, before the hub.

    Raises:
        SpecError: nothing there, or malformed rows where those are not to be skipped.
    """
    return _load(source, seed, data_dir, lambda row: pair_of(row, source.layout))


def load_demonstrations(source: DataSource, seed: int, data_dir: Path | None = None) -> Rows[Demonstration]:
    """Load demonstrations; the rest is as for `load_pairs`."""
    return _load(source, seed, data_dir, demonstration_of)


def load_prompts(source: PromptDataSource, seed: int, data_dir: Path | None = None) -> Rows[OpenDialogue]:
    """Load prompts; the rest is as for `load_pairs`."""
    return _load(source, seed, data_dir, lambda row: prompt_of(row, source.column))


def _load(source: DataSource, seed: int, data_dir: Path | None, read: Callable[[Mapping[str, object]], T]) -> Rows[T]:
    """Read every row, leave out or refuse malformed ones, and draw those that are asked for."""
    drawn = source.seed if source.seed is not None else seed
    is_demo = source.source.startswith("demo:")
    if is_demo:
        placed = numbered(_demo(source, drawn))
    else:
        placed = read_rows(source.source, source.split, source.subset, source.revision, data_dir=data_dir)
    rows: list[T] = []
    faults = []
    for place, row in placed:
        try:
            rows.append(read(row))
        except BadRowError as error:
            faults.append(f"{place}: {error}")
    is_known = source.source.rstrip("/").endswith(KNOWN_TO_HAVE_BAD_ROWS)
    if (source.on_bad_row or ("skip" if is_known else "fail")) == "fail":
        refuse(source.source, faults, len(placed))
    if not rows:
        raise SpecError([f"{source.source}: no usable row" + (f" ({source.source}, {faults[0]})" if faults else "")])
    if not is_demo:
        random.Random(drawn).shuffle(rows)
    return Rows(tuple(rows[: source.n]), source, len(faults))


def _demo(source: DataSource, seed: int) -> Iterable[Mapping[str, object]]:
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
    raise SpecError([f"{source.source}: no such demo data; there are {', '.join(f'demo:{name}' for name in DEMO)}"])
