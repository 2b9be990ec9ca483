"""The models of a plan: found, with the hashes of what they are made of and how talk is put to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mplus_eval.errors import SpecError
from mplus_eval.models.chat_format import PLAIN_FORMAT, PLAIN_TEMPLATE, stored_template
from mplus_eval.models.hub import Preparing
from mplus_eval.models.locations import ModelLocation, resolve_source
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.model import ModelSpec
from mplus_eval.store.hashes import hash_components, hash_file, hash_text, tokenizer_hash, weights_hash


@dataclass(frozen=True)
class ResolvedModel:
    """A model that was found, with the hashes of what it is made of."""

    spec: ModelSpec
    backend: str
    location: ModelLocation
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


def resolved_models(
    spec: CompareSpec, demo: Mapping[str, Path], preparing: Preparing | None, *, talks: bool
) -> tuple[ResolvedModel, ...]:
    """Find every model, downloading what is not here.

    Args:
        spec: which models.
        demo: directories of the demo's models that are among them.
        preparing: called as downloads proceed.
        talks: whether talk is put to them, so that their chat formats matter.

    Raises:
        SpecError: with a line for each that cannot be had.
    """
    found: list[ResolvedModel] = []
    faults: list[str] = []
    for model in spec.models:
        try:
            found.append(_resolved_model(model, spec.backend_of(model), demo, preparing, talks=talks))
        except SpecError as error:
            faults += error.faults
    if faults:
        raise SpecError(faults)
    return tuple(found)


def _resolved_model(
    model: ModelSpec, backend: str, demo: Mapping[str, Path], preparing: Preparing | None, *, talks: bool
) -> ResolvedModel:
    location = resolve_source(model, backend, demo, preparing)
    if location.path is None:
        # A server's own length decides where a prompt is cut.
        served = hash_text(f"{location.base_url} {location.served_name} {location.max_length}")
        vocabulary = tokenizer_hash(location.tokenizer) if location.tokenizer else "the server's"
        templates = _template(model, location.tokenizer), _talk_format(model, location.tokenizer, talks)
        return ResolvedModel(model, backend, location, served, vocabulary, *templates)
    weights = weights_hash(location.path)
    if location.adapter:
        weights = hash_components({"base": weights, "adapter": weights_hash(location.adapter)})
    tokenizer = location.tokenizer or location.path
    templates = _template(model, tokenizer), _talk_format(model, tokenizer, talks)
    return ResolvedModel(model, backend, location, weights, tokenizer_hash(tokenizer), *templates)


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
