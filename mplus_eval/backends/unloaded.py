"""A model that is not loaded: its tokenizer is enough to build what it will be asked, and to count it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

from mplus_eval.backends.encoding import Encoding, TokenizerError
from mplus_eval.backends.lm_eval_model import set_chat_template
from mplus_eval.models.chat_format import ChatFormat, chat_format
from mplus_eval.models.resolved import ResolvedModel

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class UnloadedModel:
    """What a loaded model tells of its texts: a `Talker`, with the encoding beside it."""

    tokenizer: PreTrainedTokenizerBase
    encoding: Encoding

    @classmethod
    def of(cls, model: ResolvedModel) -> Self | None:
        """Read a model's tokenizer; None where it lies with a server, or where it has not what texts are put with."""
        from transformers import AutoTokenizer

        spec, directory = model.spec, model.location.tokenizer or model.location.path
        if directory is None:
            return None
        tokenizer = AutoTokenizer.from_pretrained(directory, trust_remote_code=spec.trust_remote_code)
        try:
            unloaded = cls(tokenizer, Encoding.of(tokenizer, spec.add_bos))
        except TokenizerError:
            return None  # loading the model says why
        set_chat_template(unloaded, spec.chat_template, spec.enable_thinking)
        return unloaded

    @property
    def opened(self) -> Self:
        """Itself, which has the tokenizer."""
        return self

    def render_chat(self, messages: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """Put messages into the model's chat template."""
        if add_generation_prompt:
            return self._format.render(messages)
        return str(self.tokenizer.apply_chat_template(messages, tokenize=False))

    @cached_property
    def _format(self) -> ChatFormat:
        return chat_format(self.tokenizer)
