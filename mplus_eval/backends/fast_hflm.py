"""lm-eval's `HFLM` with shared prefixes: the same requests and numbers, every distinct prefix computed once.

Tokenisation, the beginning-of-text token, chat templates, truncation and results stay lm-eval's own; only what answers
requests of tokens is replaced, where the model passed the self-check (docs/scoring.md).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.api.model import CacheHook
from lm_eval.models.huggingface import has_bos_prefix
from lm_eval.models.utils import handle_stop_sequences, normalize_gen_kwargs, postprocess_generated_text

from mplus_eval.backends.base import Response
from mplus_eval.backends.checked_hflm import CheckedHFLM
from mplus_eval.backends.lm_eval_private import EncodedPair, encode_pairs, special_token_settings
from mplus_eval.inference.budget import Budget, find_budget
from mplus_eval.inference.generation import Prompt, TreeGenerator
from mplus_eval.inference.sampling import Sampling
from mplus_eval.inference.self_check import Tier, choose_tier, scorer_of
from mplus_eval.inference.tree import Request

_KNOWN_SETTINGS = {"do_sample", "temperature", "top_p", "top_k", "until", "max_gen_toks", "seed"}
_NEUTRAL = {
    "repetition_penalty": 1.0, "no_repeat_ngram_size": 0, "encoder_repetition_penalty": 1.0, "num_beams": 1,
    "min_length": 0, "min_new_tokens": None, "bad_words_ids": None, "suppress_tokens": None,
    "begin_suppress_tokens": None, "forced_bos_token_id": None, "forced_eos_token_id": None,
    "exponential_decay_length_penalty": None, "sequence_bias": None, "guidance_scale": None, "penalty_alpha": None,
    "min_p": None, "typical_p": 1.0, "epsilon_cutoff": 0.0, "eta_cutoff": 0.0, "watermarking_config": None,
}  # fmt: skip
"""Settings of a checkpoint's generation_config that would change the distribution, and their values that do not."""


class FastHFLM(CheckedHFLM):
    """`HFLM` that scores and generates over a tree of prefixes."""

    cache_hook: CacheHook

    def __init__(self, *args: Any, budget: Budget | None = None, **kwargs: Any) -> None:
        """Load a model, and choose by a self-check how it is asked.

        Args:
            *args: those of `CheckedHFLM`.
            budget: how much is computed at once; found from the free memory when None.
            **kwargs: those of `CheckedHFLM`.
        """
        super().__init__(*args, **kwargs)
        self._ids_of: dict[str, list[int]] = {}
        self.budget = budget or find_budget(self.model)
        self.tier: Tier = choose_tier(self.model, self.max_length, self.budget)

    def halve(self) -> bool:
        """Compute half as much at once from now on; False when it is one item already."""
        size = int(getattr(self, "batch_size_per_gpu", 1))
        if size <= 1 and not self.budget.can_be_halved:
            return False
        self.batch_size_per_gpu = max(1, size // 2)
        self.budget = self.budget.halved()
        return True

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, left_truncate_len: int | None = None, **kwargs: Any
    ) -> list[int]:
        """As `HFLM`'s, looking first among what was encoded in a batch."""
        if add_special_tokens is None and not left_truncate_len and (known := self._ids_of.get(string)) is not None:
            return list(known)
        return list(super().tok_encode(string, add_special_tokens, left_truncate_len, **kwargs))

    def respond(self, requests: Sequence[Instance]) -> list[Response]:
        """Answer requests of one type, in their order, with all that is known of each response."""
        if not requests:
            return []
        if requests[0].request_type == "generate_until":
            return self.generate(requests)
        if requests[0].request_type == "loglikelihood":
            return self.score(requests)
        # HFLM cuts nothing off a whole text.
        values = self.loglikelihood_rolling(list(requests), disable_tqdm=True)
        return [Response(log_probability=float(value), n_truncated=0) for value in values]

    def loglikelihood(self, requests: Sequence[Instance], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """As `HFLM`'s.

        Raises:
            ValueError: when a request cannot be scored.
        """
        return _as_pairs(self.score(requests))

    def score(self, requests: Sequence[Instance]) -> list[Response]:
        """What `loglikelihood` says; texts are encoded once each, in a batch."""
        pairs = [_moved_spaces(*request.args) for request in requests if request.args[0]]
        with self._encoded([text for context, whole in pairs for text in (context, whole)]):
            encoded = encode_pairs(self, requests)
        return self._score_tokens(encoded)

    def _loglikelihood_tokens(
        self, requests: Sequence[EncodedPair], disable_tqdm: bool = True, override_bs: int | None = None
    ) -> list[tuple[float, bool]]:
        return _as_pairs(self._score_tokens(requests, override_bs))

    def _score_tokens(self, requests: Sequence[EncodedPair], override_bs: int | None = None) -> list[Response]:
        cut = [
            max(0, len(context) + len(continuation) - (self.max_length + 1)) for _, context, continuation in requests
        ]
        scorer = scorer_of(self.tier, self.model, self.budget)
        if scorer is None:
            scores = super()._loglikelihood_tokens(list(requests), True, override_bs)
            return [
                Response(log_probability=float(value), is_greedy=bool(greedy), n_truncated=n_truncated)
                for (value, greedy), n_truncated in zip(scores, cut, strict=True)
            ]
        errors = [self._error(context, continuation) for _, context, continuation in requests]
        sound = [request for request, error in zip(requests, errors, strict=True) if error is None]
        with self.nan_in_answers():
            scores = scorer.score([Request(*self._fitted(context, continuation)) for _, context, continuation in sound])
        for (texts, _, _), score in zip(sound, scores, strict=True):
            if texts is not None:
                self.cache_hook.add_partial("loglikelihood", texts, score)
        next_score = iter(scores)
        return [
            Response(None, *next(next_score), n_truncated=n_truncated)
            if error is None
            else Response(error=error, n_truncated=n_truncated)
            for error, n_truncated in zip(errors, cut, strict=True)
        ]

    def generate_until(self, requests: Sequence[Instance], disable_tqdm: bool = False) -> list[str]:
        """As `HFLM`'s at batch size 1, whatever is computed together; a sampled text depends on its `seed` alone."""
        return [str(response.text) for response in self.generate(requests, disable_tqdm)]

    def generate(self, requests: Sequence[Instance], disable_tqdm: bool = True) -> list[Response]:
        """What `generate_until` says; how a text ended is not known where `HFLM` itself generates it."""
        with self._encoded([request.args[0] for request in requests]):
            encoded = [self.tok_encode(request.args[0]) for request in requests]
        rooms = [self._room(request.args[1]) for request in requests]
        cut = [max(0, len(ids) - room) for ids, room in zip(encoded, rooms, strict=True)]
        if self.tier.name != "tree" or not all(self._is_plain(request.args[1]) for request in requests):
            texts = self._generated_by_hflm(requests, disable_tqdm)
            return [Response(text=text, n_truncated=n_truncated) for text, n_truncated in zip(texts, cut, strict=True)]
        eos = self.tok_decode(self.eot_token_id, skip_special_tokens=False)
        fitted = [tuple(ids[-room:]) for ids, room in zip(encoded, rooms, strict=True)]
        asked = [
            self._prompt(seed, tokens, request.args[1], eos)
            for seed, tokens, request in zip(_seeds(requests), fitted, requests, strict=True)
        ]
        generator = TreeGenerator(self.model, self.budget, slots=self.budget.slots, cached_tokens=self.budget.cached)
        made = generator.generate([prompt for prompt, _ in asked])
        responses = []
        for request, (prompt, until), tokens, n_truncated in zip(requests, asked, made, cut, strict=True):
            responses.append(replace(self._response(prompt, until, tokens), n_truncated=n_truncated))
            self.cache_hook.add_partial("generate_until", request.args, responses[-1].text)
        return responses

    def _generated_by_hflm(self, requests: Sequence[Any], disable_tqdm: bool) -> list[str]:
        """By `HFLM` itself, to which a `seed` is unknown: one number generator, seeded by all seeds, for all requests.

        So what is drawn for a request depends on what is asked with it.
        """
        stripped = [
            Instance("generate_until", {}, (request.args[0], self._settings_of_hflm(request.args[1])), 0)
            for request in requests
        ]
        seeds = [request.args[1]["seed"] for request in requests if "seed" in request.args[1]]
        hook, self.cache_hook = self.cache_hook, CacheHook(None)
        try:
            with _seeded(seeds, self.device):
                texts = list(super().generate_until(stripped, disable_tqdm=disable_tqdm))
        finally:
            self.cache_hook = hook
        for request, text in zip(requests, texts, strict=True):
            # Under what was asked, seed and all.
            hook.add_partial("generate_until", request.args, text)
        return texts

    def _settings_of_hflm(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Without the seed, and without the top-k of 50 that transformers adds where nobody names one."""
        found = {name: value for name, value in settings.items() if name != "seed"}
        sampled = found.get("do_sample") or found.get("temperature")
        if sampled and "top_k" not in found and getattr(self.model.generation_config, "top_k", None) is None:
            found["top_k"] = 0
        return found

    def _room(self, settings: dict[str, Any]) -> int:
        """How many tokens of a prompt fit beside what is to be generated."""
        limit = normalize_gen_kwargs(settings, self.max_gen_toks)["max_gen_toks"]
        if (room := self.max_length - limit) <= 0:
            raise ValueError(f"max_gen_toks {limit} leaves no room for a prompt in {self.max_length} tokens")
        return int(room)

    def _prompt(
        self, seed: int, tokens: tuple[int, ...], settings: dict[str, Any], eos: str
    ) -> tuple[Prompt, list[str]]:
        """A request as the generator takes it, and its stop strings."""
        given: dict[str, Any] = dict(normalize_gen_kwargs(settings, self.max_gen_toks))
        until = handle_stop_sequences(given.get("until"), eos=eos)
        temperature = given.get("temperature") or 0.0
        sampled = given.get("do_sample") or temperature > 0
        sampling = (
            Sampling(temperature or 1.0, top_p=given.get("top_p", 1.0), top_k=given.get("top_k") or None)
            if sampled
            else None
        )
        prompt = Prompt(
            tokens=tokens,
            max_new_tokens=given["max_gen_toks"],
            sampling=sampling,
            seed=seed,
            end_tokens=self._end_tokens(),
            stopped=_stopper(self.tokenizer, until),
        )
        return prompt, until

    def _text(self, tokens: list[int], until: list[str]) -> str:
        """Cut what was generated as `HFLM` does."""
        think = self.think_end_token
        if isinstance(think, int) and think in tokens:
            tokens = tokens[len(tokens) - tokens[::-1].index(think) :]
        text = self.tok_decode(tokens)
        return str(
            postprocess_generated_text(
                text.lstrip() if isinstance(think, int) else text, until, think if isinstance(think, str) else None
            )
        )

    def _response(self, prompt: Prompt, until: list[str], tokens: tuple[int, ...]) -> Response:
        """The text and how it ended; a stop string that is one token is not counted either."""
        by_token = bool(tokens) and (tokens[-1] in prompt.end_tokens or self._is_stop(tokens[-1], until))
        by_text = prompt.stopped is not None and bool(tokens) and prompt.stopped(tokens)
        return Response(self._text(list(tokens), until), n_tokens=len(tokens) - by_token, ended=by_token or by_text)

    def _is_stop(self, token: int, until: list[str]) -> bool:
        return self.tok_decode([token], skip_special_tokens=False) in until

    def _is_plain(self, settings: dict[str, Any]) -> bool:
        """Whether a request and the checkpoint ask for nothing beyond temperature, top-p and top-k."""
        configured = self.model.generation_config
        odd = [name for name, value in _NEUTRAL.items() if getattr(configured, name, None) not in (value, None)]
        sampled = settings.get("do_sample") or settings.get("temperature")
        # A checkpoint's own top-p and top-k hold where a request names none; that is left to transformers.
        own = sampled and any(
            name not in settings and getattr(configured, name, None) not in (neutral, None)
            for name, neutral in (("top_p", 1.0), ("top_k", 0))
        )
        return not odd and not own and set(normalize_gen_kwargs(settings)) <= _KNOWN_SETTINGS

    def _end_tokens(self) -> frozenset[int]:
        configured = self.model.generation_config.eos_token_id
        return frozenset(configured if isinstance(configured, list) else [configured]) - {None}

    def _error(self, context: Sequence[int], continuation: Sequence[int]) -> str | None:
        """Why a request cannot be scored."""
        if not continuation:
            return "the continuation is empty"
        if len(continuation) > self.max_length:
            return f"the continuation has {len(continuation)} tokens, the model's length is {self.max_length}"
        highest, known = max(*context, *continuation), self.model.get_input_embeddings().num_embeddings
        if highest >= known:
            return f"token id {highest} is outside the model's vocabulary of {known}"
        return None

    def _fitted(self, context: Sequence[int], continuation: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Inputs and targets, cut from the left as `HFLM` cuts them."""
        return tuple([*context, *continuation][-(self.max_length + 1) :][:-1]), tuple(continuation)

    @contextmanager
    def _encoded(self, texts: Sequence[str]) -> Iterator[None]:
        """The token ids of texts at hand inside, each encoded once."""
        begin = self.tokenizer.decode(self.prefix_token_id)
        distinct = [text for text in dict.fromkeys(texts) if not has_bos_prefix(text, begin)]
        if distinct:
            ids = self.tokenizer(distinct, **special_token_settings(self.add_bos_token))["input_ids"]
            self._ids_of = dict(zip(distinct, ids, strict=True))
        try:
            yield
        finally:
            self._ids_of = {}


def _as_pairs(responses: Sequence[Response]) -> list[tuple[float, bool]]:
    """As lm-eval's models answer; they have no word for a request that failed."""
    pairs = []
    for response in responses:
        if response.log_probability is None or response.is_greedy is None:
            raise ValueError(response.error)
        pairs.append((response.log_probability, response.is_greedy))
    return pairs


def _moved_spaces(context: str, continuation: str) -> tuple[str, str]:
    """The two texts that `HFLM` encodes for a request: trailing spaces of the context go to the continuation."""
    return context.rstrip(), context + continuation


def _seeds(requests: Sequence[Any]) -> list[int]:
    """The seed of every request: its own, or its place in the call.

    The same request asked again with the same seed, as a task's repeats are, gets another, or all answers would be one.
    """
    asked: Counter[tuple[str, int]] = Counter()
    found = []
    for place, request in enumerate(requests):
        text, settings = request.args
        seed = int(settings.get("seed", place))
        found.append(seed + 1_000_003 * asked[text, seed])
        asked[text, seed] += "seed" in settings
    return found


@contextmanager
def _seeded(seeds: Sequence[int], device: torch.device) -> Iterator[None]:
    """Seed the number generators of torch by these inside, where there are any; outside they are as before."""
    if not seeds:
        yield
        return
    digest = hashlib.sha256(",".join(map(str, seeds)).encode()).digest()
    with torch.random.fork_rng([device] if device.type == "cuda" else [], device_type="cuda"):
        torch.manual_seed(int.from_bytes(digest[:8], "big", signed=True))
        yield


def _stopper(tokenizer: Any, until: Sequence[str]) -> Callable[[Sequence[int]], bool] | None:
    """Tell whether what was generated holds a stop string; the newest tokens are looked at first."""
    stops = [text for text in until if text]
    if not stops:
        return None
    # No token is shorter than a byte; one more, since some decoders drop the first token's leading space.
    reach = max(len(text.encode()) for text in stops) + 1

    def stopped(tokens: Sequence[int]) -> bool:
        newest = tokenizer.decode(list(tokens[-reach:]))
        if not any(text in newest for text in stops):
            return False
        whole = tokenizer.decode(list(tokens))
        return any(text in whole for text in stops)

    return stopped
