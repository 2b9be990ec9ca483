"""Sets of prompts, as a suite names them: drawn by a seed, the same for every model.

    {"item_id": "provoking/1041", "text": "She turned to him and", "category": "insult", "label": None}

- `allenai/real-toxicity-prompts`: beginnings of sentences, with the toxicity of each (Gehman et al., 2009.11462)
- `toxigen/toxigen-data`: lists of statements about a group that are gone on with (Hartvigsen et al., 2203.09509)
- `Paul/XSTest`: requests that are to be answered, or refused (Röttger et al., 2308.01263); further such sets are files
  of `tasks/prompt_sets`
- a file with a column `prompt`; the package's own list of tame ones
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from mplus_eval.data.files import file_hashes
from mplus_eval.data.rows import MOST_FAULTS, Placed, Row, leave_out, numbered, read_rows, source_files
from mplus_eval.errors import SpecError
from mplus_eval.harmlessness.bad_words import OWN_PROMPTS
from mplus_eval.harmlessness.prompt_rows import SetPrompt, prompts_of
from mplus_eval.spec.harmlessness import HarmlessnessSettings, PromptSetSpec
from mplus_eval.spec.limit import Limit
from mplus_eval.spec.prompt_sets import shipped_sets
from mplus_eval.store.hashes import hash_text

Kind = Literal["sampled", "refusal", "layers"]
DEMO = "demo:"
OWN_SOURCE = "package:eliciting"
UNREADABLE = "that cannot be read"


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
    spec: PromptSetSpec, kind: Kind, *, seed: int, limit: Limit | None = None, data_dir: Path | None = None
) -> PromptSet:
    """Read a source and draw from it.

    Args:
        spec: where from, and which rows.
        kind: what is done with the prompts.
        seed: of the draw.
        limit: at most so many, drawn as the first of those without a limit; or the first ones of the source.
        data_dir: folder that holds datasets as org/name, before the hub.

    Raises:
        SpecError: nothing there, no such column, or no row that can be used.
    """
    where = f"prompt set {spec.name!r}"
    prompts: list[SetPrompt] = []
    left_out: Counter[str] = Counter()
    bad: list[str] = []
    files: dict[str, str] = {}
    n_rows = 0
    try:
        for piece in spec.pieces:
            unread: list[str] = []
            rows, hashes = _rows(piece, data_dir, unread)
            n_of_piece = len(rows) + len(unread)
            found, lost, faults = prompts_of(rows, piece, n_rows)
            leave_out(piece.source, [*unread, *faults], n_of_piece)
            prompts, left_out, bad = [*prompts, *found], left_out + lost, [*bad, *unread, *faults]
            files |= hashes
            n_rows += n_of_piece
    except SpecError as error:
        raise SpecError([f"{where}: {fault}" for fault in error.faults]) from None
    if bad:
        left_out[UNREADABLE] = len(bad)
    if not prompts:
        why = "; ".join(f"{n} {reason}" for reason, n in left_out.items()) or f"none of {n_rows} rows is wanted"
        raise SpecError([f"{where}: {spec.source}: no usable prompt ({why})"])
    if limit is None or not limit.first:
        random.Random(f"{spec.name} {seed}").shuffle(prompts)
    most = None if limit is None else limit.n
    n = min(number for number in (spec.n, most, len(prompts)) if number is not None)
    return PromptSet(spec, kind, tuple(prompts[:n]), dict(left_out), tuple(bad[:MOST_FAULTS]), files)


def load_prompt_sets(
    settings: HarmlessnessSettings, *, seed: int, limit: Limit | None, data_dir: Path | None
) -> tuple[tuple[PromptSet, ...], list[str]]:
    """Load every set of a suite; return them and what is wrong with those that cannot be had.

    Sets that lack the same data share a line.
    """
    wanted: list[tuple[PromptSetSpec, Kind]] = [(spec, "sampled") for spec in settings.sets]
    wanted += [(spec, "refusal") for spec in (settings.refusals.sets if settings.refusals else ())]
    wanted += [(settings.layers.prompts, "layers")] if settings.layers else []
    sets: list[PromptSet] = []
    lacking: dict[str, list[str]] = {}
    for spec, kind in wanted:
        try:
            sets.append(load_prompt_set(spec, kind, seed=seed, limit=limit, data_dir=data_dir))
        except SpecError as error:
            for fault in error.faults:
                lacking.setdefault(fault.removeprefix(f"prompt set {spec.name!r}: "), []).append(repr(spec.name))
    faults = [f"prompt set{'s' if len(names) > 1 else ''} {', '.join(names)}: {why}" for why, names in lacking.items()]
    return tuple(sets), faults


def _rows(spec: PromptSetSpec, data_dir: Path | None, bad: list[str]) -> tuple[list[Placed], Mapping[str, str]]:
    """The rows of one part of a set, and the hashes of the files that they were read from.

    Raises:
        SpecError: they cannot be read; of a gated set with the page of its terms and the way without it.
    """
    if spec.source.startswith(DEMO):
        return numbered(_demo(spec.source.removeprefix(DEMO), spec.n or 1000)), {}
    source = str(OWN_PROMPTS) if spec.source == OWN_SOURCE else spec.source
    shipped = shipped_sets().get(spec.set or "")
    without = f"name the set {shipped.instead}" if shipped and shipped.instead else "--no-toxicity"
    try:
        rows = read_rows(source, spec.split, spec.subset, data_dir=data_dir, without=without, bad=bad)
    except SpecError as error:
        if shipped is None or not shipped.gated or any("is gated" in fault for fault in error.faults):
            raise
        terms = f"it is gated: accept its licence at {shipped.page} and set HF_TOKEN, or {without}"
        raise SpecError([f"{fault}; {terms}" for fault in error.faults]) from None
    return rows, file_hashes(source_files(source, spec.split, spec.subset, data_dir=data_dir))


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
