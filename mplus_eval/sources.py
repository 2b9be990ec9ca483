"""Where a model comes from: a directory, the hub, a server or the demo; checked before anything is evaluated."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mplus_eval.errors import SpecError
from mplus_eval.fingerprint import TOKENIZER_FILES
from mplus_eval.spec import CompareSpec, ModelSpec, is_url

DEMO_MODELS = ("base", "instruct", "sft")
_VOCABULARY_FILES = tuple(name for name in TOKENIZER_FILES if name not in ("special_tokens_map.json",))
_SERVER_TIMEOUT_SECONDS = 10.0
HUB_FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "*.bin")
"""What a checkpoint of the hub is made of; weights in other formats are left where they are."""


@dataclass(frozen=True)
class Source:
    """A model that was found. `path` is its directory, or None for a server; `adapter` is a LoRA directory."""

    path: Path | None
    adapter: Path | None = None
    base_url: str | None = None
    served_name: str | None = None


def check_sources(spec: CompareSpec) -> None:
    """Check that every model can be loaded, without downloading weights.

    Raises:
        SpecError: one line for each model that cannot.
    """
    faults = [fault for model in spec.models for fault in source_faults(model, spec.backend_of(model))]
    if faults:
        raise SpecError(faults)


def source_faults(model: ModelSpec, backend: str) -> list[str]:
    """Return what stands in the way of loading one model, a line each."""
    where = f"model {model.name!r}"
    if backend == "openai":
        return _server_faults(model, where)
    if model.base_url or model.model:
        return [f"{where}: base_url and model belong to the backend openai, not {backend}"]
    faults = _location_faults(model.source, model.revision, where, adapter_is_enough=True)
    if model.adapter:
        faults += _adapter_faults(Path(model.adapter).expanduser(), f"{where}: adapter {model.adapter}")
    if model.tokenizer and is_directory(model.tokenizer):
        faults += _tokenizer_faults(Path(model.tokenizer).expanduser(), f"{where}: tokenizer {model.tokenizer}")
    return faults


def resolve_source(model: ModelSpec, backend: str, preparing: Any = None) -> Source:
    """Return where a checked model lies, downloading it from the hub where that is its source."""
    if backend == "openai":
        url, name = _server(model)
        return Source(None, base_url=url, served_name=name or served_models(url)[0])
    adapter = Path(model.adapter).expanduser() if model.adapter else None
    path = _local_path(model.source, model.revision)
    if adapter is None and not (path / "config.json").is_file():
        adapter, path = path, _local_path(_adapter_base(path), None)
    return Source(path, adapter)


def is_directory(source: str) -> bool:
    """Tell a directory from a hub id: it exists, or is written as a path."""
    return Path(source).expanduser().is_dir() or source.startswith((".", "/", "~")) or source.count("/") != 1


def offline() -> bool:
    """Tell whether the user forbade the hub's network (`HF_HUB_OFFLINE`)."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "TRUE", "YES", "ON")


def _local_path(source: str, revision: str | None) -> Path:
    if source.startswith("demo:"):
        from mplus_eval.training.demo.models import demo_model

        return demo_model(source.removeprefix("demo:"))
    if is_directory(source):
        return Path(source).expanduser()
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(source, revision=revision, allow_patterns=list(HUB_FILES)))


def _location_faults(source: str, revision: str | None, where: str, *, adapter_is_enough: bool) -> list[str]:
    if source.startswith("demo:"):
        name = source.removeprefix("demo:")
        return [] if name in DEMO_MODELS else [f"{where}: no demo model {name!r}; there are {', '.join(DEMO_MODELS)}"]
    if is_directory(source):
        return _directory_faults(Path(source).expanduser(), where, adapter_is_enough)
    return _hub_faults(source, revision, where)


def _directory_faults(path: Path, where: str, adapter_is_enough: bool) -> list[str]:
    if not path.is_dir():
        hint = "" if path.suffix or str(path).startswith((".", "/", "~")) else "; a hub id is written org/name"
        return [f"{where}: no such directory: {path}{hint}"]
    if adapter_is_enough and (path / "adapter_config.json").is_file() and not (path / "config.json").is_file():
        return _adapter_faults(path, where) or _location_faults(
            _adapter_base(path), None, f"{where}: the adapter's base", adapter_is_enough=False
        )
    return _config_faults(path, where) or _weight_faults(path, where) + _tokenizer_faults(path, where)


def _config_faults(path: Path, where: str) -> list[str]:
    config = path / "config.json"
    if not config.is_file():
        return [f"{where}: {path} has no config.json, so it is not a checkpoint directory"]
    return _json_faults(config, where)


def _json_faults(path: Path, where: str) -> list[str]:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        return [f"{where}: {path} is not valid JSON ({error})"]
    return []


def _weight_faults(path: Path, where: str) -> list[str]:
    index = path / "model.safetensors.index.json"
    if index.is_file():
        if faults := _json_faults(index, where):
            return faults
        shards = sorted(set(json.loads(index.read_text(encoding="utf-8")).get("weight_map", {}).values()))
        missing = [name for name in shards if not (path / name).is_file()]
        if missing:
            return [f"{where}: {path} lacks {len(missing)} of {len(shards)} weight files, first {missing[0]}"]
    files = sorted(path.glob("*.safetensors"))
    if files:
        return [fault for file in files for fault in _safetensors_faults(file, where)]
    if any(path.glob("pytorch_model*.bin")):
        # transformers reads these with torch.load(weights_only=True), so no pickled code runs.
        return []
    return [f"{where}: {path} has no weights (model.safetensors or its shards)"]


def _safetensors_faults(path: Path, where: str) -> list[str]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            file.keys()
    except (SafetensorError, OSError) as error:
        return [f"{where}: {path} is not a whole safetensors file ({error})"]
    return []


def _tokenizer_faults(path: Path, where: str) -> list[str]:
    if any((path / name).is_file() for name in _VOCABULARY_FILES):
        return []
    return [f"{where}: {path} has no tokenizer (tokenizer.json or tokenizer.model); name one with tokenizer=DIR"]


def _adapter_faults(path: Path, where: str) -> list[str]:
    config = path / "adapter_config.json"
    if not config.is_file():
        return [f"{where}: {path} has no adapter_config.json, so it is not a LoRA adapter directory"]
    if faults := _json_faults(config, where):
        return faults
    if not _adapter_base(path):
        return [f"{where}: {config} names no base_model_name_or_path"]
    weights = path / "adapter_model.safetensors"
    return _safetensors_faults(weights, where) if weights.is_file() else [f"{where}: {path} has no {weights.name}"]


def _adapter_base(path: Path) -> str:
    config: dict[str, Any] = json.loads((path / "adapter_config.json").read_text(encoding="utf-8"))
    return str(config.get("base_model_name_or_path") or "")


def _hub_faults(source: str, revision: str | None, where: str) -> list[str]:
    """Ask the hub, or its local cache when it is offline, whether a repository can be read."""
    import httpx
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    if offline():
        cached = try_to_load_from_cache(source, "config.json", revision=revision)
        if isinstance(cached, str):
            return _weight_faults(Path(cached).parent, where)
        return [f"{where}: {source} is not in the hub's cache and HF_HUB_OFFLINE is set; unset it or give a directory"]
    try:
        info = HfApi().model_info(source, revision=revision, timeout=_SERVER_TIMEOUT_SECONDS)
        if info.gated:
            HfApi().auth_check(source)
    except GatedRepoError:
        return [f"{where}: {source} is gated: accept its licence on the hub and set HF_TOKEN to a token with access"]
    except RevisionNotFoundError:
        return [f"{where}: {source} has no revision {revision!r}"]
    except RepositoryNotFoundError:
        return [f"{where}: {source} is neither a directory here nor a model on the hub (private? set HF_TOKEN)"]
    except (HfHubHTTPError, httpx.HTTPError, OSError) as error:
        return [f"{where}: cannot reach the hub for {source} ({_reason(error)}); give a directory, or mend the network"]
    files = [sibling.rfilename for sibling in info.siblings or []]
    if not any(name.endswith((".safetensors", ".bin")) for name in files):
        return [f"{where}: {source} on the hub has no weights (safetensors)"]
    return []


def _server_faults(model: ModelSpec, where: str) -> list[str]:
    """Ask an OpenAI-compatible server for its models."""
    import httpx

    url, wanted = _server(model)
    if not is_url(url):
        return [f"{where}: the backend openai needs base_url=http://…/v1"]
    try:
        served = served_models(url)
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        if status in (401, 403):
            return [f"{where}: the server {url} refuses the key; set OPENAI_API_KEY"]
        return [f"{where}: the server {url} answers {status} to /models; base_url usually ends in /v1"]
    except httpx.HTTPError as error:
        return [f"{where}: cannot reach the server {url} ({_reason(error)})"]
    except (KeyError, TypeError, ValueError):
        return [f"{where}: the server {url} does not answer /models as OpenAI's does"]
    if wanted is None and len(served) != 1:
        return [f"{where}: the server serves {len(served)} models ({', '.join(served)}); say which with model=NAME"]
    if wanted is not None and wanted not in served:
        return [f"{where}: the server does not serve {wanted!r}; it serves {', '.join(served)}"]
    return []


def _server(model: ModelSpec) -> tuple[str, str | None]:
    """A server's URL, without a slash at its end, and the name asked of it, if any."""
    url = model.base_url or (model.source if is_url(model.source) else "")
    return url.rstrip("/"), model.model or (None if is_url(model.source) else model.source)


def served_models(url: str) -> list[str]:
    """The names of the models that a server offers."""
    import httpx

    key = os.environ.get("OPENAI_API_KEY", "")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    reply = httpx.get(f"{url}/models", headers=headers, timeout=_SERVER_TIMEOUT_SECONDS)
    return [str(entry["id"]) for entry in reply.raise_for_status().json()["data"]]


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
