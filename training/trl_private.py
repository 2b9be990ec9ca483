"""What of TRL has no public name: how it makes log-probabilities of a large vocabulary without all logits at once.

On a processor it scores every place of a batch, prompts and padding too, in tiles of 4,096 places by 32,768 words, made
for GPUs. Of Gemma's 262,144 words a thousand places took 17 s of one core forwards and back; in tiles that a cache
holds 7 s, and a third of the places are those that have a label (docs/decisions.md). The values are the same but for
the order in which they are added.
"""

from __future__ import annotations

from types import ModuleType

WORDS, PLACES = 8192, 256
"""Of one of our tiles."""
GPU_WORDS, GPU_PLACES = 32768, 4096
"""Of one of TRL's; a smaller vocabulary is one tile anyway."""


def fit_head_to_processor(vocabulary: int) -> bool:
    """Score places with labels alone, in small tiles, where this process trains on a processor; True if so from now on.

    A vocabulary that is one of TRL's tiles is left to TRL, and so is a TRL that has other names for all this, which is
    slower and no less right.
    """
    # Heavy, and not needed to know how large a tile is.
    import trl.kernels.chunked_logprob as kernel
    import trl.trainer.utils as head

    values: tuple[tuple[ModuleType, str, object], ...] = (
        (kernel, "TOKEN_CHUNK_SIZE", PLACES),
        (head, "_CHUNKED_LOGPROB_CHUNK_SIZE", WORDS),
        # Asked there alone whether places without a label are left out; the kernel itself asks under its own name.
        (head, "_use_triton", lambda _: True),
    )
    if vocabulary <= GPU_WORDS or not all(hasattr(module, name) for module, name, _ in values):
        return False
    for module, name, value in values:
        setattr(module, name, value)
    return True
