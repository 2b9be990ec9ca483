"""Generation: what a model says to the prompts of a set.

    sampled   every prompt is gone on from `samples` times, each with a seed of its own
    refusal   one greedy answer to each request
    layers    no answer, but the probability of bad words at every layer (`logit_lens`)

A sample's seed depends on the run's seed, the prompt's text and the sample's number alone, so that two models draw from
the same random numbers and neither batches nor a restart change what is said.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mplus_eval.backends import Backend, ServerError
from mplus_eval.backends.answers import asked_columns
from mplus_eval.harmlessness.items import PromptSet
from mplus_eval.harmlessness.prompt_rows import SetPrompt
from mplus_eval.models.chat_format import ChatFormat, format_of
from mplus_eval.spec.harmlessness import HarmlessnessSettings
from mplus_eval.store.hashes import hash_text
from mplus_eval.store.outcomes import Answer

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

PROMPTS_PER_CALL = 40
"""Enough for full batches of 25 samples each, few enough for lively progress."""


def generate(
    prompt_set: PromptSet,
    numbers: Sequence[int],
    backend: Backend,
    settings: HarmlessnessSettings,
    *,
    seed: int,
    own_template: bool,
    on_items: Callable[[int], None],
) -> list[Answer]:
    """Put some prompts of a set to a model.

    Args:
        prompt_set: the set.
        numbers: which of its prompts.
        backend: the model.
        settings: how it is asked.
        seed: the run's.
        own_template: whether chat is put into the model's own chat template, or into the plain format.
        on_items: called with the number of prompts done since the last call.

    Returns:
        An answer for each prompt and sample.
    """
    prompts = [prompt_set.prompts[number] for number in numbers]
    chat = format_of(backend, own_template=own_template) if prompt_set.spec.chat else None
    texts = texts_of(prompts, chat)
    if prompt_set.kind == "layers":
        layers = _layer_answers(prompts, texts, backend, settings)
        on_items(len(prompts))
        return layers
    n_samples, options = _request_options(prompt_set, settings, chat)
    answers: list[Answer] = []
    put = list(zip(prompts, texts, strict=True))
    for start in range(0, len(put), PROMPTS_PER_CALL):
        call = put[start : start + PROMPTS_PER_CALL]
        wanted = [(prompt, text, sample) for prompt, text in call for sample in range(n_samples)]
        answers += _generated(wanted, backend, options, seed)
        on_items(len(call))
    if prompt_set.kind != "sampled":
        return answers
    chosen = [answer for answer in answers if answer.sample < settings.likelihood_samples]
    likelihoods = iter(log_likelihoods(chosen, backend))
    for number, answer in enumerate(answers):
        if answer.sample < settings.likelihood_samples and (value := next(likelihoods)) is not None:
            answers[number] = replace(answer, log_probabilities=[value])
    return answers


def texts_of(prompts: Sequence[SetPrompt], chat: ChatFormat | None) -> list[str]:
    """Prompts as a model sees them."""
    return [chat.render([{"role": "user", "content": prompt.text}]) if chat else prompt.text for prompt in prompts]


def requests_of(
    texts: Sequence[str], prompt_set: PromptSet, settings: HarmlessnessSettings, chat: ChatFormat | None, seed: int
) -> list[Instance]:
    """What a model is asked to go on from texts: lm-eval's requests, a text's samples side by side."""
    n_samples, options = _request_options(prompt_set, settings, chat)
    return [_request(text, sample, options, seed) for text in texts for sample in range(n_samples)]


def log_likelihoods(answers: Sequence[Answer], backend: Backend) -> list[float | None]:
    """How likely a model thinks what was said, in nats, each summed over the answer's tokens; None where it is unknown.

    An answer without a word has none, nor has one that came after reasoning, which does not follow from its prompt
    alone, nor any by a server that does not tell them.
    """
    from lm_eval.api.instance import Instance

    wanted = [
        (number, each.prompt, each.text)
        for number, each in enumerate(answers)
        if (each.text or "").strip() and each.thinking is None
    ]
    requests = [Instance("loglikelihood", {}, (prompt, text), 0) for _, prompt, text in wanted]
    values: list[float | None] = [None] * len(answers)
    try:
        responses = backend.respond(requests)
    except ServerError:
        return values  # it has just generated, and tells no likelihoods
    for (number, _, _), response in zip(wanted, responses, strict=True):
        if (value := response.log_probability) is not None and not math.isnan(value):
            values[number] = value
    return values


def _request_options(
    prompt_set: PromptSet, settings: HarmlessnessSettings, chat: ChatFormat | None = None
) -> tuple[int, dict[str, object]]:
    """How many answers to a prompt are asked for, and lm-eval's options of each."""
    ends: Mapping[str, object] = chat.options() if chat else {"until": []}
    if prompt_set.kind == "refusal":
        assert settings.refusals is not None
        return 1, {**ends, "max_gen_toks": settings.refusals.max_new_tokens, "do_sample": False}
    drawn = {"do_sample": True, "temperature": settings.temperature, "top_p": settings.top_p}
    return settings.samples, {**ends, "max_gen_toks": settings.max_new_tokens, **drawn}


def _request(text: str, sample: int, options: Mapping[str, object], seed: int) -> Instance:
    """One request to go on, with the seed of its sample."""
    from lm_eval.api.instance import Instance

    own = {"seed": int(hash_text(f"{seed} {sample} {text}")[:8], 16) % 2**31} if options["do_sample"] else {}
    return Instance("generate_until", {}, (text, {**options, **own}), sample)


def _generated(
    wanted: Sequence[tuple[SetPrompt, str, int]], backend: Backend, options: Mapping[str, object], seed: int
) -> list[Answer]:
    """Answers to prompts, each as it stands in the set, as the model sees it, and with the number of its sample."""
    requests = [_request(text, sample, options, seed) for _, text, sample in wanted]
    return [
        Answer(
            item_id=prompt.item_id,
            stratum=prompt.category,
            sample=sample,
            prompt_hash=hash_text(text),
            prompt=text,
            asked=prompt.text,
            **asked_columns([response]),
            n_tokens=response.n_tokens,
            ended=response.ended,
            generations=None if response.text is None else [response.text],
            error=response.error,
        )
        for (prompt, text, sample), response in zip(wanted, backend.respond(requests), strict=True)
    ]


def _layer_answers(
    prompts: Sequence[SetPrompt], texts: Sequence[str], backend: Backend, settings: HarmlessnessSettings
) -> list[Answer]:
    """`choices` names the points of the residual stream, `log_probabilities` is that of any bad word at each."""
    import numpy as np

    from mplus_eval.harmlessness.layers import word_probabilities

    assert settings.layers is not None
    points, probabilities = word_probabilities(backend, texts, settings.layers.words)
    logarithms = np.log(np.maximum(probabilities, np.finfo(float).tiny))
    return [
        Answer(
            item_id=prompt.item_id,
            stratum=prompt.category,
            sample=0,
            prompt_hash=hash_text(text),
            prompt=text,
            asked=prompt.text,
            choices=list(points),
            log_probabilities=curve.tolist(),
        )
        for prompt, text, curve in zip(prompts, texts, logarithms, strict=True)
    ]


def generation_key(prompt_set: PromptSet, settings: HarmlessnessSettings) -> str:
    """Everything in the settings that changes what a model says to a set: a component of the cell's fingerprint."""
    if prompt_set.kind == "layers":
        from mplus_eval.harmlessness.layers import words_hash

        assert settings.layers is not None
        return f"layers {words_hash(settings.layers.words)}"
    options = _request_options(prompt_set, settings)
    return f"{options} {settings.likelihood_samples if prompt_set.kind == 'sampled' else ''}"
