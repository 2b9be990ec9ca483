"""Generation: the dialogues of a set, turn by turn; every model sees its own earlier answers.

An item is a dialogue, and a sample of it one turn, counted from 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mplus_eval.backends import Backend, Response
from mplus_eval.backends.answers import asked_columns
from mplus_eval.conversation.format import prompt_of
from mplus_eval.conversation.items import Dialogue, DialogueTask
from mplus_eval.models.chat_format import ChatFormat, format_of
from mplus_eval.spec.conversation import ConversationSettings
from mplus_eval.store.hashes import hash_text
from mplus_eval.store.outcomes import Answer

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance


def generate(
    task: DialogueTask,
    numbers: Sequence[int],
    backend: Backend,
    *,
    seed: int,
    own_template: bool,
    on_items: Callable[[int], None],
) -> list[Answer]:
    """Have some dialogues with a model.

    Args:
        task: the dialogues, and how they are put.
        numbers: which of them.
        backend: the model.
        seed: the run's; of answers that are sampled.
        own_template: whether the model has a chat template of its own.
        on_items: called with the number of dialogues done since the last call.

    Returns:
        An answer for each turn. A turn after one that failed fails too.
    """
    chat = format_of(backend, own_template=own_template)
    dialogues = [task.dialogues.dialogues[number] for number in numbers]
    said: dict[str, list[str]] = {dialogue.item_id: [] for dialogue in dialogues}
    answers: list[Answer] = []
    for turn in range(max((len(dialogue.turns) for dialogue in dialogues), default=0)):
        going_on = [dialogue for dialogue in dialogues if len(dialogue.turns) > turn]
        able = [dialogue for dialogue in going_on if len(said[dialogue.item_id]) == turn]
        broken_off = Response(error="an earlier turn failed")
        answers += [_answer(dialogue, turn, "", broken_off) for dialogue in going_on if dialogue not in able]
        prompts = [prompt_of(dialogue, said[dialogue.item_id], chat.render) for dialogue in able]
        responses = _responses(prompts, backend, chat, task.settings, seed)
        for dialogue, prompt, response in zip(able, prompts, responses, strict=True):
            answers.append(_answer(dialogue, turn, prompt, response))
            said[dialogue.item_id] += [] if response.text is None else [response.text.strip()]
        on_items(sum(len(dialogue.turns) == turn + 1 for dialogue in dialogues))
    return answers


def _responses(
    prompts: Sequence[str], backend: Backend, chat: ChatFormat, settings: ConversationSettings, seed: int
) -> list[Response]:
    return backend.respond(requests_of(prompts, chat, settings, seed))


def requests_of(prompts: Sequence[str], chat: ChatFormat, settings: ConversationSettings, seed: int) -> list[Instance]:
    """What a model is asked to answer prompts: lm-eval's requests."""
    from lm_eval.api.instance import Instance

    requests = []
    for prompt in prompts:
        sampling: dict[str, object] = {"do_sample": False}
        if settings.temperature:
            # A seed of the prompt's own, so that an answer does not depend on what else is asked.
            own = int(hash_text(f"{seed} {prompt}")[:8], 16) % 2**31
            sampling = {"do_sample": True, "temperature": settings.temperature, "top_p": settings.top_p, "seed": own}
        options = {**chat.options(), "max_gen_toks": settings.max_new_tokens, **sampling}
        requests.append(Instance("generate_until", {}, (prompt, options), 0))
    return requests


def _answer(dialogue: Dialogue, turn: int, prompt: str, response: Response) -> Answer:
    return Answer(
        item_id=dialogue.item_id,
        stratum=dialogue.category,
        cluster=dialogue.item_id,
        sample=turn,
        prompt_hash=hash_text(prompt),
        prompt=prompt,
        asked=dialogue.turns[turn],
        **asked_columns([response]),
        n_tokens=response.n_tokens,
        ended=response.ended,
        generations=None if response.text is None else [response.text.strip()],
        error=response.error,
    )
