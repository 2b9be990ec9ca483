"""The models of a plan: found, with the hashes of what they are made of and how talk is put to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mplus_eval.errors import SpecError
from mplus_eval.models.chat_format import PLAIN_FORMAT, PLAIN_TEMPLATE, stored_template
from mplus_eval.models.locations import Source, resolve_source, train_demo_models
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.model import ModelSpec
from mplus_eval.store.hashes import hash_components, hash_file, hash_text, tokenizer_hash, weights_hash

Preparing = Callable[[str, int, int], None]
"""Called with what is being prepared, and how much of it is done, of how much."""


@dataclass(frozen=True)
class PlannedModel:
    """A model that was found, with the hashes of what it is made of."""

    spec: ModelSpec
    backend: str
    source: Source
    weights: str
    tokenizer: str
    chat_template: str
    """How capability prompts are put to it: `plain`, or the hash of a template."""
    talk_format: str = PLAIN_FORMAT
    """How talk is put to it, where it is: the plain format, or the hash of a template of its own."""

    @property
    def fingerprint(self) -> str:
        """One hash over weights, tokenizer and template."""
        parts = {"weights": self.weights, "tokenizer": self.tokenizer, "chat_template": self.chat_template}
        return hash_components(parts)


def planned_models(spec: CompareSpec, preparing: Preparing | None, *, talks: bool) -> tuple[PlannedModel, ...]:
    """Find every model, downloading and training what is not here.

    Args:
        spec: which models.
        preparing: called as downloads, hashes and demo models proceed.
        talks: whether talk is put to them, so that their chat formats matter.

    Raises:
        SpecError: with a line for each that cannot be had.
    """
    found: list[PlannedModel] = []
    faults: list[str] = []
    train_demo_models(spec.models, preparing)
    for model in spec.models:
        try:
            found.append(_planned_model(model, spec.backend_of(model), preparing, talks=talks))
        except SpecError as error:
            faults += error.faults
    if faults:
        raise SpecError(faults)
    return tuple(found)


def _planned_model(model: ModelSpec, backend: str, preparing: Preparing | None, *, talks: bool) -> PlannedModel:
    source = resolve_source(model, backend, preparing)
    if source.path is None:
        # A server's own length decides where a prompt is cut.
        served = hash_text(f"{source.base_url} {source.served_name} {source.max_length}")
        vocabulary = tokenizer_hash(source.tokenizer) if source.tokenizer else "the server's"
        templates = _template(model, source.tokenizer), _talk_format(model, source.tokenizer, talks)
        return PlannedModel(model, backend, source, served, vocabulary, *templates)
    weights = weights_hash(source.path)
    if source.adapter:
        weights = hash_components({"base": weights, "adapter": weights_hash(source.adapter)})
    tokenizer = source.tokenizer or source.path
    templates = _template(model, tokenizer), _talk_format(model, tokenizer, talks)
    return PlannedModel(model, backend, source, weights, tokenizer_hash(tokenizer), *templates)


def _template(model: ModelSpec, tokenizer: Path | None) -> str:
    """How capability prompts are put to the model: `plain`, or the hash of a template."""
    if model.chat_template is False:
        return "plain"
    if isinstance(model.chat_template, str):
        return f"file {hash_file(Path(model.chat_template).expanduser())[:12]}"
    template = _own_template(model, tokenizer)
    if not template:
        raise SpecError([f"model {model.name!r}: chat_template=true, but its tokenizer has no chat template"])
    return f"own {hash_text(str(template))[:12]}"


def _talk_format(model: ModelSpec, tokenizer: Path | None, talks: bool) -> str:
    """How talk is put to the model: its own template where it has one, whatever capability prompts are put into."""
    if not talks:
        return PLAIN_FORMAT
    if isinstance(model.chat_template, str):
        return _template(model, tokenizer)
    template = _own_template(model, tokenizer)
    own = template and template != PLAIN_TEMPLATE
    return f"own {hash_text(str(template))[:12]}" if own else PLAIN_FORMAT


def _own_template(model: ModelSpec, tokenizer: Path | None) -> Any:
    if tokenizer is None:
        return None
    if not model.trust_remote_code:
        return stored_template(tokenizer)
    # Code of a tokenizer's own may hold a template that no file does.
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tokenizer, trust_remote_code=model.trust_remote_code).chat_template
