"""The backend `openai`: any server with OpenAI's API, completions or chat completions.

With completions, prompts are put here, as token ids, and log-probabilities are told. With chat completions
(`backends.chat`) the server puts them into its own template, and tells none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mplus_eval.backends.asking import asking_of
from mplus_eval.backends.base import Backend, LoadedModel, Response, ServerError
from mplus_eval.backends.chat import ChatModel
from mplus_eval.backends.decoding import Decoding
from mplus_eval.backends.encoding import Encoding
from mplus_eval.backends.lm_eval_model import LmEvalModel, set_chat_template
from mplus_eval.backends.lm_eval_private import EncodedPair, score_with
from mplus_eval.backends.reasoning import Reasoning, reasoning_of
from mplus_eval.backends.served import Served, cut
from mplus_eval.models.chat_format import chat_format
from mplus_eval.models.locations import ModelLocation
from mplus_eval.models.servers import TEMPLATE_OWNERS, key_of, owner_of
from mplus_eval.servers.api import ServedApi
from mplus_eval.servers.client import Json, ServerClient
from mplus_eval.servers.failures import Patience, ServerGoneError
from mplus_eval.spec.backends import BACKENDS, ServerApi
from mplus_eval.spec.model import ModelSpec

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

CONCURRENT_REQUESTS = 32
"""Most requests under way at the same time, where a model's `concurrency` says nothing."""
PATIENCE = Patience()
"""When requests and servers are given up."""
REQUESTS_PER_CALL = 128
UNTOLD = "the server tells no log-probabilities of a prompt"


class OpenAIModel(LmEvalModel):
    """A model behind a server's completions; lm-eval's class for it encodes texts, and asks nothing."""

    def __init__(
        self, lm: Any, facts: LoadedModel, served: Served, reasoning: Reasoning | None, encoding: Encoding | None
    ) -> None:
        """Keep how it is asked; the other arguments are those of `LmEvalModel`."""
        super().__init__(lm, facts, REQUESTS_PER_CALL, reasoning, encoding)
        self.served = served
        score_with(lm, self._score)

    def options(self, settings: dict[str, Any]) -> dict[str, Any]:
        """As the server names them."""
        is_read = bool(settings["until"]) or self.reasoning is not None
        return self.served.options(settings, reads_special=is_read)

    def respond(self, requests: Sequence[Instance]) -> list[Response]:
        """Answer requests of one type, in their order; one that the server refuses has an error for its response.

        Raises:
            ServerError: when the server answers nobody any more; says how.
        """
        if not requests:
            return []
        request_type = requests[0].request_type
        try:
            if request_type == "generate_until":
                return super().respond(requests)
            if self.served.api.scores is None:
                return [Response(error=UNTOLD)] * len(requests)
            if request_type == "loglikelihood_rolling":
                return self._rolling([request.args[0] for request in requests])
            if self.encoding is not None:
                return super().respond(requests)
            # Encoded by the server's tokenizer, a request of its own for every text.
            return list(self.lm.loglikelihood(list(requests), disable_tqdm=True))
        except ServerGoneError as error:
            raise ServerError(f"the server {self.served.client.url} {error}") from error
        finally:
            self.facts = replace(self.facts, spent=self.served.client.usage.spent)

    def close(self) -> None:
        """Close the connections."""
        self.served.client.close()
        super().close()

    def _written(self, requests: Sequence[Instance]) -> list[Response]:
        prompts = [self._prompt(*request.args) for request in requests]
        return self.served.write(prompts, [request.args[1] for request in requests])

    def _prompt(self, text: str, options: Mapping[str, Any]) -> Json:
        """A prompt as ids, cut to fit; as text for a server that tells no log-probabilities, which may take no ids."""
        if self.served.api.scores is None:
            # The server puts the beginning before it, also where a template has.
            return {"prompt": text.removeprefix(str(getattr(self.lm.tokenizer, "bos_token", None) or ""))}
        room = max(1, self.lm.max_length - options["max_gen_toks"])
        return {"prompt": [self.lm.tok_encode(text)[-room:]]}

    def _parted(self, request: Instance, response: Response) -> Response:
        if self.reasoning is None and response.text is not None:
            return cut(response, request.args[1])
        return super()._parted(request, response)

    def _score(self, pairs: Sequence[EncodedPair]) -> list[Response]:
        asked = []
        for _, context, continuation in pairs:
            ids = [*context, *continuation][-self.lm.max_length :]
            asked.append((ids, max(1, len(ids) - len(continuation))))
        return self.served.score(asked)

    def _rolling(self, texts: Sequence[str]) -> list[Response]:
        """The log-probability of whole texts, each the sum over its windows."""
        from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

        windows: list[list[EncodedPair]] = []
        for text in texts:
            cuts = get_rolling_token_windows(
                token_list=self.lm.tok_encode(text),
                prefix_token=self.lm.prefix_token_id,
                # One token is left for the answer, as lm-eval does it.
                max_seq_len=self.lm.max_length - 1,
                context_len=1,
            )
            windows.append([(None, *make_disjoint_window(window)) for window in cuts])
        scored = iter(self._score([window for of_text in windows for window in of_text]))
        return [_sum([next(scored) for _ in of_text]) for of_text in windows]


def _sum(parts: Sequence[Response]) -> Response:
    error = next((part.error for part in parts if part.error is not None), None)
    if error is not None:
        return Response(error=error)
    return Response(log_probability=sum(part.log_probability or 0.0 for part in parts))


def load(model: ModelSpec, source: ModelLocation) -> Backend:
    """Connect to a server, in the API that it was found to have."""
    url, name, api = source.base_url or "", source.served_name or "", source.api or ServedApi()
    key = key_of(server_api())
    client = ServerClient(url, key, most=model.concurrency or CONCURRENT_REQUESTS, patience=PATIENCE)
    owner = owner_of(url, name, server_api())
    told: dict[str, Any] = {}
    if api.kind == "chat" and model.enable_thinking is not None and owner in TEMPLATE_OWNERS:
        told = {"chat_template_kwargs": {"enable_thinking": model.enable_thinking}}
    served = Served(client, name, api, owner, model.generation == "own", told)
    if api.kind == "chat":
        return ChatModel.of(model, served, source.max_length)
    return _completions(model, source, served)


def _completions(model: ModelSpec, source: ModelLocation, served: Served) -> OpenAIModel:
    from lm_eval.models.openai_completions import LocalCompletionsAPI

    lm = LocalCompletionsAPI(**arguments(model, source))
    set_chat_template(lm, model.chat_template, model.enable_thinking)
    # Without a tokenizer, or given texts, the server encodes, in a way that it does not tell.
    encoding = Encoding.of(lm.tokenizer, model.add_bos) if source.tokenizer and served.api.scores else None
    reasoning = reasoning_of(model, lm.tokenizer, encode=encoding.bare_text if encoding else None)
    decoding = Decoding.of(None if served.own_decoding else model.generation, None, serves_itself=True)
    chat = chat_format(lm.tokenizer) if encoding else None
    asking = asking_of(
        model,
        encoding,
        max_length=lm.max_length,
        decoding=decoding,
        chat=chat,
        reasoning=reasoning,
        api=served.api.words,
    )
    if served.own_decoding:
        asking = asking.model_copy(update={"decoding": {"what a request does not name": "the server's own"}})
    backend = OpenAIModel(lm, LoadedModel("openai", None, None, None, asking=asking), served, reasoning, encoding)
    backend.decoding = decoding
    return backend


def server_api() -> ServerApi:
    """How servers of this backend are addressed."""
    server = BACKENDS["openai"].server
    assert server is not None
    return server


def arguments(model: ModelSpec, source: ModelLocation) -> dict[str, object]:
    """Translate a model's keys into those of lm-eval's `LocalCompletionsAPI`.

    Without a tokenizer the server's own (`/tokenizer_info`, vLLM's) is used. With one, texts are encoded here, as with
    the backend hf.
    """
    key = key_of(server_api())
    given = {
        "base_url": f"{source.base_url}/completions",
        "model": source.served_name,
        "timeout": PATIENCE.timeout,
        "max_length": source.max_length,
        "tokenizer_backend": "huggingface" if source.tokenizer else "remote",
        "tokenizer": str(source.tokenizer) if source.tokenizer else None,
        # For `encode_by`, which looks itself at what a text begins with.
        "add_bos_token": source.tokenizer is not None,
        "trust_remote_code": model.trust_remote_code,
        "auth_token": key or None,
        # lm-eval would put OPENAI_API_KEY into it, whatever key belongs to this server.
        "header": {"Authorization": f"Bearer {key}"},
    }
    return {name: value for name, value in given.items() if value is not None}
