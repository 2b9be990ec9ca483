"""A vLLM engine as it is asked here: prompts of token ids in, log-probabilities and tokens out.

    0 31 7, ids 12 and 15 asked      their log-probabilities after 0 31 7, and the likeliest token's
    0 31 7 4, from place 2           those of 7 after 0 31 and of 4 after 0 31 7, besides

What an engine can do is found by asking it: an argument that its `SamplingParams` does not have is a TypeError, one
that it refuses a ValueError (`ERRORS`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from vllm import LLM, RequestOutput
    from vllm.lora.request import LoRARequest

Rows = Literal["asked ids", "prompt rows"]
"""How the tokens of a prompt are scored: by ids that are named for each place, or with the likeliest of each place."""
ERRORS = (AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What an engine raises that cannot do what it is asked."""
MOST_ASKED = 128
"""Ids of one place that vLLM's sampler has room for (its MAX_LOGPROB_TOKEN_IDS)."""
_FEW_CACHED = 16_384


@dataclass(frozen=True)
class Prompt:
    """A prompt, and the first of its places whose tokens are scored; its length where none is."""

    ids: tuple[int, ...]
    place: int


@dataclass(frozen=True)
class ScoredPrompt:
    """Natural log-probabilities of a prompt's tokens, and of what may follow it.

    Attributes:
        values: of each scored token, in order.
        best: of the likeliest token of each of these places; None where only asked ids are told.
        following: by id, of those that were asked.
        likeliest: of the likeliest that may follow.
    """

    values: Sequence[float]
    best: Sequence[float] | None
    following: Mapping[int, float]
    likeliest: float


@dataclass(frozen=True)
class VllmEngine:
    """One loaded engine, with the adapter that everything is asked through."""

    llm: LLM
    lora: LoRARequest | None = None

    @property
    def vocabulary(self) -> int:
        """Tokens that it knows; a higher id is refused with all that is asked beside it."""
        return int(self.llm.llm_engine.model_config.get_vocab_size())

    @property
    def cached_tokens(self) -> int:
        """Tokens whose keys and values it holds at once."""
        cache = self.llm.llm_engine.vllm_config.cache_config
        return int(cache.num_gpu_blocks or 0) * int(cache.block_size) or _FEW_CACHED

    def forget(self) -> None:
        """Empty the cache."""
        self.llm.reset_prefix_cache()

    def run(self, prompts: Sequence[Sequence[int]], settings: Sequence[Mapping[str, Any]]) -> list[RequestOutput]:
        """Put prompts to the engine, each with what `SamplingParams` is told.

        Raises:
            ValueError: the engine refuses a setting; TypeError where it has none of that name.
        """
        from vllm import SamplingParams, TokensPrompt, exceptions

        # Since 0.32 a refusal is no ValueError any more.
        refusals = getattr(exceptions, "VLLMClientError", ValueError)
        try:
            outputs = self.llm.generate(
                [TokensPrompt(prompt_token_ids=list(prompt)) for prompt in prompts],
                sampling_params=[SamplingParams(**each) for each in settings],
                use_tqdm=False,
                lora_request=self.lora,
            )
        except refusals as error:
            raise ValueError(str(error)) from error
        return list(outputs)

    def score(self, asked: Mapping[Prompt, Sequence[int]], rows: Rows) -> dict[Prompt, ScoredPrompt]:
        """Score prompts, and for each the ids that are asked of what follows; what begins alike is computed once.

        In one call and in order, so that what continues a prompt finds it in the cache.
        """
        wanted = [
            (prompt, ids[start : start + MOST_ASKED])
            for prompt, ids in sorted(asked.items(), key=lambda each: (each[0].ids, each[0].place))
            for start in range(0, len(ids), MOST_ASKED)
        ]
        told: dict[Prompt, ScoredPrompt] = {}
        # What was cached beyond the place is not computed, and so not told: asked again, it is computed whole.
        for reads_cache in (True, False):
            settings = [_settings(prompt, ids, rows, reads_cache=reads_cache) for prompt, ids in wanted]
            outputs = self.run([prompt.ids for prompt, _ in wanted], settings) if wanted else []
            left = []
            for (prompt, ids), output in zip(wanted, outputs, strict=True):
                if (found := _read(output, prompt, ids, rows)) is None:
                    left.append((prompt, ids))
                    continue
                before = told[prompt].following if prompt in told else {}
                told[prompt] = replace(found, following={**before, **found.following})
            wanted = left
        if wanted:
            raise RuntimeError("the engine tells no log-probabilities of a prompt")
        return told


def _settings(prompt: Prompt, ids: Sequence[int], rows: Rows, *, reads_cache: bool) -> dict[str, Any]:
    settings = {"temperature": 0.0, "max_tokens": 1, "detokenize": False, "logprob_token_ids": list(ids)}
    if prompt.place == len(prompt.ids):
        return settings
    return {**settings, **_rows(prompt, rows), "skip_reading_prefix_cache": not reads_cache}


def _rows(prompt: Prompt, rows: Rows) -> dict[str, Any]:
    if rows == "prompt rows":
        return {"prompt_logprobs": 1}
    # vLLM counts from the token that is looked from.
    asked = [[token] for token in prompt.ids[prompt.place :]]
    return {"prompt_logprob_start": prompt.place - 1, "prompt_logprob_token_ids": asked}


def _read(output: RequestOutput, prompt: Prompt, ids: Sequence[int], rows: Rows) -> ScoredPrompt | None:
    """What an engine told; None where it lacks places of the prompt."""
    told: Any = output.outputs[0].logprobs
    following = {token: float(told[0][token].logprob) for token in ids}
    likeliest = max(float(each.logprob) for each in told[0].values())
    targets = prompt.ids[prompt.place :]
    if not targets:
        return ScoredPrompt((), (), following, likeliest)
    if rows == "asked ids":
        scores = output.prompt_token_id_logprobs
        return None if scores is None else ScoredPrompt([float(row[0]) for row in scores], None, following, likeliest)
    places = (output.prompt_logprobs or [])[-len(targets) :]
    is_whole = (output.num_cached_tokens or 0) < prompt.place and len(places) == len(targets)
    # An engine may leave the rows that it did not compute as they were.
    if not is_whole or any(row is None or token not in row for row, token in zip(places, targets, strict=True)):
        return None
    values = [float(row[token].logprob) for row, token in zip(places, targets, strict=True)]
    best = [max(float(each.logprob) for each in row.values()) for row in places]
    return ScoredPrompt(values, best, following, likeliest)
