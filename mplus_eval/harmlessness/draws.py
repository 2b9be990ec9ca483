"""What is counted of a prompt set before it is asked: some of its prompts, each with all of its samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mplus_eval.backends.work import Draw
from mplus_eval.harmlessness.generate import PROMPTS_PER_CALL, requests_of, texts_of
from mplus_eval.harmlessness.items import PromptSet
from mplus_eval.models.cells import Part, evenly_spread
from mplus_eval.models.chat_format import ChatFormat
from mplus_eval.spec.harmlessness import HarmlessnessSettings

_PARTS = 4


def draw_prompts(
    prompt_set: PromptSet,
    parts: Sequence[Part],
    settings: HarmlessnessSettings,
    chat: ChatFormat | None,
    *,
    seed: int,
    rescorers: int,
) -> Iterator[Draw]:
    """Build the requests of some prompts.

    Args:
        prompt_set: the set.
        parts: that are to be asked.
        settings: how it is asked.
        chat: the format of a set that is put as a user's words.
        seed: the run's.
        rescorers: models that are asked how likely they think what is said: itself, and the baseline.
    """
    from lm_eval.api.instance import Instance

    drawn = evenly_spread(parts, _PARTS)
    n_items = sum(len(part.items) for part in parts)
    for part in drawn:
        prompts = [prompt_set.prompts[number] for number in part.items[:PROMPTS_PER_CALL]]
        texts = texts_of(prompts, chat)
        weight = n_items / sum(len(each.items) for each in drawn)
        if prompt_set.kind == "layers":
            rolling = [[Instance("loglikelihood_rolling", {}, (text,), 0)] for text in texts]
            yield Draw(len(part.items), rolling, weight)
            continue
        items = [requests_of([text], prompt_set, settings, chat, seed) for text in texts]
        rescored = rescorers * settings.likelihood_samples if prompt_set.kind == "sampled" else 0
        yield Draw(len(part.items), items, weight, PROMPTS_PER_CALL * len(items[0]), rescored)
