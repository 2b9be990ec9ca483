"""A model behind a server's chat completions: the server puts messages into its own template.

    a prompt of plain text, examples and all   one message of the user
    talk, a task with chat_template=true       the turns as they are, a system's words first

Texts are all that it gives. Log-probabilities of a prompt no such API tells, so choices are refused while planning, or
asked for as letters where the suite says `choices: generate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from mplus_eval.backends.asking import asking_of
from mplus_eval.backends.base import LoadedModel, Response, ServerError
from mplus_eval.backends.decoding import Decoding
from mplus_eval.backends.lm_eval_model import DEFAULT_NEW_TOKENS, with_settings, without_turns
from mplus_eval.backends.reasoning import Reasoning, reasoning_of
from mplus_eval.backends.served import Served, cut, without_thinking
from mplus_eval.models.chat_format import Talk
from mplus_eval.models.chat_turns import Messages
from mplus_eval.models.servers import TEMPLATE_OWNERS
from mplus_eval.servers.client import Json
from mplus_eval.servers.failures import ServerGoneError
from mplus_eval.spec.model import ModelSpec

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

UNTOLD = "chat completions tell no log-probabilities of a prompt"
_ANY_LENGTH = 2**20  # tokens, where a server does not say how many it takes


class ChatModel:
    """A model that is talked to and nothing else."""

    requests_per_call = 128
    opened = None

    def __init__(
        self, facts: LoadedModel, served: Served, decoding: Decoding, reasoning: Reasoning | None, spec: ModelSpec
    ) -> None:
        """Keep how it is asked.

        Args:
            facts: what is known of it.
            served: the model at its server.
            decoding: settings besides the protocol's.
            reasoning: how its reasoning is treated, where its key `thinking` names the texts around it.
            spec: as it was asked for.
        """
        self.facts, self.served = facts, served
        self._decoding, self._reasoning = decoding, reasoning
        self._finds_thinking = spec.thinking == "auto"
        # A server that takes reasoning apart itself counts it against the limit.
        self._room = spec.thinking_tokens or 0 if reasoning is None else 0

    @classmethod
    def of(cls, model: ModelSpec, served: Served, max_length: int | None) -> Self:
        """Connect.

        Args:
            model: as it was asked for.
            served: the model at its server.
            max_length: its longest sequence, in tokens, where the server says it.
        """
        decoding = Decoding.of(None if served.own_decoding else model.generation, None, serves_itself=True)
        reasoning = reasoning_of(model, None)
        asking = asking_of(
            model, None, max_length=max_length, decoding=decoding, reasoning=reasoning, api=served.api.words
        )
        if served.own_decoding:
            asking = asking.model_copy(update={"decoding": {"what a request does not name": "the server's own"}})
        elif not served.api.takes_settings:
            asking = asking.model_copy(update={"decoding": {"temperature, seed": "the server's own"}})
        if reasoning is None and model.thinking_tokens:
            asking = asking.model_copy(update={"thinking_tokens": model.thinking_tokens})
        return cls(LoadedModel("openai", None, None, None, asking=asking), served, decoding, reasoning, model)

    def respond(self, requests: Sequence[Instance]) -> list[Response]:
        """Answer requests of one type, in their order; one that the server refuses has an error for its response.

        Raises:
            ServerError: when the server answers nobody any more; says how.
        """
        if not requests or requests[0].request_type != "generate_until":
            return [Response(error=UNTOLD)] * len(requests)
        settled = [
            with_settings(each, self._decoding.over(each.args[1], default_limit=DEFAULT_NEW_TOKENS))
            for each in requests
        ]
        try:
            written = self.served.write(
                [self._prompt(each.args[0]) for each in settled], [self._options(each) for each in settled]
            )
        except ServerGoneError as error:
            raise ServerError(f"the server {self.served.client.url} {error}") from error
        finally:
            self.facts = replace(self.facts, spent=self.served.client.usage.spent)
        return [self._parted(request, response) for request, response in zip(settled, written, strict=True)]

    def render_chat(self, messages: Messages, add_generation_prompt: bool = True) -> str:
        """Keep messages as they are, since the server has the template; the last may begin the answer."""
        return Talk.of(messages)

    def close(self) -> None:
        """Close the connections."""
        self.served.client.close()

    def _prompt(self, prompt: str) -> Json:
        messages = prompt.messages if isinstance(prompt, Talk) else [{"role": "user", "content": prompt}]
        if messages[-1]["role"] == "assistant" and self.served.owner in TEMPLATE_OWNERS:
            return {"messages": messages, "add_generation_prompt": False, "continue_final_message": True}
        return {"messages": messages}

    def _options(self, request: Instance) -> dict[str, Any]:
        if self._reasoning is not None:
            request = self._reasoning.widened(request, _ANY_LENGTH)
        settings = without_turns(request.args[1])
        settings["max_gen_toks"] += self._room
        return self.served.options(settings, reads_special=self._reasoning is not None)

    def _parted(self, request: Instance, response: Response) -> Response:
        if response.text is None:
            return response
        if self._reasoning is not None and response.thinking is None:
            return replace(self._reasoning.parted(request, response.text), ended=response.ended)
        if self._finds_thinking:
            response = without_thinking(response)
        return cut(response, request.args[1])
