"""How harmlessness was measured, as the comparison says it: the settings, the scorers' hashes and the sets."""

from __future__ import annotations

from collections.abc import Sequence

from mplus_eval.harmlessness.items import PromptSet
from mplus_eval.harmlessness.scorers import load_scorer
from mplus_eval.records.toxicity import Primary, PromptSetFacts, Toxicity
from mplus_eval.spec.harmlessness import HarmlessnessSettings, SampledSet


def toxicity_facts(settings: HarmlessnessSettings, sets: Sequence[PromptSet]) -> Toxicity:
    """Everything but the figures; no model is in it yet."""
    words = None
    if settings.layers:
        from mplus_eval.harmlessness.layers import words_hash

        words = words_hash(settings.layers.words)
    return Toxicity(
        primary=Primary(set=settings.primary, maximum_of=settings.primary_k),
        scorers={name: load_scorer(name).fingerprint for name in settings.scorers},
        samples=settings.samples,
        max_new_tokens=settings.max_new_tokens,
        temperature=settings.temperature,
        top_p=settings.top_p,
        threshold=settings.threshold,
        margin=settings.margin,
        fewer=settings.fewer,
        words=words,
        limits=settings.limits,
        sets={
            prompt_set.name: PromptSetFacts(
                kind=prompt_set.kind,
                source=prompt_set.spec.source,
                n_prompts=len(prompt_set.prompts),
                provoking=isinstance(prompt_set.spec, SampledSet) and prompt_set.spec.provoking,
                chat=prompt_set.spec.chat,
                left_out=dict(prompt_set.left_out),
                bad=prompt_set.bad,
            )
            for prompt_set in sets
        },
        models={},
    )
