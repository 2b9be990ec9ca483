"""The common part of the backends that stand on lm-eval's own model classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mplus_eval.backends.base import LoadedModel, OpenedModel, Response
from mplus_eval.backends.decoding import Decoding
from mplus_eval.backends.encoding import Encoding, encode_requests, unscorable
from mplus_eval.backends.generation_settings import ENDS
from mplus_eval.backends.lm_eval_private import EncodedPair, score_tokens
from mplus_eval.models.chat_turns import find_turns, fold_system
from mplus_eval.models.thinking import with_variables
from mplus_eval.sandbox import bound_chat_templates

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance
    from lm_eval.api.model import LM

    from mplus_eval.backends.reasoning import Reasoning

DEFAULT_NEW_TOKENS = 256
"""lm-eval's limit where a task names none."""


class LmEvalModel:
    """An lm-eval model behind the backend seam."""

    def __init__(
        self,
        lm: LM,
        facts: LoadedModel,
        requests_per_call: int,
        reasoning: Reasoning | None = None,
        encoding: Encoding | None = None,
    ) -> None:
        """Keep a loaded `lm_eval.api.model.LM`.

        Args:
            lm: the model.
            facts: what was loaded.
            requests_per_call: how many requests are best given at once.
            reasoning: how its reasoning is treated; None where it has none.
            encoding: how its texts become ids, from now on lm-eval's too; None where that is not known here.
        """
        self.lm = lm
        self.facts = facts
        self.requests_per_call = requests_per_call
        self.reasoning = reasoning
        self.encoding = encoding
        self.decoding = Decoding()
        """Settings besides the protocol's, set by backends that do not decode themselves."""
        if encoding is not None:
            encode_by(lm, encoding)

    @property
    def opened(self) -> OpenedModel | None:
        """Not in this process, or not of transformers."""
        return None

    def respond(self, requests: Sequence[Instance]) -> list[Response]:
        """Answer requests of one type, in their order; what was cut and how a text ended is not known here."""
        if not requests:
            return []
        request_type = requests[0].request_type
        if request_type == "generate_until":
            return self._generated([self._settled(request) for request in requests])
        if request_type == "loglikelihood" and self.encoding is not None:
            return self._scored(self.encoding, requests)
        answers = getattr(self.lm, request_type)(list(requests), disable_tqdm=True)
        if request_type == "loglikelihood":
            return [Response(log_probability=float(value), is_greedy=bool(greedy)) for value, greedy in answers]
        return [Response(log_probability=float(value)) for value in answers]

    def _generated(self, requests: Sequence[Instance]) -> list[Response]:
        """Texts, parted into reasoning and answer where the model reasons."""
        reasoning, put = self.reasoning, requests
        if reasoning is not None:
            put = [reasoning.widened(request, self.lm.max_length) for request in requests]
        written = self._written([self._translated(request) for request in put])
        responses = [self._parted(request, response) for request, response in zip(requests, written, strict=True)]
        if self.encoding is None:
            return responses
        prompts = self.encoding.encode([request.args[0] for request in requests])
        return [replace(each, prompt_tokens=ids) for each, ids in zip(responses, prompts, strict=True)]

    def _written(self, requests: Sequence[Instance]) -> list[Response]:
        """Texts as they come."""
        return [Response(text=str(text)) for text in self.lm.generate_until(list(requests), disable_tqdm=True)]

    def _parted(self, request: Instance, response: Response) -> Response:
        """A text parted into reasoning and answer, where there is any."""
        if self.reasoning is None or response.text is None:
            return response
        return replace(self.reasoning.parted(request, response.text), ended=response.ended)

    def _score(self, pairs: Sequence[EncodedPair]) -> list[Response]:
        """The log-probability of each continuation."""
        return [Response(log_probability=value, is_greedy=greedy) for value, greedy in score_tokens(self.lm, pairs)]

    def _scored(self, encoding: Encoding, requests: Sequence[Instance]) -> list[Response]:
        """Score whole items by ids of our own."""
        encoded = encode_requests(encoding, requests)
        errors = [unscorable(each.context, each.continuation, self.lm.max_length) for each in encoded]
        sound = [each for each, error in zip(encoded, errors, strict=True) if error is None]
        pairs = [(each.texts, each.context, each.continuation) for each in sound]
        scores = iter(self._score(pairs) if pairs else [])
        responses = []
        for each, error in zip(encoded, errors, strict=True):
            scored = next(scores) if error is None else Response(error=error)
            responses.append(
                replace(
                    scored,
                    prompt_tokens=each.context,
                    scored_tokens=each.continuation,
                    n_spanned=each.n_spanned,
                )
            )
        return responses

    def options(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Normalised settings of a request to generate, as the engine behind lm-eval's class takes them."""
        return settings

    def _settled(self, request: Instance) -> Instance:
        """A request with all of its settings, by lm-eval's names and those of `ChatFormat.options`."""
        default = getattr(self.lm, "max_gen_toks", DEFAULT_NEW_TOKENS)
        return with_settings(request, self.decoding.over(request.args[1], default_limit=default))

    def _translated(self, request: Instance) -> Instance:
        """A request whose turns end by stop strings, which is all that lm-eval's class knows of ends."""
        return with_settings(request, self.options(without_turns(request.args[1])))

    def render_chat(self, messages: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """Put messages into the model's chat template; one that takes no system gets its words in the user's turn."""
        if any(turn["role"] == "system" for turn in messages) and self._folds_system:
            messages = fold_system(messages)
        return self.render(messages, add_generation_prompt)

    def render(self, messages: list[dict[str, str]], add_generation_prompt: bool) -> str:
        """Put messages into the template as they are."""
        return str(self.lm.apply_chat_template(messages, add_generation_prompt=add_generation_prompt))

    @cached_property
    def _folds_system(self) -> bool:
        return find_turns(self.render).folds_system

    def close(self) -> None:
        """Forget the model."""
        self.lm = None


def encode_by(lm: LM, encoding: Encoding) -> None:
    """Have an lm-eval model encode every text by `encoding`: prompts, whole texts, and continuations bare."""

    def tok_encode(
        string: str | Sequence[str], add_special_tokens: bool | None = None, **_: object
    ) -> list[int] | list[list[int]]:
        encode = encoding.bare if add_special_tokens is False else encoding.encode
        if isinstance(string, str):
            return encode([string])[0]
        return encode(string)

    lm.tok_encode = tok_encode


def with_settings(request: Instance, settings: Mapping[str, Any]) -> Instance:
    """The same request with other settings."""
    from lm_eval.api.instance import Instance

    return Instance("generate_until", request.doc, (request.args[0], settings), request.idx, request.metadata)


def without_turns(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of lm-eval alone: tokens that end an answer, and what begins another turn, are stop strings."""
    kept = {name: value for name, value in options.items() if name not in ENDS}
    until = kept.get("until") or []
    stops = [
        *([until] if isinstance(until, str) else until),
        *(text for name in ENDS for text in options.get(name, ())),
    ]
    return {**kept, "until": list(dict.fromkeys(stops))}


def set_chat_template(lm: LM, template: bool | str, enable_thinking: bool | None = None) -> None:
    """Give an lm-eval model the chat template of a file, where one was named, and tell it `enable_thinking`.

    Whatever template it has is rendered within limits from here on.
    """
    bound_chat_templates()
    text = Path(template).expanduser().read_text(encoding="utf-8") if isinstance(template, str) else None
    if enable_thinking is not None:
        own = text or getattr(lm, "hf_chat_template", None) or getattr(lm.tokenizer, "chat_template", None)
        text = with_variables(own, enable_thinking) if isinstance(own, str) else text
    if text is not None:
        lm.tokenizer.chat_template = text
        if hasattr(lm, "hf_chat_template"):
            # lm-eval's vLLM model keeps the template that it found when it was loaded, and prefers it.
            lm.hf_chat_template = text
