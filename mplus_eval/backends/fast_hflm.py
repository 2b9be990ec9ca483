"""lm-eval's `HFLM` with shared prefixes: the same requests and numbers, every distinct prefix computed once.

Chat templates, truncation and results stay lm-eval's own, and tokenisation wherever its numbers mean something
(`encoding`); what answers requests of tokens is replaced, where the model passed the self-check (docs/scoring.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import CacheHook

from mplus_eval.backends.base import Response
from mplus_eval.backends.checked_hflm import CheckedHFLM
from mplus_eval.backends.decoding import Decoding, GenerationKey, end_ids, neutralise
from mplus_eval.backends.encoding import encode_requests, unscorable
from mplus_eval.backends.generation_request import GenerationRequest, token_id
from mplus_eval.backends.generation_settings import seeded, seeds_of
from mplus_eval.backends.lm_eval_private import EncodedPair
from mplus_eval.backends.padded_generation import generate_padded
from mplus_eval.backends.reasoning import Reasoning, Reasons
from mplus_eval.inference.budget import Budget, find_budget
from mplus_eval.inference.generation import TreeGenerator
from mplus_eval.inference.self_check import Tier, choose_tier, scorer_of
from mplus_eval.inference.tree import Request
from mplus_eval.models.chat_format import ChatFormat

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class FastHFLM(CheckedHFLM):
    """`HFLM` that scores and generates over a tree of prefixes."""

    cache_hook: CacheHook
    model: PreTrainedModel

    def __init__(
        self, *args: Any, budget: Budget | None = None, generation: GenerationKey = None, **kwargs: Any
    ) -> None:
        """Load a model, and choose by a self-check how it is asked.

        Args:
            *args: those of `CheckedHFLM`.
            budget: how much is computed at once; found from the free memory when None.
            generation: decoding settings besides those of the requests, as the model's key of that name.
            **kwargs: those of `CheckedHFLM`.
        """
        super().__init__(*args, **kwargs)
        self.reasoning: Reasoning | None = None
        """How its reasoning is treated, set by whoever knows the model's keys."""
        self.decoding = Decoding.of(generation, self.model.generation_config)
        # Each may have been changed without the others, as a chat tokenizer is put beside a base's configuration.
        configs = (self.model.generation_config, self.model.config.get_text_config())
        self.ends = frozenset({*end_ids(*configs), self.eot_token_id} - {None})
        neutralise(self.model)
        self.budget = budget or find_budget(self.model)
        self.tier: Tier = choose_tier(self.model, self.max_length, self.budget)

    def end_as(self, chat: ChatFormat) -> None:
        """Have every text end at the tokens that end an answer in chat, too.

        So a plain text ends alike whether a checkpoint's end token is its template's or its base's.
        """
        ends = (token_id(self.tokenizer, text) for text in chat.turns.ends)
        self.ends |= {token for token in ends if token is not None}

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
        responses = self.score_encoded([(each.texts, each.context, each.continuation) for each in encoded])
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
        return _as_pairs(self.score_encoded(requests, override_bs))

    def score_encoded(self, requests: Sequence[EncodedPair], override_bs: int | None = None) -> list[Response]:
        """What `score` says of continuations and contexts that are given as ids; texts beside them may be None."""
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
        if highest >= self.n_rows:
            return f"token id {highest} is outside the model's vocabulary of {self.n_rows}"
        return None

    def generate_until(self, requests: Sequence[Instance], disable_tqdm: bool = False) -> list[str]:
        """As `HFLM`'s at batch size 1, whatever is computed together; a sampled text depends on its `seed` alone."""
        return [str(response.text) for response in self.generate(requests, disable_tqdm)]

    def generate(self, requests: Sequence[Instance], disable_tqdm: bool = True) -> list[Response]:
        """What `generate_until` says, and how each text ended.

        Decoding comes from the requests alone, but for what the model's key `generation` names.

        Raises:
            ValueError: when a request leaves no room for its prompt.
        """
        encoded = self.encoding.encode([request.args[0] for request in requests])
        asked = [
            self._asked(request, ids, seed)
            for request, ids, seed in zip(requests, encoded, seeds_of(requests), strict=True)
        ]
        prompts = [each.prompt for each in asked]
        if self.tier.name == "tree" and not any(each.others for each in asked):
            slots, cached = self.budget.slots, self.budget.cached
            new_tokens = TreeGenerator(self.model, self.budget, slots=slots, cached_tokens=cached).generate(prompts)
        else:
            # A seed of its own is unknown there: what is drawn for a request depends on what is asked with it.
            seeds = [request.args[1]["seed"] for request in requests if "seed" in request.args[1]]
            with seeded(seeds, self.device):
                new_tokens = generate_padded(
                    self.model, prompts, [each.others for each in asked], self.batch_size_per_gpu, self._pad
                )
        responses = []
        for request, each, ids, tokens in zip(requests, asked, encoded, new_tokens, strict=True):
            cut = len(ids) - len(each.prompt.tokens)
            responses.append(replace(each.response(self.tokenizer, tokens), prompt_tokens=ids, n_truncated=cut))
            self.cache_hook.add_partial("generate_until", request.args, responses[-1].text)
        return responses

    def _asked(self, request: Instance, ids: Sequence[int], seed: int) -> GenerationRequest:
        text, options = request.args
        settings = self.decoding.over(options, n_prompt=len(ids), default_limit=self.max_gen_toks)
        limit = settings["max_gen_toks"]
        if limit >= self.max_length:
            raise ValueError(f"max_gen_toks {limit} leaves no room for a prompt in {self.max_length} tokens")
        ids = ids[-(self.max_length - limit) :]
        reasons = None
        if self.reasoning is not None:
            reasons = Reasons(self.reasoning, text, self.reasoning.room(len(ids), limit, self.max_length))
        return GenerationRequest.of(settings, ids, seed, tokenizer=self.tokenizer, ends=self.ends, reasons=reasons)

    @property
    def _pad(self) -> int:
        pad = self.tokenizer.pad_token_id
        return int(self.encoding.prefix if pad is None else pad)


def _as_pairs(responses: Sequence[Response]) -> list[tuple[float, bool]]:
    """As lm-eval's models answer; they have no word for a request that failed."""
    pairs = []
    for response in responses:
        if response.log_probability is None or response.is_greedy is None:
            raise ValueError(response.error)
        pairs.append((response.log_probability, response.is_greedy))
    return pairs
