"""The chat format of a model that has none, and the tokenizer that training saves with it.

    User: Thank you for the lamp.
    Assistant: You are welcome.</s>

A base model has no chat template. Training writes the plain one into the saved tokenizer, so that evaluation puts its
questions in the same way.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mplus_eval.errors import SpecError
from mplus_eval.models.chat_format import PLAIN_TEMPLATE, mistaken_end
from mplus_eval.sandbox import bound_chat_templates

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from mplus_eval.rewards.model import Messages


def load_tokenizer(directory: Path, chat_template: Path | None = None) -> PreTrainedTokenizerBase:
    """Load a base's tokenizer, ready for training: left padding, a padding token, and a chat template.

    Args:
        directory: the base's.
        chat_template: a file to take instead of the tokenizer's own template.

    Raises:
        SpecError: when the tokenizer has no end token, or one that begins turns, so that no answer could ever end.
    """
    from transformers import AutoTokenizer

    bound_chat_templates()
    tokenizer = AutoTokenizer.from_pretrained(directory, trust_remote_code=False)
    if tokenizer.eos_token is None:
        raise SpecError([f"base {directory}: its tokenizer has no end token (eos_token), so no answer could end"])
    if chat_template is not None:
        tokenizer.chat_template = chat_template.read_text(encoding="utf-8")
    elif not tokenizer.chat_template:
        tokenizer.chat_template = PLAIN_TEMPLATE
    if mistake := mistaken_end(tokenizer):
        raise SpecError([f"base {directory}: its tokenizer {mistake}; name it as eos_token in tokenizer_config.json"])
    if tokenizer.pad_token is None:
        # The end token as padding would hide the end of a turn from some losses; the unknown one never stands in text.
        tokenizer.pad_token = tokenizer.unk_token or tokenizer.eos_token
    tokenizer.padding_side = "left"
    return tokenizer


def last_user_message(messages: Messages) -> str:
    """What the user said last; empty where the user said nothing."""
    return next((message["content"] for message in reversed(messages) if message["role"] == "user"), "")
