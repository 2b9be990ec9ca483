"""The models of a plan: found, with the hashes of what they are made of and how talk is put to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mplus_eval.errors import SpecError, UsageError
from mplus_eval.importers import read_results
from mplus_eval.models.chat_format import (
    ONE_MESSAGE,
    PLAIN,
    PLAIN_FORMAT,
    PLAIN_TEMPLATE,
    SERVED_TURNS,
    stored_template,
)
from mplus_eval.models.contents import content_faults
from mplus_eval.models.hub import Preparing
from mplus_eval.models.locations import ModelLocation, lies_here, resolve_source
from mplus_eval.models.vocabulary import vocabulary_hash
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
    """How capability prompts are put to it: `plain`, `one user message` of a server, or the hash of a template."""
    talk_format: str = PLAIN_FORMAT
    """How talk is put to it, where it is: the plain format, or the hash of a template of its own."""

    @property
    def components(self) -> dict[str, str]:
        """What of it can change a number, whatever it is asked: components of every cell's fingerprint."""
        return {
            "weights": self.weights,
            "tokenizer": self.tokenizer,
            "dtype": " ".join(filter(None, [self.spec.dtype, self.spec.quantization])),
            "asking": self.spec.asking,
            **({"computing": self.spec.computing} if self.spec.computing else {}),
            **({"api": self.location.api.words} if self.location.api else {}),
        }

    @cached_property
    def vocabulary(self) -> str:
        """Hash of the pieces of text that its token ids stand for; empty where that is not known."""
        return vocabulary_hash(self.location.tokenizer or self.location.path)

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
    models: list[ResolvedModel] = []
    faults: list[str] = []
    for number, model in enumerate(spec.models):
        if preparing is not None:
            preparing("hashing", number, len(spec.models))
        try:
            if kind := spec.results_of(model):
                models.append(_stored(model, kind))
                continue
            location = resolve_source(model, spec.backend_of(model), demo, preparing)
            if not lies_here(model):
                # What lay here was looked into before anything was fetched.
                faults += content_faults(model, location, talks=talks)
            models.append(_resolved(model, spec.backend_of(model), location, talks=talks))
        except UsageError as error:
            faults += getattr(error, "faults", [str(error)])
    if faults:
        raise SpecError(faults)
    return tuple(models)


def _resolved(model: ModelSpec, backend: str, location: ModelLocation, *, talks: bool) -> ResolvedModel:
    """A model with the hashes of what lies there; of a server, of what it is called and how long it may be."""
    if location.path is None:
        # A server's own length decides where a prompt is cut.
        weights = hash_text(f"{location.base_url} {location.served_name} {location.max_length}")
    else:
        weights = hash_file(location.file) if location.file else weights_hash(location.path)
        if location.adapter:
            weights = hash_components({"base": weights, "adapter": weights_hash(location.adapter)})
    tokenizer = location.tokenizer or location.path
    vocabulary = tokenizer_hash(tokenizer) if tokenizer else "the server's"
    if location.api is not None and location.api.kind == "chat":
        # Talk is put into the server's template, and so is whatever else it is asked.
        template, talk_format = SERVED_TURNS if model.chat_template else ONE_MESSAGE, SERVED_TURNS
    else:
        template, talk_format = _formats(model, tokenizer, talks=talks)
    return ResolvedModel(model, backend, location, weights, vocabulary, template, talk_format)


def _stored(model: ModelSpec, kind: str) -> ResolvedModel:
    """A model whose results another tool stored: of its weights nothing is known but what the tool says."""
    run = read_results(kind, model.source)
    weights = run.weights or hash_components(run.files)
    spec = model.model_copy(update={"results": kind})
    return ResolvedModel(spec, "stored", ModelLocation(None), weights, "", run.chat_template)


def _formats(model: ModelSpec, tokenizer: Path | None, *, talks: bool) -> tuple[str, str]:
    """How capability prompts and how talk are put to the model: the plain formats, or hashes of templates.

    Talk is put into the model's own template where it has one, whatever capability prompts are put into.
    """
    if isinstance(model.chat_template, str):
        template = f"file {hash_file(Path(model.chat_template).expanduser())[:12]}"
        return template, template if talks else PLAIN_FORMAT
    if not (model.chat_template or talks):
        return PLAIN, PLAIN_FORMAT
    own = None
    if tokenizer is not None and model.trust_remote_code:
        from transformers import AutoTokenizer

        # Code of a tokenizer's own may hold a template that no file does.
        own = AutoTokenizer.from_pretrained(tokenizer, trust_remote_code=True).chat_template
    elif tokenizer is not None:
        own = stored_template(tokenizer)
    if model.chat_template and not own:
        raise SpecError([f"model {model.name!r}: chat_template=true, but its tokenizer has no chat template"])
    template = f"own {hash_text(str(own))[:12]}"
    return (
        template if model.chat_template else PLAIN,
        template if talks and own and own != PLAIN_TEMPLATE else PLAIN_FORMAT,
    )
