"""Dialogues side by side with what the judges said: a few of each model, decisive ones and some drawn by lot.

The lot is drawn from the run's seed and the dialogues' names, so nobody picks them and the same run shows the same
ones. Where answers or judgements are not stored any more, there is nothing to show.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from mplus_eval.records.comparison import Comparison
from mplus_eval.reports import formats
from mplus_eval.reports.conversation_phrasing import chat_format_named, judge_named
from mplus_eval.reports.tables import Mark, ModelLabel
from mplus_eval.reports.text import head, one_line, tail
from mplus_eval.store.parts import cell_parts, read_columns
from mplus_eval.store.run_directory import RunDirectory

SAID_LENGTH = 1500
ASKED_LENGTH = 800
REASON_LENGTH = 500
PER_KIND = 2
MANY_MODELS = 6
"""Of more models than this one dialogue of each kind is shown, so that the page stays light."""

Key = tuple[str, int]
"""A dialogue and a turn of it, counted from 1."""
Rows = Mapping[Key, Mapping[str, Any]]

WON = Mark("improved", "won")
TIED = Mark("preserved", "tied")
LOST = Mark("degraded", "lost")
ORDER = Mark("undecided", "tied, the order decided")
UNJUDGED = Mark("none", "unjudged")


@dataclass(frozen=True)
class Said:
    """What one model said in a turn, and how that came to its end."""

    model: str
    css: str
    note: str
    text: str


@dataclass(frozen=True)
class Opinion:
    """What one judge said of a turn, from the model's view."""

    mark: Mark
    detail: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Turn:
    """One turn: the user's words, the baseline's answer and the model's, and the verdicts."""

    user: str
    said: tuple[Said, ...]
    opinions: tuple[Opinion, ...]


@dataclass(frozen=True)
class Transcript:
    """One dialogue."""

    mark: Mark
    title: str
    turns: tuple[Turn, ...]


@dataclass(frozen=True)
class Transcripts:
    """Some dialogues of one model."""

    model: str
    title: str
    items: tuple[Transcript, ...]


def transcripts(comparison: Comparison, directory: Path, labels: Mapping[str, ModelLabel]) -> tuple[Transcripts, ...]:
    """Dialogues of every model whose answers and judgements are stored."""
    conversation = comparison.conversation
    if conversation is None:
        return ()
    run, judges = RunDirectory(directory), list(conversation.judges)
    per_kind = PER_KIND if len(conversation.models) <= MANY_MODELS else 1
    base = _rows(run.answers(comparison.baseline, conversation.name))
    found = []
    for model in (name for name in labels if name in conversation.models):
        judged = [_judgements(run, number, model) for number in range(1, len(judges) + 1)]
        chosen = choose(judged[0], per_kind, comparison.seed) if judged else {}
        own = _rows(run.answers(model, conversation.name))
        pages = _Pages(comparison, model, labels, (base, own), dict(zip(judges, judged, strict=True)))
        items = tuple(pages.transcript(key, kind) for key, kind in chosen.items() if key in base or key in own)
        if items:
            found.append(Transcripts(model, formats.counted(len(items), "dialogue"), items))
    return tuple(found)


def choose(judged: Rows, per_kind: int, seed: int) -> dict[Key, str]:
    """Which turns are shown, and as what; every dialogue once.

    Args:
        judged: the first judge's, by dialogue and turn.
        per_kind: of won and lost ones, drawn by lot; of the others one less, and one at least.
        seed: of the lot.
    """
    lot = sorted(judged, key=lambda key: sha256(f"{seed}\0{key[0]}\0{key[1]}".encode()).digest())
    decisive = sorted((key for key in lot if judged[key].get("margin") is not None), key=lambda key: _size(judged[key]))
    kinds = {
        "most decisive win": ([key for key in reversed(decisive) if judged[key]["preference"] == 1.0], 1),
        "most decisive loss": ([key for key in reversed(decisive) if judged[key]["preference"] == 0.0], 1),
        "won, drawn by lot": ([key for key in lot if judged[key]["preference"] == 1.0], per_kind),
        "lost, drawn by lot": ([key for key in lot if judged[key]["preference"] == 0.0], per_kind),
        "the order decided": ([key for key in lot if is_inconsistent(judged[key])], max(1, per_kind - 1)),
        "tied": (
            [key for key in lot if judged[key]["preference"] == 0.5 and not is_inconsistent(judged[key])],
            max(1, per_kind - 1),
        ),
        "unjudged": ([key for key in lot if judged[key]["preference"] is None], 1),
    }
    found: dict[Key, str] = {}
    for kind, (keys, most) in kinds.items():
        taken = {item_id for item_id, _ in found}
        found |= dict.fromkeys(_of_different_dialogues(keys, taken)[:most], kind)
    return found


def _size(row: Mapping[str, Any]) -> float:
    return abs(float(row["margin"]))


def _of_different_dialogues(keys: Iterable[Key], taken: set[str]) -> list[Key]:
    first: dict[str, Key] = {}
    for key in keys:
        if key[0] not in taken:
            first.setdefault(key[0], key)
    return list(first.values())


def is_inconsistent(row: Mapping[str, Any]) -> bool:
    """Whether a judge was asked in both orders and said different things."""
    in_order, swapped = row.get("in_order"), row.get("swapped")
    return in_order is not None and swapped is not None and in_order != swapped


def _judgements(run: RunDirectory, number: int, model: str) -> dict[Key, dict[str, Any]]:
    folder = run.judgements(number, model)
    return {(row["item_id"], row["turn"]): row for path in cell_parts(folder) for row in read_columns(path).to_pylist()}


def _rows(folder: Path) -> dict[Key, dict[str, Any]]:
    columns = ["item_id", "sample", "stratum", "prompt", "asked", "generations", "ended", "error"]
    return {
        (row["item_id"], row["sample"] + 1): row
        for path in cell_parts(folder)
        for row in read_columns(path, columns).to_pylist()
    }


@dataclass(frozen=True)
class _Pages:
    """What the dialogues of one model are put together from."""

    comparison: Comparison
    model: str
    labels: Mapping[str, ModelLabel]
    answers: tuple[Rows, Rows]
    judged: Mapping[str, Rows]

    def transcript(self, key: Key, kind: str) -> Transcript:
        """The whole dialogue of a turn that was chosen."""
        item_id, turn = key
        first = next(iter(self.judged.values()))
        row = next(rows[key] for rows in self.answers if key in rows)
        n_turns = max(number for rows in self.answers for name, number in rows if name == item_id)
        which = f", turn {turn}" if n_turns > 1 else ""
        title = f"{kind}{which}: dialogue {one_line(item_id)}, {one_line(row['stratum'])}"
        turns = tuple(self._turn((item_id, number)) for number in range(1, n_turns + 1))
        return Transcript(mark_of(first.get(key)), title, turns)

    def _turn(self, key: Key) -> Turn:
        rows = [rows.get(key) for rows in self.answers]
        names = (self.comparison.baseline, self.model)
        said = tuple(self._said(name, row, key) for name, row in zip(names, rows, strict=True))
        opinions = tuple(
            self._opinion(judge, place, rows[key])
            for place, (judge, rows) in enumerate(self.judged.items())
            if key in rows
        )
        return Turn(_user(rows), said, opinions)

    def _said(self, name: str, row: Mapping[str, Any] | None, key: Key) -> Said:
        conversation = self.comparison.conversation
        assert conversation is not None
        css = self.labels[name].css
        talk = conversation.baseline if name == self.comparison.baseline else conversation.models[name]
        # The format is the same in every turn.
        notes = [chat_format_named(talk.chat_format).split(",")[0]] if key[1] == 1 else []
        if row is None or not row["generations"]:
            why = head(one_line((row or {}).get("error") or "no answer is stored"), REASON_LENGTH)
            return Said(name, css, ", ".join([*notes, f"failed: {why}"]), "")
        if row.get("ended") is not None:
            notes.append("ended its turn" if row["ended"] else "cut off by the limit")
        text = row["generations"][0]
        return Said(name, css, ", ".join(notes), head(text, SAID_LENGTH) if text.strip() else "(nothing)")

    def _opinion(self, judge: str, place: int, row: Mapping[str, Any]) -> Opinion:
        names = (self.model, self.comparison.baseline)
        who = f"by {judge_named(judge)}" if place else ""
        detail = " ".join(part for part in (who, _detail(row, *names)) if part)
        return Opinion(mark_of(row), detail, tuple(_reasons(row, *names)))


def mark_of(row: Mapping[str, Any] | None) -> Mark:
    """The mark of a judgement, from the model's view."""
    if row is None or row["preference"] is None:
        return UNJUDGED
    if is_inconsistent(row):
        return ORDER
    return {1.0: WON, 0.0: LOST}.get(row["preference"], TIED)


def _detail(row: Mapping[str, Any], model: str, baseline: str) -> str:
    """Who was preferred in which order, or by how much."""
    if row["preference"] is None:
        return f"({head(one_line(row['cause'] or 'no verdict'), REASON_LENGTH)})"
    in_order, swapped, margin = row.get("in_order"), row.get("swapped"), row.get("margin")
    if is_inconsistent(row):
        first, second = (_preferred(value, model, baseline) for value in (in_order, swapped))
        return f"({model} shown first: {first}; {baseline} shown first: {second})"
    if in_order is not None and swapped is not None:
        return f"({_preferred(in_order, model, baseline)}, in both orders)"
    return f"(score {formats.signed(margin)} against {baseline}’s)" if margin is not None else ""


def _preferred(value: float | None, model: str, baseline: str) -> str:
    return "a tie" if value == 0.5 else f"{model if value == 1.0 else baseline} preferred"


def _reasons(row: Mapping[str, Any], model: str, baseline: str) -> Iterable[str]:
    """A judge's words; of two orders it is said which answer it calls A."""
    reasons = [head(reason, REASON_LENGTH) for reason in row.get("reasons") or () if reason.strip()]
    if len(reasons) == 2:
        orders = (baseline, model)
        yield from (f"A is {first}: {reason}" for first, reason in zip(orders, reasons, strict=True))
    else:
        yield from reasons


def _user(rows: Sequence[Mapping[str, Any] | None]) -> str:
    """The user's words; the end of the prompt where an older run has not stored them."""
    known = [row for row in rows if row]
    if asked := next((row["asked"] for row in known if row.get("asked")), None):
        return head(asked, ASKED_LENGTH)
    return next((tail(row["prompt"], ASKED_LENGTH) for row in known if row["prompt"]), "")
