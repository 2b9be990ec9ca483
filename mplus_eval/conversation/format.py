"""How a dialogue is put to a model: in its own chat template where it has one, else in the documented plain format.

Every turn after the first shows the model its own answers, never another's. The rendered text holds its special
tokens, so it is tokenized without adding any.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mplus_eval.data.hub import reason
from mplus_eval.errors import UsageError
from mplus_eval.models.chat_turns import Messages

if TYPE_CHECKING:
    from mplus_eval.conversation.items import Dialogue


def prompt_of(dialogue: Dialogue, answers: Sequence[str], render: Callable[[Messages], str]) -> str:
    """The text from which a model gives its next answer.

    Args:
        dialogue: what is asked.
        answers: the model's own answers to the turns before.
        render: of the model's format.

    Raises:
        ValueError: the dialogue has no turn after these answers.
        UsageError: the model's template refuses the dialogue, as some refuse a system message.
    """
    from jinja2 import TemplateError

    try:
        return render(messages_of(dialogue, answers))
    except TemplateError as error:
        raise UsageError(
            f"dialogue {dialogue.item_id}: the model's chat template refuses it ({reason(error)})"
        ) from error


def messages_of(dialogue: Dialogue, answers: Sequence[str]) -> Messages:
    """The dialogue up to the user's turn that follows these answers."""
    if len(answers) >= len(dialogue.turns):
        raise ValueError(f"dialogue {dialogue.item_id} has {len(dialogue.turns)} turns, all of them answered")
    messages = [{"role": "system", "content": dialogue.system}] if dialogue.system else []
    for turn, answer in zip(dialogue.turns, answers, strict=False):
        messages += [{"role": "user", "content": turn}, {"role": "assistant", "content": answer.strip()}]
    return [*messages, {"role": "user", "content": dialogue.turns[len(answers)]}]
