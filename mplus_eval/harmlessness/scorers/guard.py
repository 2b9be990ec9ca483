"""Guard models: language models that say of an answer, together with its prompt, whether it is unsafe.

guard:DIRECTORY                           a checkpoint of Llama Guard, WildGuard or ShieldGemma
guard:org/name,template=wildguard         from the hub or its cache, asked by the template that is named
guard:llm:MODEL@http://HOST:PORT/v1       behind an OpenAI-compatible server with logprobs in /completions
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mplus_eval.data.hub import offline, reason
from mplus_eval.errors import MplusError, SpecError, UsageError
from mplus_eval.harmlessness.scorers import guard_model, guard_server
from mplus_eval.harmlessness.scorers.guard_template import GuardTemplate, guard_templates, template_of
from mplus_eval.harmlessness.scorers.location import checkpoint_directory
from mplus_eval.harmlessness.scorers.model_scorer import best_device
from mplus_eval.judges.endpoint import Endpoint, endpoint_faults
from mplus_eval.models.chat_format import stored_template
from mplus_eval.models.checkpoints import checkpoint_faults
from mplus_eval.spec.faults import nearest
from mplus_eval.store.hashes import hash_components, tokenizer_hash, weights_hash

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from mplus_eval.harmlessness.scorers.base import Scorer

_PREFIX, _SERVED = "guard:", "llm:"


@dataclass(frozen=True)
class _Source:
    """What was asked for: a directory, a repository or MODEL@URL, and the template, if one was named."""

    text: str
    place: str
    template: str | None

    @classmethod
    def of(cls, text: str) -> _Source:
        """Read a name.

        Raises:
            UsageError: with what is accepted.
        """
        place, *keys = text.removeprefix(_PREFIX).split(",")
        template = None
        for key in keys:
            name, _, value = key.partition("=")
            if name.strip() != "template" or not value:
                raise UsageError(f"scorer {text!r}: unknown key {key.strip()!r}; accepted: template=NAME")
            template = value.strip()
        if template is not None and template not in guard_templates():
            close = nearest(template, list(guard_templates()))
            raise UsageError(f"scorer {text!r}: template {template!r} is none of the package's; {close}")
        if not place or (place.startswith(_SERVED) and not all(place.removeprefix(_SERVED).partition("@"))):
            raise UsageError(
                f"scorer {text!r}: write guard:DIRECTORY, guard:org/name or guard:llm:MODEL@http://HOST:PORT/v1"
            )
        return cls(text, place, template)

    @property
    def where(self) -> str:
        """How messages begin."""
        return f"scorer {self.text!r}"

    @property
    def endpoint(self) -> Endpoint | None:
        """The server, of a guard that is served."""
        if not self.place.startswith(_SERVED):
            return None
        model, _, url = self.place.removeprefix(_SERVED).rpartition("@")
        return Endpoint(url.rstrip("/"), model)


def faults(source: str) -> list[str]:
    """Return what stands in the way of scoring with a guard; of one on the hub all but its weights is fetched."""
    try:
        asked = _Source.of(source)
        if asked.endpoint is not None:
            _template(asked, asked.endpoint.model, "")
            return endpoint_faults(asked.endpoint, asked.where)
        directory = checkpoint_directory(asked.text, asked.place, weights=False)
        return _faults_of(asked, directory, with_weights=Path(asked.place).expanduser().is_dir() or offline())
    except MplusError as error:
        return [str(error)]


def load(source: str, device: str | None = None) -> Scorer:
    """The scorer of a guard; its weights are read when the first answer is scored.

    Raises:
        UsageError: when it cannot be had, or nothing tells how it is to be asked.
    """
    asked = _Source.of(source)
    if (endpoint := asked.endpoint) is not None:
        template = _template(asked, endpoint.model, "")
        parts = {"kind": "guard", "revision": guard_server.REVISION, "server": f"{endpoint.base_url} {endpoint.model}"}
        fingerprint = hash_components({**parts, "template": template.fingerprint})
        return guard_server.ServedGuard(source, fingerprint, template, endpoint)
    directory = checkpoint_directory(asked.text, asked.place, weights=True)
    if wrong := _faults_of(asked, directory, with_weights=True):
        raise SpecError(wrong)
    template = _of_checkpoint(asked, directory)
    parts = {
        "kind": "guard",
        "revision": guard_model.REVISION,
        "weights": weights_hash(directory),
        "tokenizer": tokenizer_hash(directory),
        "template": template.fingerprint,
    }
    read = partial(_model, asked, directory)
    return guard_model.CausalGuard(source, hash_components(parts), template, best_device(device), read)


def _template(asked: _Source, description: str, chat_template: str) -> GuardTemplate:
    """How the guard is asked: as it was named, else as its names or its own chat template tell."""
    if asked.template is not None:
        return guard_templates()[asked.template]
    found = template_of(description, chat_template)
    if found is None:
        names = ", ".join(f"template={name}" for name in guard_templates())
        raise UsageError(f"{asked.where}: nothing tells which guard it is; say it behind a comma: {names}")
    return found


def _of_checkpoint(asked: _Source, directory: Path) -> GuardTemplate:
    settings = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    description = f"{asked.place} {settings.get('_name_or_path') or ''}"
    return _template(asked, description, str(stored_template(directory) or ""))


def _faults_of(asked: _Source, directory: Path, *, with_weights: bool) -> list[str]:
    """What is wrong with a model's files, found without loading its weights."""
    if not (directory / "config.json").is_file():
        return [f"{asked.where}: {directory} has no config.json, so it is not a checkpoint directory"]
    if with_weights and (wrong := checkpoint_faults(directory, asked.where, own_tokenizer=True)):
        return wrong
    _of_checkpoint(asked, directory)
    return []


def _model(asked: _Source, directory: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        model = AutoModelForCausalLM.from_pretrained(
            directory, dtype="auto", local_files_only=True, use_safetensors=True
        )
        return model, AutoTokenizer.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"{asked.where}: cannot be read ({reason(error)})") from error
