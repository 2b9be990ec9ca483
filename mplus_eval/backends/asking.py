"""How a loaded model is really asked, put together from what each part of a backend found as it was loaded."""

from __future__ import annotations

from collections.abc import Sequence

from mplus_eval.backends.decoding import Decoding
from mplus_eval.backends.encoding import Encoding
from mplus_eval.backends.reasoning import Reasoning
from mplus_eval.models.chat_format import ChatFormat
from mplus_eval.records.asking import Asking
from mplus_eval.spec.model import ModelSpec


def asking_of(
    model: ModelSpec,
    encoding: Encoding | None,
    *,
    max_length: int | None,
    decoding: Decoding | None = None,
    ends: Sequence[int] = (),
    chat: ChatFormat | None = None,
    reasoning: Reasoning | None = None,
    quantization: str | None = None,
    api: str = "",
) -> Asking:
    """What is known of one model; a field that no part fills stays at its default.

    Args:
        model: as it was asked for.
        encoding: how its texts become ids; None where a server does that.
        max_length: the longest sequence that it is given, in tokens.
        decoding: what of it comes from elsewhere than the protocol.
        ends: ids of the tokens that end any text.
        chat: how talk is put to it.
        reasoning: how its reasoning is treated, where it has any.
        quantization: of its weights, where they are not quantized as they were asked for.
        api: of a server.
    """
    return Asking(
        api=api,
        begins_with=encoding.text_of(encoding.begins) if encoding else "",
        leaves_off=encoding.text_of(encoding.leaves_off) if encoding else "",
        max_length=max_length,
        quantization=quantization or model.quantization,
        end_tokens=tuple(encoding.text_of([token]) for token in ends) if encoding else (),
        talk_ends=chat.talk_ends if chat else (),
        template_system=chat.turns.system if chat else "",
        folds_system=chat.turns.folds_system if chat else False,
        decoding=decoding.applied_words if decoding else {},
        ignored=decoding.ignored_words if decoding else {},
        thinking=reasoning.thinking.named if reasoning else "",
        thinking_tokens=reasoning.tokens if reasoning else None,
    )
