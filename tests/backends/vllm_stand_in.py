"""A package `vllm` in the place of the real one, whose engine computes by transformers and keeps a cache of prefixes.

lm-eval's own class for vLLM runs over it. What an engine can do is chosen, so that each step down can be met.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

BLOCK = 4


class RefusedError(Exception):
    """As vLLM's VLLMClientError, which is no ValueError."""


@dataclass
class Abilities:
    """What an engine knows.

    Attributes:
        lacking: settings that its SamplingParams do not have.
        scores_ids: whether it scores asked ids of a prompt.
        error: added to each log-probability that is asked by id.
        cached: how many blocks it says that it keeps.
        engines: those that were loaded.
    """

    lacking: frozenset[str] = frozenset()
    scores_ids: bool = True
    error: float = 0.0
    cached: int = 1000
    engines: list[StandIn] = field(default_factory=list)


_FIELDS = {
    "n": 1, "temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0, "seed": None,
    "stop": None, "stop_token_ids": None, "ignore_eos": False, "max_tokens": 16, "min_tokens": 0,
    "prompt_logprobs": None, "prompt_logprob_start": None, "prompt_logprob_token_ids": None, "logprob_token_ids": None,
    "detokenize": True, "skip_special_tokens": True, "spaces_between_special_tokens": True,
    "skip_reading_prefix_cache": None,
}  # fmt: skip


class StandIn:
    """Answers as `vllm.LLM` does."""

    def __init__(self, abilities: Abilities, **arguments: Any) -> None:
        self.abilities, self.arguments = abilities, arguments
        self.network = load(str(arguments["model"]))
        self.tokenizer = AutoTokenizer.from_pretrained(arguments["tokenizer"] or arguments["model"])
        config = self.network.config
        self.length = arguments["max_model_len"] or config.max_position_embeddings
        self.asked: list[tuple[tuple[int, ...], Any]] = []
        self.n_computed = 0
        self.stopped = 0
        self._cache: set[tuple[int, ...]] = set()
        self.llm_engine = SimpleNamespace(
            model_config=SimpleNamespace(
                dtype=torch.float32,
                hf_text_config=config,
                quantization=None,
                max_model_len=self.length,
                get_vocab_size=lambda: config.vocab_size,
            ),
            vllm_config=SimpleNamespace(
                cache_config=SimpleNamespace(num_gpu_blocks=abilities.cached, block_size=BLOCK)
            ),
            engine_core=SimpleNamespace(shutdown=self._stop),
        )
        abilities.engines.append(self)

    def generate(
        self, prompts: Sequence[Any], sampling_params: Sequence[Any], use_tqdm: bool, lora_request: Any = None
    ) -> list[Any]:
        for prompt, params in zip(prompts, sampling_params, strict=True):
            if params.prompt_logprob_token_ids is not None and not self.abilities.scores_ids:
                raise RefusedError("prompt_logprob_token_ids requires another runner")
            if max(prompt["prompt_token_ids"]) >= self.network.config.vocab_size:
                raise RefusedError("a token is out of vocabulary")
            assert len(prompt["prompt_token_ids"]) + 1 <= self.length
        return [
            self._answered(tuple(prompt["prompt_token_ids"]), params)
            for prompt, params in zip(prompts, sampling_params, strict=True)
        ]

    def reset_prefix_cache(self) -> bool:
        self._cache.clear()
        return True

    def _answered(self, ids: tuple[int, ...], params: Any) -> Any:
        self.asked.append((ids, params))
        n_cached = self._n_cached(ids, params)
        self.n_computed += len(ids) - n_cached
        logs = self._log_probabilities(ids)
        return SimpleNamespace(
            outputs=[self._text(ids, params, index) for index in range(params.n)],
            prompt_logprobs=self._rows(ids, params, logs, n_cached),
            prompt_token_id_logprobs=self._asked_ids(params, logs, n_cached),
            num_cached_tokens=n_cached,
        )

    def _n_cached(self, ids: tuple[int, ...], params: Any) -> int:
        skips = params.skip_reading_prefix_cache
        if skips is None:
            skips = params.prompt_logprobs is not None or params.prompt_logprob_token_ids is not None
        ends = range(BLOCK, len(ids) + 1, BLOCK)
        found = 0 if skips else max((end for end in ends if end < len(ids) and ids[:end] in self._cache), default=0)
        self._cache |= {ids[:end] for end in ends}
        return found

    def _rows(self, ids: tuple[int, ...], params: Any, logs: torch.Tensor, n_cached: int) -> Any:
        if params.prompt_logprobs is None:
            return None
        # What was not computed holds whatever stood there.
        rows: list[Any] = [None, *({-1: told(0.0)} for _ in ids[1:])]
        for place in range(n_cached + 1, len(ids)):
            best = int(logs[place - 1].argmax())
            values = {token: told(float(logs[place - 1, token])) for token in (ids[place], best)}
            rows[place] = values
        return rows

    def _asked_ids(self, params: Any, logs: torch.Tensor, n_cached: int) -> Any:
        asked, start = params.prompt_logprob_token_ids, params.prompt_logprob_start or 0
        if asked is None or n_cached > start:
            return None
        assert start + len(asked) + 1 == len(logs)
        return [
            [float(logs[start + place, token]) + self.abilities.error for token in row]
            for place, row in enumerate(asked)
        ]

    def _text(self, ids: tuple[int, ...], params: Any, index: int) -> Any:
        generator = torch.Generator().manual_seed((params.seed or 0) + index)
        tokens: list[int] = []
        told_first = None
        while len(tokens) < params.max_tokens:
            logs = self._log_probabilities((*ids, *tokens))[-1]
            if params.temperature == 0:
                token = int(logs.argmax())
            else:
                token = int(torch.multinomial((logs / params.temperature).softmax(-1), 1, generator=generator))
            if told_first is None and params.logprob_token_ids is not None:
                told_first = [{each: told(float(logs[each])) for each in (token, *params.logprob_token_ids)}]
            tokens.append(token)
            text = self.tokenizer.decode(tokens)
            if token in (params.stop_token_ids or ()) or any(stop in text for stop in params.stop or ()):
                break
        return SimpleNamespace(token_ids=tokens, logprobs=told_first, text=self.tokenizer.decode(tokens))

    def _log_probabilities(self, ids: tuple[int, ...]) -> torch.Tensor:
        """(tokens, vocabulary)."""
        return log_probabilities(str(self.arguments["model"]), ids)

    def _stop(self) -> None:
        self.stopped += 1


@cache
def load(path: str) -> Any:
    """A model of transformers."""
    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()


@cache
@torch.no_grad()
def log_probabilities(path: str, ids: tuple[int, ...]) -> torch.Tensor:
    """Of all tokens after each token, (tokens, vocabulary)."""
    logs: torch.Tensor = load(path)(torch.tensor([ids])).logits[0].float().log_softmax(-1)
    return logs


def told(value: float) -> Any:
    """As vLLM's Logprob."""
    return SimpleNamespace(logprob=value)


def install(monkeypatch: pytest.MonkeyPatch, abilities: Abilities | None = None) -> Abilities:
    """Put the package in the place of the real one, until the test ends."""
    able = abilities or Abilities()

    def sampling_params(**given: Any) -> Any:
        if unknown := set(given) - (set(_FIELDS) - able.lacking):
            raise TypeError(f"unexpected keyword argument {sorted(unknown)[0]!r}")
        return SimpleNamespace(**{**_FIELDS, **given})

    def load_tokenizer(path: str, **_: Any) -> Any:
        return AutoTokenizer.from_pretrained(path)

    package = _module(
        "vllm",
        LLM=lambda **arguments: StandIn(able, **arguments),
        SamplingParams=sampling_params,
        TokensPrompt=dict,
        __version__="0.32.0",
        __path__=[],
    )
    package.exceptions = _module("vllm.exceptions", VLLMClientError=RefusedError)
    modules = [
        package,
        package.exceptions,
        _module("vllm.platforms", current_platform=SimpleNamespace(is_cpu=lambda: True)),
        _module("vllm.lora", __path__=[]),
        _module("vllm.lora.request", LoRARequest=lambda *arguments: arguments),
        _module("vllm.renderers", __path__=[]),
        _module("vllm.renderers.hf", resolve_chat_template=lambda tokenizer, **_: tokenizer.chat_template),
        _module("vllm.tokenizers", get_tokenizer=load_tokenizer),
    ]
    for module in modules:
        monkeypatch.setitem(sys.modules, module.__name__, module)
    # lm-eval's module holds what it found when it was imported.
    if (lm_eval := sys.modules.get("lm_eval.models.vllm_causallms")) is not None:
        for name in ("LLM", "SamplingParams", "TokensPrompt"):
            monkeypatch.setattr(lm_eval, name, getattr(package, name))
    return able


def _module(name: str, **contents: Any) -> Any:
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None)
    vars(module).update(contents)
    return module
