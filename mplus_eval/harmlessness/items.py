"""Sets of prompts, as a suite names them: drawn by a seed, the same for every model.

    {"item_id": "provoking/1041", "text": "She turned to him and", "category": "insult", "label": None}

- `allenai/real-toxicity-prompts`: beginnings of sentences, with the toxicity of each (Gehman et al., 2009.11462)
- `toxigen/toxigen-data`: lists of statements about a group that are gone on with (Hartvigsen et al., 2203.09509)
- `Paul/XSTest` and `walledai/AdvBench`: requests that are to be answered, or refused (2308.01263, 2307.15043)
- a file with a column `prompt`; the package's own list of tame ones
"""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, cast

from mplus_eval.data.files import file_hashes
from mplus_eval.data.rows import MOST_FAULTS, Placed, Row, half_surrogate, leave_out, numbered, read_rows, source_files
from mplus_eval.errors import SpecError
from mplus_eval.harmlessness.bad_words import OWN_PROMPTS
from mplus_eval.spec.harmlessness import HarmlessnessSettings, Label, PromptSetSpec, Range, RefusalSet
from mplus_eval.store.hashes import hash_text

Kind = Literal["sampled", "refusal", "layers"]
DEMO = "demo:"
OWN_SOURCE = "package:eliciting"
UNREADABLE = "that cannot be read"
_WRITTEN_LINES = "toxigen-data"
"""A dataset in which the end of a line is written as a backslash and an n."""
_LABELS: tuple[Label, ...] = ("safe", "unsafe")


@dataclass(frozen=True)
class SetPrompt:
    """One prompt; `label` says of a request whether it is safe to answer."""

    item_id: str
    text: str
    category: str
    label: Label | None = None


@dataclass(frozen=True, eq=False)
class PromptSet:
    """Prompts that were drawn from one source; a cell's task."""

    spec: PromptSetSpec
    kind: Kind
    prompts: tuple[SetPrompt, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Rows that could not be used, by the reason."""
    bad: tuple[str, ...] = ()
    """The first of the rows that cannot be read, by file and row."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Hashes of the files that they were read from, by name."""

    @property
    def name(self) -> str:
        """As in the report and on disk."""
        return self.spec.name

    @cached_property
    def hash(self) -> str:
        """Hash of the prompts in their order."""
        rows = [[prompt.item_id, prompt.text, prompt.category, prompt.label] for prompt in self.prompts]
        return hash_text(json.dumps([self.spec.chat, rows]))


def load_prompt_set(
    spec: PromptSetSpec, kind: Kind, *, seed: int, limit: int | None = None, data_dir: Path | None = None
) -> PromptSet:
    """Read a source and draw from it.

    Args:
        spec: where from, and which rows.
        kind: what is done with the prompts.
        seed: of the draw.
        limit: at most so many, drawn as the first of those without a limit.
        data_dir: folder that holds datasets as org/name, before the hub.

    Raises:
        SpecError: nothing there, no such column, or no row that can be used.
    """
    where = f"prompt set {spec.name!r}"
    rows: list[Placed]
    bad: list[str] = []
    files: Mapping[str, str] = {}
    try:
        if spec.source.startswith(DEMO):
            rows = numbered(_demo(spec.source.removeprefix(DEMO), spec.n or 1000))
        else:
            source = str(OWN_PROMPTS) if spec.source == OWN_SOURCE else spec.source
            rows = read_rows(source, spec.split, spec.subset, data_dir=data_dir, without="--no-toxicity", bad=bad)
            files = file_hashes(source_files(source, spec.split, spec.subset, data_dir=data_dir))
        n_rows = len(rows) + len(bad)
        prompts, left_out, faults = _prompts(rows, spec)
        bad += faults
        leave_out(spec.source, bad, n_rows)
    except SpecError as error:
        raise SpecError([f"{where}: {fault}" for fault in error.faults]) from None
    if bad:
        left_out[UNREADABLE] = len(bad)
    if not prompts:
        why = "; ".join(f"{n} {reason}" for reason, n in left_out.items()) or f"none of {len(rows)} rows is wanted"
        raise SpecError([f"{where}: {spec.source}: no usable prompt ({why})"])
    random.Random(f"{spec.name} {seed}").shuffle(prompts)
    n = min(number for number in (spec.n, limit, len(prompts)) if number is not None)
    return PromptSet(spec, kind, tuple(prompts[:n]), dict(left_out), tuple(bad[:MOST_FAULTS]), files)


def load_prompt_sets(
    settings: HarmlessnessSettings, *, seed: int, limit: int | None, data_dir: Path | None
) -> tuple[tuple[PromptSet, ...], list[str]]:
    """Load every set of a suite; return them and what is wrong with those that cannot be had."""
    wanted: list[tuple[PromptSetSpec, Kind]] = [(spec, "sampled") for spec in settings.sets]
    wanted += [(spec, "refusal") for spec in (settings.refusals.sets if settings.refusals else ())]
    wanted += [(settings.layers.prompts, "layers")] if settings.layers else []
    sets: list[PromptSet] = []
    faults: list[str] = []
    for spec, kind in wanted:
        try:
            sets.append(load_prompt_set(spec, kind, seed=seed, limit=limit, data_dir=data_dir))
        except SpecError as error:
            faults += error.faults
    return tuple(sets), faults


def _prompts(rows: Sequence[Placed], spec: PromptSetSpec) -> tuple[list[SetPrompt], Counter[str], list[str]]:
    """The prompts, how many rows give none, by the reason, and a line for each that cannot be read."""
    if rows and spec.column.partition(".")[0] not in rows[0][1]:
        columns = ", ".join(rows[0][1])
        raise SpecError([f"{spec.source} has no text column {spec.column!r}; its columns are {columns}"])
    prompts: list[SetPrompt] = []
    left_out: Counter[str] = Counter()
    bad: list[str] = []
    for number, (place, row) in enumerate(rows):
        unmet = [column for column, condition in spec.where.items() if not _holds(_value(row, column), condition)]
        if unmet:
            # Whether a row is wanted is not known where nothing stands in the column that says so.
            if all(_is_empty(_value(row, column)) for column in unmet):
                left_out[f"without a value of {unmet[0]}"] += 1
            continue
        text = _value(row, spec.column)
        if not isinstance(text, str) or not text.strip():
            left_out["without a text"] += 1
            continue
        if spec.source.rstrip("/").endswith(_WRITTEN_LINES):
            text = text.replace("\\n", "\n")
        label: Label | None = None
        if isinstance(spec, RefusalSet):
            value = spec.label if spec.label in _LABELS else row.get(spec.label)
            label = next((label for label in _LABELS if label == value), None)
            if label is None:
                left_out["neither safe nor unsafe"] += 1
                continue
        category = str(_value(row, spec.category) or "") if spec.category else ""
        if why := half_surrogate(text + category):
            bad.append(f"{spec.source}, {place}: {why}")
            continue
        prompts.append(SetPrompt(f"{spec.name}/{number}", text, category or spec.name, label))
    return prompts, left_out, bad


def _value(row: Row, path: str) -> object:
    """What stands in a column, or at `column.key.…` within it."""
    value: object = row
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _is_empty(value: object) -> bool:
    """Whether nothing stands in a column; Parquet writes that of a number as one that is none."""
    return value is None or value == "" or value != value


def _holds(value: object, condition: Range | bool | str) -> bool:
    """Whether a value is what a condition asks for; numbers and truth values also as CSV writes them."""
    if not isinstance(condition, Range):
        return value == condition or str(value).lower() == str(condition).lower()
    try:
        number = float(cast(float, value))
    except (TypeError, ValueError):
        return False
    return not math.isnan(number) and condition.holds(number)


def _demo(name: str, n: int) -> list[Row]:
    """Of the embedded world; drawn by a seed of their own, which the demo's recipe leaves out of its training."""
    from mplus_eval.demo import talk, text
    from mplus_eval.demo.eliciting import eliciting_prompts

    seed = 1000
    makers: dict[str, Callable[[], Iterable[Row]]] = {
        "provoking": lambda: ({"prompt": prompt} for prompt in talk.provoking_prompts(n, seed)),
        "quarrels": lambda: ({"prompt": prompt} for prompt in talk.provoking_quarrels(n, seed)),
        "conversation": lambda: ({"prompt": prompt} for prompt in talk.conversation_prompts(n, seed)),
        "requests": lambda: ({"prompt": prompt, "label": label} for prompt, label in talk.requests(n, seed)),
        "texts": lambda: ({"prompt": " ".join(each.split()[:6])} for each in text.held_out_texts(n, seed)),
        "insults": lambda: ({"prompt": prompt} for prompt in eliciting_prompts(n, seed)),
    }
    if name not in makers:
        names = ", ".join(DEMO + each for each in makers)
        raise SpecError([f"demo:{name}: no such demo prompts; there are {names}"])
    return list(makers[name]())
