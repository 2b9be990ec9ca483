"""How a loaded model is really asked, put together from what each part of a backend found as it was loaded."""

from __future__ import annotations

from mplus_eval.backends.encoding import Encoding
from mplus_eval.records.asking import Asking
from mplus_eval.spec.model import ModelSpec


def asking_of(model: ModelSpec, encoding: Encoding, *, max_length: int) -> Asking:
    """What is known of one model; a field that no part fills stays at its default.

    Args:
        model: as it was asked for.
        encoding: how its texts become ids.
        max_length: the longest sequence that it is given, in tokens.
    """
    return Asking(
        begins_with=encoding.text_of(encoding.begins),
        leaves_off=encoding.text_of(encoding.leaves_off),
        max_length=max_length,
        quantization=model.quantization,
    )
