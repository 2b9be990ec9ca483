"""What a vLLM engine is asked to generate, and what is read from the tokens that come back.

Several samples of one prompt are one request. vLLM gives the k-th of them, counted from 0, the seed of the first and k
more; so a sample depends on its prompt, the first one's seed and its number, and not on what is generated beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from mplus_eval.backends.base import Response
from mplus_eval.backends.generation_request import GenerationRequest
from mplus_eval.backends.vllm_engine import VllmEngine
from mplus_eval.spec.decoding import SETTINGS, is_served, served_name

_SHOWN = {"skip_special_tokens": False, "spaces_between_special_tokens": False}
"""Stop strings may be special tokens."""


def generate(engine: VllmEngine, requests: Sequence[GenerationRequest], tokenizer: Any) -> list[Response]:
    """What the model says to each request, cut as the backend `hf` cuts it."""
    groups = _groups(requests)
    asked = [requests[group[0]] for group in groups]
    settings = [
        {**sampling_settings(request, engine.vocabulary), "n": len(group)}
        for request, group in zip(asked, groups, strict=True)
    ]
    responses: dict[int, Response] = {}
    for group, output in zip(groups, engine.run([each.prompt.tokens for each in asked], settings), strict=True):
        for place, text in zip(group, output.outputs, strict=True):
            responses[place] = requests[place].response(tokenizer, _until_done(requests[place], text.token_ids))
    return [responses[place] for place in range(len(requests))]


def sampling_settings(request: GenerationRequest, vocabulary: int) -> dict[str, Any]:
    """A request as `SamplingParams` names it.

    Raises:
        ValueError: it holds a setting that vLLM does not have.
    """
    unknown = [name for name in request.others if name in SETTINGS and not is_served(name)]
    if unknown:
        raise ValueError(f"the backend vllm has no setting {', '.join(unknown)}")
    drawn: dict[str, Any] = {"temperature": 0.0}
    if (sampling := request.prompt.sampling) is not None:
        drawn = {name: value for name, value in asdict(sampling).items() if value is not None}
        drawn["seed"] = request.prompt.seed
    # Reasoning may hold what ends an answer, and is followed afterwards.
    stops = [] if request.watch else [text for text in request.until if text]
    return {
        **drawn,
        **{served_name(name): value for name, value in request.others.items()},
        **_SHOWN,
        "max_tokens": request.prompt.max_new_tokens,
        "stop": stops,
        "detokenize": bool(stops),
        # Which tokens end a text is known here, and not all are end tokens to vLLM.
        "ignore_eos": True,
        "stop_token_ids": sorted(token for token in request.prompt.end_tokens if token < vocabulary),
    }


def _groups(requests: Sequence[GenerationRequest]) -> list[list[int]]:
    """Places of requests that are samples of one prompt; the others stand alone."""
    groups: dict[object, list[int]] = {}
    for place, each in enumerate(requests):
        prompt = each.prompt
        same = (prompt.tokens, prompt.sampling, prompt.max_new_tokens, prompt.end_tokens, each.until, str(each.others))
        groups.setdefault(same if prompt.sampling is not None else place, []).append(place)
    return list(groups.values())


def _until_done(request: GenerationRequest, tokens: Sequence[int]) -> list[int]:
    """As many tokens as a model would have generated that is followed while it reasons."""
    if request.watch is None:
        return list(tokens)
    taken: list[int] = []
    for token in tokens:
        taken.append(token)
        if request.watch(taken):
            break
    return taken
