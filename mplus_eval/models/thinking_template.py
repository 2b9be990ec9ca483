"""Whether a model would reason before it answers, known while planning from its template, with no model loaded.

A choice that is scored right after a prompt that has the model reason stands in the place of the reasoning, and its
log-probability says nothing of what the model would have chosen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mplus_eval.models.chat_format import PLAIN, stored_template
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.models.templates import special_tokens
from mplus_eval.models.thinking import Thinking, thinking_of, thinks_first, with_variables
from mplus_eval.sandbox import bound_chat_templates

_TURN = [{"role": "user", "content": "What is one plus two?"}]


@dataclass(frozen=True)
class ThinksFirst:
    """A model whose capability prompts have it reason first; `can_be_told` says that `enable_thinking` ends that."""

    thinking: Thinking
    can_be_told: bool


def thinks_before_choices(model: ResolvedModel) -> ThinksFirst | None:
    """What a model reasons in before it answers a capability prompt; None where it does not, or nobody can know."""
    directory = model.location.tokenizer or model.location.path
    served = model.location.api is not None and model.location.api.kind == "chat"
    if model.chat_template == PLAIN or served or directory is None or not directory.is_dir():
        return None
    named = model.spec.chat_template
    template = Path(named).read_text(encoding="utf-8") if isinstance(named, str) else stored_template(directory)
    thinking = thinking_of(model.spec, template, added_tokens(directory)) if template else None
    if template is None or thinking is None:
        return None
    special: dict[str, Any] = {"bos_token": "", "eos_token": "", **special_tokens(directory)}

    def render(enable: bool | None) -> str:
        from transformers.utils.chat_template_utils import render_jinja_template

        bound_chat_templates()
        told = with_variables(str(template), enable)
        texts: Any = render_jinja_template([_TURN], chat_template=told, add_generation_prompt=True, **special)[0]
        return str(texts[0])

    if not thinks_first(thinking, render, model.spec.enable_thinking):
        return None
    return ThinksFirst(thinking, not thinks_first(thinking, render, False))


def added_tokens(directory: Path) -> set[str]:
    """The texts of tokens that were added to a tokenizer's vocabulary, read without loading it."""
    added = list(_json(directory / "tokenizer_config.json").get("added_tokens_decoder", {}).values())
    added += _json(directory / "tokenizer.json").get("added_tokens", [])
    return {str(token["content"]) for token in added if isinstance(token, dict) and "content" in token}


def _json(path: Path) -> Mapping[str, dict]:  # type: ignore[type-arg]
    """A file of a tokenizer; what is no mapping is empty here, and told when the tokenizer is loaded."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
