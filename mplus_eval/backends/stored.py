"""The stand-in for a model whose answers another tool stored: it has facts, and is never asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mplus_eval.backends.base import LoadedModel, Response
from mplus_eval.importers import read_results
from mplus_eval.models.locations import ModelLocation
from mplus_eval.spec.model import ModelSpec

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance


REQUESTS_PER_CALL = 1
"""None is put, and what counts them in advance asks every backend alike."""


@dataclass(frozen=True)
class StoredModel:
    """A model that answered elsewhere."""

    facts: LoadedModel
    requests_per_call: int = REQUESTS_PER_CALL
    opened: None = None

    def respond(self, requests: Sequence[Instance]) -> list[Response]:
        """Never called: stored answers are read."""
        raise NotImplementedError("a model whose results are stored cannot be asked")

    def render_chat(self, messages: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """Never called either."""
        raise NotImplementedError("a model whose results are stored cannot be asked")

    def close(self) -> None:
        """There is no memory to give back."""


def load(model: ModelSpec, source: ModelLocation) -> StoredModel:
    """What the tool says of the model."""
    assert model.results is not None
    run = read_results(model.results, model.source)
    return StoredModel(LoadedModel(run.asked_by, run.dtype, run.parameters, device=None))
