"""What every backend offers: responses to lm-eval's requests, and a few facts about the model that gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

from mplus_eval.records.asking import Asking
from mplus_eval.servers.usage import Spent

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from mplus_eval.backends.encoding import Encoding
    from mplus_eval.inference.self_check import Tier


@dataclass(frozen=True)
class LoadedModel:
    """Facts about a loaded model, for the manifest and the comparison."""

    backend: str
    dtype: str | None
    parameters: int | None
    device: str | None
    scoring: Tier | None = None
    """How the backend hf or vllm scores by the model, and what its self-check found."""
    asking: Asking | None = None
    """How it is really asked; None where the backend cannot tell."""
    spent: Spent | None = None
    """What asking its server took since it was loaded."""

    def as_json(self) -> dict[str, object]:
        """As it is stored beside the answers; what was spent is stored by part."""
        facts = {name: value for name, value in asdict(self).items() if name != "spent"}
        return {**facts, "asking": self.asking.model_dump(mode="json") if self.asking else None}


@dataclass(frozen=True)
class Response:
    """What a backend gives for one request; None is what this kind of request has not or the backend cannot tell.

    A `generate_until` request gets a text, a `loglikelihood` request a log-probability and whether it is greedy, a
    `loglikelihood_rolling` request a log-probability; any of them, in their place, an error.
    """

    text: str | None = None
    log_probability: float | None = None
    """Natural, summed over the continuation's tokens; NaN where the model's logits are."""
    is_greedy: bool | None = None
    """Whether each token of the continuation is the likeliest one."""
    n_tokens: int | None = None
    """Generated; the one that ended the text is not counted."""
    ended: bool | None = None
    """Whether the model ended by itself, by an end token or a stop string, rather than at the limit."""
    n_truncated: int | None = None
    """Tokens cut from the left of the prompt; told of a request that failed too."""
    prompt_tokens: Sequence[int] | None = None
    """Ids of the prompt as it is put, special tokens among them, before anything is cut."""
    scored_tokens: Sequence[int] | None = None
    """Ids of the continuation whose log-probabilities are summed."""
    n_spanned: int | None = None
    """Tokens of the prompt that are scored with the continuation, since a token spans the boundary."""
    thinking: str | None = None
    """The reasoning that came before the text, without the texts around it."""
    n_thinking: int | None = None
    """Tokens of reasoning, the texts around it among them; they are not in `n_tokens`."""
    unclosed: bool | None = None
    """Whether the reasoning never ended, so that there is no answer."""
    ran_on: bool | None = None
    """Whether the model went on to speak for the user, or began another turn, which was cut."""
    error: str | None = None
    """Why this request could not be answered, while the others were."""


class ServerError(RuntimeError):
    """A server did not answer a request, however often it was tried."""


@dataclass(frozen=True)
class OpenedModel:
    """A model of transformers with its tokenizer, to be looked into."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    encoding: Encoding
    """How its texts become ids: the tokenizer alone may put more around them."""


class Backend(Protocol):
    """A model that is loaded and can be asked; requests are lm-eval's."""

    @property
    def facts(self) -> LoadedModel:
        """What was loaded."""

    @property
    def requests_per_call(self) -> int:
        """How many requests are best given at once: enough for full batches, few enough for lively progress."""

    @property
    def opened(self) -> OpenedModel | None:
        """The model of transformers itself, where it is in this process."""

    def respond(self, requests: Sequence[Instance]) -> list[Response]:
        """Answer requests of one type, in their order."""

    def render_chat(self, messages: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """Put messages into the model's chat template."""

    def close(self) -> None:
        """Give back the memory."""
