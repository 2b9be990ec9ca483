"""lm-eval's `HFLM` with shared prefixes: the same requests and numbers, every distinct prefix computed once.

Chat templates, truncation and results stay lm-eval's own, and tokenisation wherever its numbers mean something
(`encoding`); what answers requests of tokens is replaced, where the model passed the self-check (docs/scoring.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from lm_eval.api.instance import Instance
from lm_eval.api.model import CacheHook
from lm_eval.models.utils import handle_stop_sequences, normalize_gen_kwargs, postprocess_generated_text

from mplus_eval.backends.base import Response
from mplus_eval.backends.checked_hflm import CheckedHFLM
from mplus_eval.backends.encoding import encode_requests, unscorable
from mplus_eval.backends.generation_settings import Settings, is_plain, sampling_of, seeded, seeds_of, stopper
from mplus_eval.backends.lm_eval_private import EncodedPair
from mplus_eval.inference.budget import Budget, find_budget
from mplus_eval.inference.generation import Prompt, TreeGenerator
from mplus_eval.inference.self_check import Tier, choose_tier, scorer_of
from mplus_eval.inference.tree import Request

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


class FastHFLM(CheckedHFLM):
    """`HFLM` that scores and generates over a tree of prefixes."""

    cache_hook: CacheHook
    model: PreTrainedModel

    def __init__(self, *args: Any, budget: Budget | None = None, **kwargs: Any) -> None:
        """Load a model, and choose by a self-check how it is asked.

        Args:
            *args: those of `CheckedHFLM`.
            budget: how much is computed at once; found from the free memory when None.
            **kwargs: those of `CheckedHFLM`.
        """
        super().__init__(*args, **kwargs)
        self.budget = budget or find_budget(self.model)
        self.tier: Tier = choose_tier(self.model, self.max_length, self.budget)

    def halve(self) -> bool:
        """Compute half as much at once from now on; False when it is one item already."""
        size, smaller = int(getattr(self, "batch_size_per_gpu", 1)), self.budget.halved()
        if size <= 1 and smaller == self.budget:
            return False
        self.batch_size_per_gpu = max(1, size // 2)
        self.budget = smaller
        return True

    def respond(self, requests: Sequence[Instance]) -> list[Response]:
        """Answer requests of one type, in their order, with all that is known of each response."""
        if not requests:
            return []
        if requests[0].request_type == "generate_until":
            return self.generate(requests)
        if requests[0].request_type == "loglikelihood":
            return self.score(requests)
        values = self.loglikelihood_rolling(list(requests), disable_tqdm=True)
        encoded = self.encoding.encode([request.args[0] for request in requests])
        return [
            # HFLM cuts nothing off a whole text.
            Response(
                log_probability=float(value),
                n_truncated=0,
                prompt_tokens=[self.encoding.prefix],
                scored_tokens=ids,
                n_spanned=0,
            )
            for value, ids in zip(values, encoded, strict=True)
        ]

    def loglikelihood(self, requests: Sequence[Instance], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """As `HFLM`'s.

        Raises:
            ValueError: when a request cannot be scored.
        """
        return _as_pairs(self.score(requests))

    def score(self, requests: Sequence[Instance]) -> list[Response]:
        """What `loglikelihood` says of whole items."""
        encoded = encode_requests(self.encoding, requests)
        responses = self._score_tokens([(each.texts, each.context, each.continuation) for each in encoded])
        return [
            replace(
                response,
                prompt_tokens=each.context,
                scored_tokens=each.continuation,
                n_spanned=each.n_spanned,
            )
            for response, each in zip(responses, encoded, strict=True)
        ]

    def _loglikelihood_tokens(
        self, requests: Sequence[EncodedPair], disable_tqdm: bool = True, override_bs: int | None = None
    ) -> list[tuple[float, bool]]:
        return _as_pairs(self._score_tokens(requests, override_bs))

    def _score_tokens(self, requests: Sequence[EncodedPair], override_bs: int | None = None) -> list[Response]:
        # The last token is never an input.
        most = self.max_length + 1
        cut = [max(0, len(context) + len(continuation) - most) for _, context, continuation in requests]
        errors = [self._error(context, continuation) for _, context, continuation in requests]
        sound = [request for request, error in zip(requests, errors, strict=True) if error is None]
        next_score = iter(self._scores(sound, most, override_bs))
        return [
            Response(None, *next(next_score), n_truncated=n_truncated)
            if error is None
            else Response(error=error, n_truncated=n_truncated)
            for error, n_truncated in zip(errors, cut, strict=True)
        ]

    def _scores(
        self, requests: Sequence[EncodedPair], most: int, override_bs: int | None
    ) -> Sequence[tuple[float, bool]]:
        """Log-probability of each continuation, and whether it is greedy, by the tier's way."""
        scorer = scorer_of(self.tier, self.model, self.budget)
        if scorer is None:
            # HFLM shows a bar here for whole texts, whatever its caller asked for.
            scores = super()._loglikelihood_tokens(list(requests), disable_tqdm=True, override_bs=override_bs)
            return [(float(value), bool(greedy)) for value, greedy in scores]
        with self.nan_in_answers():
            # Cut from the left as HFLM cuts them.
            scores = scorer.score(
                [Request(tuple([*context, *targets][-most:][:-1]), tuple(targets)) for _, context, targets in requests]
            )
        for (texts, _, _), score in zip(requests, scores, strict=True):
            if texts is not None:
                self.cache_hook.add_partial("loglikelihood", texts, score)
        return scores

    def _error(self, context: Sequence[int], continuation: Sequence[int]) -> str | None:
        """Why a request cannot be scored."""
        if (error := unscorable(context, continuation, self.max_length)) is not None:
            return error
        highest = max(*context, *continuation)
        n_tokens = cast("torch.nn.Embedding", self.model.get_input_embeddings()).num_embeddings
        if highest >= n_tokens:
            return f"token id {highest} is outside the model's vocabulary of {n_tokens}"
        return None

    def generate_until(self, requests: Sequence[Instance], disable_tqdm: bool = False) -> list[str]:
        """As `HFLM`'s at batch size 1, whatever is computed together; a sampled text depends on its `seed` alone."""
        return [str(response.text) for response in self.generate(requests, disable_tqdm)]

    def generate(self, requests: Sequence[Instance], disable_tqdm: bool = True) -> list[Response]:
        """What `generate_until` says; how a text ended is not known where `HFLM` itself generates it.

        Raises:
            ValueError: when a request leaves no room for its prompt.
        """
        encoded = self.encoding.encode([request.args[0] for request in requests])
        settings: list[Settings] = [normalize_gen_kwargs(request.args[1], self.max_gen_toks) for request in requests]
        limits = [each["max_gen_toks"] for each in settings]
        for limit in limits:
            if limit >= self.max_length:
                raise ValueError(f"max_gen_toks {limit} leaves no room for a prompt in {self.max_length} tokens")
        rooms = [self.max_length - limit for limit in limits]
        cut = [max(0, len(ids) - room) for ids, room in zip(encoded, rooms, strict=True)]
        configured = self.model.generation_config
        if self.tier.name != "tree" or not all(is_plain(request.args[1], configured) for request in requests):
            texts = self._generated_by_hflm(requests, disable_tqdm)
            return [
                Response(text=text, n_truncated=n_truncated, prompt_tokens=ids)
                for text, n_truncated, ids in zip(texts, cut, encoded, strict=True)
            ]
        eos = self.tok_decode(self.eot_token_id, skip_special_tokens=False)
        stops = [handle_stop_sequences(each.get("until"), eos=eos) for each in settings]
        ends = frozenset(eos_ids if isinstance(eos_ids := configured.eos_token_id, list) else [eos_ids]) - {None}
        prompts = [
            Prompt(
                tokens=tuple(ids[-room:]),
                max_new_tokens=each["max_gen_toks"],
                sampling=sampling_of(each),
                seed=seed,
                end_tokens=ends,
                stopped=stopper(self.tokenizer, until),
            )
            for ids, room, each, until, seed in zip(encoded, rooms, settings, stops, seeds_of(requests), strict=True)
        ]
        generator = TreeGenerator(self.model, self.budget, slots=self.budget.slots, cached_tokens=self.budget.cached)
        new_tokens = generator.generate(prompts)
        responses = []
        generated = zip(requests, prompts, stops, new_tokens, cut, encoded, strict=True)
        for request, prompt, until, tokens, n_truncated, ids in generated:
            response = self._response(prompt, until, list(tokens), n_truncated)
            responses.append(replace(response, prompt_tokens=ids))
            self.cache_hook.add_partial("generate_until", request.args, responses[-1].text)
        return responses

    def _generated_by_hflm(self, requests: Sequence[Instance], disable_tqdm: bool) -> list[str]:
        """By `HFLM` itself, to which a `seed` is unknown: one number generator, seeded by all seeds, for all requests.

        So what is drawn for a request depends on what is asked with it.
        """
        has_top_k = getattr(self.model.generation_config, "top_k", None) is not None
        stripped = []
        for request in requests:
            context, settings = request.args
            rest = {name: value for name, value in settings.items() if name != "seed"}
            if not has_top_k and (rest.get("do_sample") or rest.get("temperature")):
                # Transformers adds a top-k of 50 where nobody names one.
                rest.setdefault("top_k", 0)
            stripped.append(Instance("generate_until", {}, (context, rest), 0))
        seeds = [request.args[1]["seed"] for request in requests if "seed" in request.args[1]]
        hook, self.cache_hook = self.cache_hook, CacheHook(None)
        try:
            with seeded(seeds, self.device):
                texts = list(super().generate_until(stripped, disable_tqdm=disable_tqdm))
        finally:
            self.cache_hook = hook
        for request, text in zip(requests, texts, strict=True):
            # Under what was asked, seed and all.
            hook.add_partial("generate_until", request.args, text)
        return texts

    def _response(self, prompt: Prompt, until: list[str], tokens: list[int], n_truncated: int) -> Response:
        """What was generated, cut as `HFLM` cuts it; a stop string that is one token is not counted either."""
        think = self.think_end_token
        by_token = bool(tokens) and (
            tokens[-1] in prompt.end_tokens or self.tok_decode([tokens[-1]], skip_special_tokens=False) in until
        )
        by_text = prompt.stopped is not None and bool(tokens) and prompt.stopped(tokens)
        if isinstance(think, int):
            thought = len(tokens) - tokens[::-1].index(think) if think in tokens else 0
            text = postprocess_generated_text(self.tok_decode(tokens[thought:]).lstrip(), until, None)
        else:
            text = postprocess_generated_text(self.tok_decode(tokens), until, think if isinstance(think, str) else None)
        return Response(str(text), n_tokens=len(tokens) - by_token, ended=by_token or by_text, n_truncated=n_truncated)


def _as_pairs(responses: Sequence[Response]) -> list[tuple[float, bool]]:
    """As lm-eval's models answer; they have no word for a request that failed."""
    pairs = []
    for response in responses:
        if response.log_probability is None or response.is_greedy is None:
            raise ValueError(response.error)
        pairs.append((response.log_probability, response.is_greedy))
    return pairs
