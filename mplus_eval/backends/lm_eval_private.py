"""What lm-eval does not offer in public, gathered here: its underscored names, and what only it can do in between.

Imports lm-eval, so it is imported only where that is at hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING

from lm_eval.api.model import TemplateLM

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

EncodedPair = tuple[tuple[str, str] | None, list[int], list[int]]
"""The two texts of a request, None for a piece of a whole text, and the token ids of both."""


def encode_pairs(lm: TemplateLM, requests: Sequence[Instance]) -> list[EncodedPair]:
    """Encode `loglikelihood` requests as lm-eval itself does: its own method runs, with scoring left out."""
    encoder = SimpleNamespace(
        tok_encode=lm.tok_encode,
        prefix_token_id=lm.prefix_token_id,
        _encode_pair=lm._encode_pair,
        _loglikelihood_tokens=lambda encoded, disable_tqdm: encoded,
    )
    encoded: list[EncodedPair] = TemplateLM.loglikelihood(encoder, list(requests), disable_tqdm=True)
    return encoded
