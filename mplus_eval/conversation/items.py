"""What models are asked in conversation: questions of one turn or several, each a dialogue.

    {"prompt": ["Write a post about Hawaii.", "Now begin every line with A."], "category": "writing",
     "reference": [], "prompt_id": 30034818}                                   HuggingFaceH4/mt_bench_prompts
    {"prompt": "How do I boil an egg?"}                                        one turn
    {"messages": [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hi."},
                  {"role": "user", "content": "Tell me a joke."}]}             answers in it are references, never shown

Only the user's turns are put to a model; the second turn sees the model's own first answer.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Self

from mplus_eval.data.files import file_hashes
from mplus_eval.data.rows import MOST_FAULTS, Placed, half_surrogate, leave_out, numbered, read_rows, source_files
from mplus_eval.errors import SpecError
from mplus_eval.judges.base import Question
from mplus_eval.spec.conversation import ConversationSettings
from mplus_eval.spec.limit import Limit
from mplus_eval.statistics.drawing import draw, first_of_each
from mplus_eval.store.hashes import hash_text

DEMO = "demo"
SHIPPED_NAMES = {"mt_bench": "HuggingFaceH4/mt_bench_prompts"}
"""Short names of datasets on the hub."""

PROMPT_COLUMNS = ("prompt", "messages", "turns")
ID_COLUMNS = ("item_id", "prompt_id", "question_id", "id")
REFERENCE_COLUMNS = ("references", "reference")
NO_CATEGORY = "all"
_HEXADECIMALS = 16


@dataclass(frozen=True)
class Dialogue:
    """One dialogue, without any model's answers.

    Attributes:
        item_id: the same whatever the order of the set.
        turns: what the user says, in order.
        references: a good answer to each turn, None where there is none; as many as turns.
        system: what the model is told beforehand, if anything.
    """

    item_id: str
    category: str
    turns: tuple[str, ...]
    references: tuple[str | None, ...]
    system: str | None = None

    @property
    def question(self) -> Question:
        """As a judge is shown it."""
        return Question(self.item_id, self.category, self.turns, self.references)


@dataclass(frozen=True)
class DialogueSet:
    """Dialogues of one source.

    Attributes:
        n_available: how many there were before a limit.
        n_bad: rows that are no dialogue, which are left out; the first of them are named in `bad`, by file and row.
        files: hashes of the files that they were read from, by name.
    """

    source: str
    dialogues: tuple[Dialogue, ...]
    n_available: int
    n_bad: int = 0
    bad: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(
        cls,
        source: str,
        *,
        data_dir: Path | None = None,
        limit: Limit | None = None,
        seed: int = 0,
        split: str | None = None,
    ) -> Self:
        """Load a set.

        Args:
            source: `demo`, `mt_bench`, a file (JSONL, Parquet, CSV), a folder, or a dataset's id on the hub.
            data_dir: folder that holds datasets as org/name; looked in before the hub.
            limit: dialogues to keep, spread evenly over the categories: drawn from each, or its first ones.
            seed: of the draw.
            split: of a dataset; None takes its only one.

        Raises:
            SpecError: nothing is there, no column holds prompts, or most rows are malformed.
        """
        if source == DEMO:
            from mplus_eval.demo.dialogues import demo_dialogues

            rows, files, bad = numbered(demo_dialogues()), {}, list[str]()
        else:
            name, bad = SHIPPED_NAMES.get(source, source), []
            without = "--no-conversation, or other --dialogues"
            rows = read_rows(name, split, data_dir=data_dir, without=without, bad=bad)
            files = file_hashes(source_files(name, split, data_dir=data_dir))
        n_rows = len(rows) + len(bad)
        available, faults = _dialogues(source, rows)
        bad += faults
        leave_out(source, bad, n_rows)
        return cls(source, _limited(available, limit, seed), len(available), len(bad), tuple(bad[:MOST_FAULTS]), files)

    @cached_property
    def hash(self) -> str:
        """Hash of the dialogues, whatever their order."""
        ordered = sorted(self.dialogues, key=lambda dialogue: dialogue.item_id)
        return hash_text(json.dumps([asdict(dialogue) for dialogue in ordered], ensure_ascii=False))

    @property
    def n_turns(self) -> int:
        """Turns of all dialogues: as many answers as each model gives."""
        return sum(len(dialogue.turns) for dialogue in self.dialogues)

    def each_turn(self) -> Iterator[tuple[Dialogue, int]]:
        """Every turn of every dialogue, counted from 0."""
        for dialogue in self.dialogues:
            for turn in range(len(dialogue.turns)):
                yield dialogue, turn


@dataclass(frozen=True, eq=False)
class DialogueTask:
    """Dialogues, and how they are put to a model."""

    settings: ConversationSettings
    dialogues: DialogueSet

    @property
    def name(self) -> str:
        """As in the report and on disk."""
        return self.settings.name

    @property
    def generation_key(self) -> str:
        """Everything in the settings that changes what a model says: a component of the cell's fingerprint."""
        return f"{self.settings.max_new_tokens} {self.settings.temperature} {self.settings.top_p}"


class _BadRowError(ValueError):
    """Why a row cannot be used."""


def _dialogues(source: str, rows: Sequence[Placed]) -> tuple[tuple[Dialogue, ...], list[str]]:
    """The dialogues, and a line for each row that is none."""
    columns = list(dict.fromkeys(name for _, row in rows for name in row))
    if not set(columns) & set(PROMPT_COLUMNS):
        expected = ", ".join(PROMPT_COLUMNS)
        raise SpecError([f"{source}: no column {expected}; its columns are {', '.join(columns[:20])}"])
    dialogues: list[Dialogue] = []
    faults = []
    seen: Counter[str] = Counter()
    for place, row in rows:
        try:
            dialogues.append(_dialogue(row, seen))
        except _BadRowError as error:
            faults.append(f"{source}, {place}: {error}")
    return tuple(dialogues), faults


def _dialogue(row: Mapping[str, object], seen: Counter[str]) -> Dialogue:
    name = next((name for name in PROMPT_COLUMNS if _given(row.get(name))), None)
    if name is None:
        raise _BadRowError(f"no {' or '.join(PROMPT_COLUMNS)}")
    system, turns, answers = _spoken(name, row[name])
    references = _references(row, len(turns)) or answers
    category = str(row["category"]) if _given(row.get("category")) else NO_CATEGORY
    texts = (("system", system), ("category", category), *(("a turn", turn) for turn in turns))
    texts += tuple(("a reference", reference) for reference in references)
    for what, text in texts:
        if text is not None and (why := half_surrogate(text)):
            raise _BadRowError(f"{what}: {why}")
    # The row's own id, else a hash of what is said; a text that stands there again is numbered.
    column = next((name for name in ID_COLUMNS if _given(row.get(name))), None)
    content = json.dumps((system, *turns), ensure_ascii=False)
    item_id = str(row[column]) if column else hash_text(content)[:_HEXADECIMALS]
    seen[item_id] += 1
    if seen[item_id] > 1 and column:
        raise _BadRowError(f"{column} {item_id!r} stands there twice")
    if seen[item_id] > 1:
        item_id = f"{item_id}-{seen[item_id]}"
    return Dialogue(item_id, category, turns, references, system)


def _spoken(name: str, value: object) -> tuple[str | None, tuple[str, ...], tuple[str | None, ...]]:
    """The system's words, the user's turns, and the answers that stand between them."""
    if isinstance(value, str) and name == "prompt":
        value = [value]
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise _BadRowError(f"{name}: a list is expected, found {type(value).__name__}")
    messages = [message for message in value if isinstance(message, Mapping)]
    if len(messages) == len(value):
        return _messages(messages)
    turns = tuple(turn for turn in value if isinstance(turn, str) and turn.strip())
    if len(turns) != len(value):
        raise _BadRowError(f"{name}: every turn must be a text that is not empty")
    return None, turns, (None,) * len(turns)


def _messages(value: Sequence[Mapping[str, object]]) -> tuple[str | None, tuple[str, ...], tuple[str | None, ...]]:
    """Read messages: at first perhaps the system's, then user and assistant in turn."""
    pairs = [(message.get("role"), message.get("content")) for message in value]
    for role, content in pairs:
        if role not in ("system", "user", "assistant"):
            raise _BadRowError(f"messages: role {role!r}; accepted: system, user, assistant")
        if not isinstance(content, str) or not content.strip():
            raise _BadRowError(f"messages: the content of a message of role {role} is no text or empty")
    system = str(pairs.pop(0)[1]) if pairs[0][0] == "system" else None
    expected = ["user" if number % 2 == 0 else "assistant" for number in range(len(pairs))]
    if not pairs or [role for role, _ in pairs] != expected:
        raise _BadRowError("messages: user and assistant must take turns, the user first")
    texts = [str(content) for _, content in pairs]
    turns, answers = tuple(texts[::2]), texts[1::2]
    return system, turns, (*answers, *[None] * (len(turns) - len(answers)))


def _references(row: Mapping[str, object], n_turns: int) -> tuple[str | None, ...] | None:
    """Given answers, by turn; None where the row has none."""
    value = next((row[name] for name in REFERENCE_COLUMNS if _given(row.get(name))), None)
    if value is None:
        return None
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, Sequence) or not all(text is None or isinstance(text, str) for text in texts):
        raise _BadRowError("reference: a text or a list of texts is expected")
    if len(texts) > n_turns:
        raise _BadRowError(f"reference: {len(texts)} answers to {n_turns} turns")
    return tuple((texts[turn] or None) if turn < len(texts) else None for turn in range(n_turns))


def _given(value: object) -> bool:
    """Whether a cell holds anything; a number that is not one stands for an empty cell."""
    if value is None or value != value:
        return False
    return bool(value) if isinstance(value, str | Sequence) else True


def _limited(dialogues: tuple[Dialogue, ...], limit: Limit | None, seed: int) -> tuple[Dialogue, ...]:
    """One of every category, then a second one of every one, up to the limit; in the order of the set."""
    if limit is None or limit.n >= len(dialogues):
        return dialogues
    categories = [dialogue.category for dialogue in dialogues]
    places = first_of_each(categories, limit.n) if limit.first else draw(categories, limit.n, f"{seed} dialogues")
    return tuple(dialogues[place] for place in places)
