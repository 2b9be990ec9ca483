"""The common part of the backends that stand on lm-eval's own model classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mplus_eval.backends.base import LoadedModel, OpenedModel, Response
from mplus_eval.models.thinking import with_variables

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance
    from lm_eval.api.model import LM

    from mplus_eval.backends.reasoning import Reasoning

DEFAULT_NEW_TOKENS = 256
"""lm-eval's limit where a task names none."""


class LmEvalModel:
    """An lm-eval model behind the backend seam."""

    def __init__(self, lm: LM, facts: LoadedModel, requests_per_call: int, reasoning: Reasoning | None = None) -> None:
        """Keep a loaded `lm_eval.api.model.LM`, and how its reasoning is treated where it has any."""
        self.lm = lm
        self.facts = facts
        self.requests_per_call = requests_per_call
        self.reasoning = reasoning

    @property
    def opened(self) -> OpenedModel | None:
        """Not in this process, or not of transformers."""
        return None

    def respond(self, requests: Sequence[Instance]) -> list[Response]:
        """Answer requests of one type, in their order; what was cut and how a text ended is not known here."""
        if not requests:
            return []
        request_type = requests[0].request_type
        if request_type == "generate_until" and (reasoning := self.reasoning) is not None:
            default = getattr(self.lm, "max_gen_toks", DEFAULT_NEW_TOKENS)
            wider = [reasoning.widened(request, default, self.lm.max_length) for request in requests]
            texts = self.lm.generate_until(wider, disable_tqdm=True)
            return [
                reasoning.parted(request, str(text), default) for request, text in zip(requests, texts, strict=True)
            ]
        answers = getattr(self.lm, request_type)(list(requests), disable_tqdm=True)
        if request_type == "generate_until":
            return [Response(text=str(text)) for text in answers]
        if request_type == "loglikelihood":
            return [Response(log_probability=float(value), is_greedy=bool(greedy)) for value, greedy in answers]
        return [Response(log_probability=float(value)) for value in answers]

    def render_chat(self, messages: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """Put messages into the model's chat template."""
        return str(self.lm.apply_chat_template(messages, add_generation_prompt=add_generation_prompt))

    def close(self) -> None:
        """Forget the model."""
        self.lm = None


def set_chat_template(lm: LM, template: bool | str, enable_thinking: bool | None = None) -> None:
    """Give an lm-eval model the chat template of a file, where one was named, and tell it `enable_thinking`."""
    text = Path(template).expanduser().read_text(encoding="utf-8") if isinstance(template, str) else None
    if enable_thinking is not None:
        own = text or getattr(lm, "hf_chat_template", None) or getattr(lm.tokenizer, "chat_template", None)
        text = with_variables(own, enable_thinking) if isinstance(own, str) else text
    if text is not None:
        lm.tokenizer.chat_template = text
        if hasattr(lm, "hf_chat_template"):
            # lm-eval's vLLM model keeps the template that it found when it was loaded, and prefers it.
            lm.hf_chat_template = text
