"""What every backend offers: answers to lm-eval's requests, and a few facts about the model that gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from mplus_eval.inference.self_check import Tier


@dataclass(frozen=True)
class LoadedModel:
    """Facts about a loaded model, for the manifest and the comparison."""

    backend: str
    dtype: str | None
    parameters: int | None
    device: str | None
    scoring: Tier | None = None
    """How the backend hf asks the model, and what its self-check found."""


@dataclass(frozen=True)
class FailedRequest:
    """Stands in place of a response: this request could not be answered, the others were."""

    cause: str


@dataclass(frozen=True)
class Ending:
    """How a generated text came to its end."""

    n_tokens: int
    """Generated; the one that ended it is not counted."""
    ended: bool
    """Whether the model ended by itself, by an end token or a stop string, rather than at the limit."""


@dataclass(frozen=True)
class OpenedModel:
    """A model of transformers with its tokenizer, to be looked into."""

    model: Any
    tokenizer: Any


class Backend(Protocol):
    """A model that is loaded and can be asked.

    Requests and responses are lm-eval's: a `loglikelihood` request is answered by (log-probability, is greedy), a
    `loglikelihood_rolling` request by a log-probability, a `generate_until` request by a text; any of
    them by a `FailedRequest`.
    """

    @property
    def facts(self) -> LoadedModel:
        """What was loaded."""

    @property
    def requests_per_call(self) -> int:
        """How many requests are best given at once: enough for full batches, few enough for lively progress."""

    @property
    def opened(self) -> OpenedModel | None:
        """The model of transformers itself, where it is in this process."""

    @property
    def truncated(self) -> Sequence[int] | None:
        """For each request of the newest `respond`, tokens cut from the left of its context; None where not known."""

    @property
    def endings(self) -> Sequence[Ending] | None:
        """For each `generate_until` request of the newest `respond`, how its text ended; None where not known."""

    def respond(self, requests: Sequence[Any]) -> list[Any]:
        """Answer requests of one type, in their order."""

    def render_chat(self, messages: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """Put messages into the model's chat template."""

    def close(self) -> None:
        """Give back the memory."""
