"""Asking: the dialogues of a set, turn by turn, as rows of `answers/`; every model sees its own earlier answers.

An item is a dialogue, and a sample of it one turn, counted from 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mplus_eval.backends import Backend, Response
from mplus_eval.conversation.format import prompt_of
from mplus_eval.conversation.items import Dialogue, DialogueSet
from mplus_eval.models.chat_format import ChatFormat, format_of
from mplus_eval.spec.conversation import ConversationSettings
from mplus_eval.store.hashes import hash_text
from mplus_eval.store.parts import read_part
from mplus_eval.store.run_directory import RunDirectory

Row = dict[str, Any]
Key = tuple[str, int]
"""A dialogue and a turn of it, counted from 0."""
NO_ANSWER = "a model has no answer"


@dataclass(frozen=True, eq=False)
class AskedDialogues:
    """Dialogues as a cell's task, and as its only leaf."""

    spec: ConversationSettings
    dialogues: DialogueSet
    kind: str = "dialogues"

    @property
    def name(self) -> str:
        """As in the report and on disk."""
        return self.spec.name

    @property
    def leaves(self) -> tuple[AskedDialogues, ...]:
        """Dialogues have no parts of their own."""
        return (self,)

    @property
    def asked_as(self) -> str:
        """Everything in the settings that changes what a model says: a component of the cell's fingerprint."""
        return f"{self.spec.max_new_tokens} {self.spec.temperature} {self.spec.top_p}"


def ask_dialogues(
    asked: AskedDialogues,
    numbers: range,
    backend: Backend,
    *,
    seed: int,
    own_template: bool,
    on_items: Callable[[int], None],
) -> list[Row]:
    """Ask a model some dialogues.

    Args:
        asked: the dialogues, and how they are asked.
        numbers: which of them.
        backend: the model.
        seed: the run's; of answers that are sampled.
        own_template: whether the model has a chat template of its own.
        on_items: called with the number of dialogues done since the last call.

    Returns:
        A row for each turn, with the columns of `ANSWER_SCHEMA`. A turn after one that failed fails too.
    """
    talk = format_of(backend, own_template=own_template)
    dialogues = [asked.dialogues.dialogues[number] for number in numbers]
    answers: dict[str, list[str]] = {dialogue.item_id: [] for dialogue in dialogues}
    rows: list[Row] = []
    for turn in range(max((len(dialogue.turns) for dialogue in dialogues), default=0)):
        asking = [one for one in dialogues if len(one.turns) > turn]
        able = [one for one in asking if len(answers[one.item_id]) == turn]
        rows += [_row(one, turn, "", {"error": "an earlier turn failed"}) for one in asking if one not in able]
        for dialogue, row in zip(able, _answered(able, answers, turn, backend, talk, asked.spec, seed), strict=True):
            rows.append(row)
            if row.get("generations"):
                answers[dialogue.item_id].append(row["generations"][0])
        on_items(sum(len(one.turns) == turn + 1 for one in dialogues))
    return rows


def _answered(
    dialogues: Sequence[Dialogue],
    answers: dict[str, list[str]],
    turn: int,
    backend: Backend,
    talk: ChatFormat,
    settings: ConversationSettings,
    seed: int,
) -> list[Row]:
    from lm_eval.api.instance import Instance

    prompts = [prompt_of(one, answers[one.item_id], talk.render) for one in dialogues]
    ways = {"until": list(talk.stop_strings), "max_gen_toks": settings.max_new_tokens}
    requests = [
        Instance("generate_until", {}, (prompt, {**ways, **_drawn(settings, seed, prompt)}), 0) for prompt in prompts
    ]
    return [
        _row(dialogue, turn, prompt, _columns(response))
        for dialogue, prompt, response in zip(dialogues, prompts, backend.respond(requests), strict=True)
    ]


def _columns(response: Response) -> Row:
    told = {"n_truncated": response.n_truncated, "n_tokens": response.n_tokens, "ended": response.ended}
    return told | ({"error": response.error} if response.text is None else {"generations": [response.text.strip()]})


def _drawn(settings: ConversationSettings, seed: int, prompt: str) -> dict[str, Any]:
    if not settings.temperature:
        return {"do_sample": False}
    own = int(hash_text(f"{seed} {prompt}")[:8], 16) % 2**31
    return {"do_sample": True, "temperature": settings.temperature, "top_p": settings.top_p, "seed": own}


def _row(dialogue: Dialogue, turn: int, prompt: str, said: Row) -> Row:
    return {
        "item_id": dialogue.item_id,
        "stratum": dialogue.category,
        "cluster": dialogue.item_id,
        "sample": turn,
        "prompt_hash": hash_text(prompt),
        "prompt": prompt,
        "asked": dialogue.turns[turn],
        **said,
    }


def read_answers(directory: RunDirectory, model: str, name: str) -> dict[Key, str]:
    """What a model said, by dialogue and turn; without what failed."""
    found: dict[Key, str] = {}
    for path in sorted(directory.answers(model, name).glob("part-*.parquet")):
        for row in read_part(path, ["item_id", "sample", "generations"]):
            if row["generations"]:
                found[row["item_id"], row["sample"]] = row["generations"][0]
    return found
