"""Chat templates of the kinds that are met, cut to what tells turns apart, with the tokens that their models have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.tiny_models import build_tokenizer

_EACH = "{% for message in messages %}"


@dataclass(frozen=True)
class Kind:
    """One kind.

    Attributes:
        template: in Jinja.
        tokens: special tokens that the vocabulary has, besides `<s>` and `</s>`.
        ends: tokens that end an answer.
        begins: tokens and texts that begin another turn.
        system: what it says as the system where nothing is said.
        folds: whether it takes no system.
    """

    template: str
    tokens: tuple[str, ...]
    ends: tuple[str, ...]
    begins: tuple[str, ...]
    system: str = ""
    folds: bool = False


CHATML = (
    _EACH + "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
KINDS = {
    "chatml": Kind(CHATML, ("<|im_start|>", "<|im_end|>"), ("<|im_end|>",), ("<|im_start|>",)),
    "chatml with a system of its own": Kind(
        "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are a helpful AI assistant named Tiny, "
        "trained here<|im_end|>\n{% endif %}" + CHATML,
        ("<|im_start|>", "<|im_end|>"),
        ("<|im_end|>",),
        ("<|im_start|>",),
        "You are a helpful AI assistant named Tiny, trained here",
    ),
    "chatml that does not close the last turn": Kind(
        _EACH + "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
        "{% if not loop.last or add_generation_prompt %}<|im_end|>\n{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
        ("<|im_start|>", "<|im_end|>"),
        ("<|im_end|>",),
        ("<|im_start|>",),
    ),
    "gemma": Kind(
        "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
        "{% endif %}" + _EACH + "<start_of_turn>{{ 'model' if message['role'] == 'assistant' else message['role'] }}\n"
        "{{ message['content'] | trim }}<end_of_turn>\n{% endfor %}"
        "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}",
        ("<start_of_turn>", "<end_of_turn>"),
        ("<end_of_turn>",),
        ("<start_of_turn>",),
        folds=True,
    ),
    "llama 3": Kind(
        "{{ bos_token }}<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\n\n"
        "{% if messages[0]['role'] == 'system' %}{{ messages[0]['content'] }}{% endif %}<|eot_id|>"
        + _EACH + "{% if message['role'] != 'system' %}<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n\n"
        "{{ message['content'] | trim }}<|eot_id|>{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}",
        ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>"),
        ("<|eot_id|>",),
        ("<|start_header_id|>", "<|end_header_id|>"),
        "Cutting Knowledge Date: December 2023",
    ),
    "mistral": Kind(
        "{{ bos_token }}" + _EACH + "{% if message['role'] == 'user' %}[INST] {{ message['content'] }} [/INST]"
        "{% elif message['role'] == 'assistant' %} {{ message['content'] }}{{ eos_token }}{% endif %}{% endfor %}",
        ("[INST]", "[/INST]"),
        ("</s>",),
        ("[INST]", "[/INST]"),
        folds=True,
    ),
    "mistral, headers in plain text": Kind(
        "{{ bos_token }}" + _EACH + "{% if message['role'] == 'user' %}[INST] {{ message['content'] }} [/INST]"
        "{% elif message['role'] == 'assistant' %} {{ message['content'] }}{{ eos_token }}{% endif %}{% endfor %}",
        (),
        ("</s>",),
        ("[INST]", "[/INST]"),
        folds=True,
    ),
    "zephyr": Kind(
        _EACH + "<|{{ message['role'] }}|>\n{{ message['content'] }}{{ eos_token }}\n{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>\n{% endif %}",
        (),
        ("</s>",),
        ("\n<|user|>", "\n<|assistant|>"),
    ),
    "phi": Kind(
        _EACH + "<|{{ message['role'] }}|>\n{{ message['content'] }}<|end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>\n{% else %}{{ eos_token }}{% endif %}",
        ("<|user|>", "<|assistant|>", "<|system|>", "<|end|>"),
        ("<|end|>", "</s>"),
        ("<|user|>", "<|assistant|>"),
    ),
    "glm, which ends no turn but by the next": Kind(
        _EACH + "<|{{ message['role'] }}|>\n{{ message['content'] }}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}",
        ("<|user|>", "<|assistant|>", "<|system|>"),
        ("<|user|>",),
        ("<|assistant|>",),
    ),
    "several ends": Kind(
        _EACH + "<|start|>{{ message['role'] }}{{ message['content'] }}"
        "{% if loop.last and message['role'] == 'assistant' %}<|return|>{% else %}<|end|>{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|start|>assistant{% endif %}",
        ("<|start|>", "<|end|>", "<|return|>"),
        ("<|return|>", "<|end|>"),
        (),
    ),
    "vicuna": Kind(
        "{% if messages[0]['role'] == 'system' %}{{ messages[0]['content'] }}{% else %}A chat between a curious "
        "user and an assistant.{% endif %} "
        + _EACH + "{% if message['role'] == 'user' %}USER: {{ message['content'] }} "
        "{% elif message['role'] == 'assistant' %}ASSISTANT: {{ message['content'] }}{{ eos_token }}{% endif %}"
        "{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}",
        (),
        ("</s>",),
        ("USER:", "ASSISTANT:"),
        "A chat between a curious user and an assistant.",
    ),
    "alpaca": Kind(
        _EACH + "{% if message['role'] == 'user' %}### Instruction:\n{{ message['content'] }}\n\n"
        "{% elif message['role'] == 'assistant' %}### Response:\n{{ message['content'] }}\n\n"
        "{% else %}{{ message['content'] }}\n\n{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}### Response:\n{% endif %}",
        (),
        (),
        ("\n### Instruction:", "\n### Response:"),
    ),
    "one that reasons": Kind(
        CHATML.replace("assistant\n{% endif %}", "assistant\n<think>\n{% endif %}"),
        ("<|im_start|>", "<|im_end|>", "<think>", "</think>"),
        ("<|im_end|>",),
        ("<|im_start|>",),
    ),
}  # fmt: skip
"""By name."""


def kind_tokenizer(kind: Kind, **special: str) -> Any:
    """A small tokenizer with a kind's tokens and template, and `</s>` as its end token unless another is given."""
    tokenizer = build_tokenizer(300)
    tokenizer.add_special_tokens({"additional_special_tokens": list(kind.tokens), **special})
    tokenizer.chat_template = kind.template
    return tokenizer
