"""Where a model comes from: a directory, the hub, a server or the demo; checked before anything is evaluated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from mplus_eval.data.hub import is_hub_id
from mplus_eval.demo import BASE
from mplus_eval.demo import MODELS as DEMO_MODELS
from mplus_eval.errors import SpecError
from mplus_eval.models.checkpoints import (
    PICKLED_WEIGHTS,
    adapter_base,
    adapter_faults,
    checkpoint_faults,
    has_tokenizer,
    is_adapter,
    tokenizer_faults,
    weight_files,
)
from mplus_eval.models.gguf import SUFFIX, choose_gguf, gguf_names
from mplus_eval.models.gguf_checkpoint import gguf_faults, laid_out
from mplus_eval.models.hub import (
    Preparing,
    checkpoint_files,
    fetch,
    hub_faults,
    hub_tokenizer_faults,
    tokenizer_files,
)
from mplus_eval.models.placement import placement_faults
from mplus_eval.models.servers import api_of, listed_models, server_faults, server_of
from mplus_eval.models.vllm_keys import engine_faults
from mplus_eval.servers.api import NoApiError, ServedApi
from mplus_eval.spec.backends import BACKENDS, DEFAULT_BACKEND, BackendInfo, either
from mplus_eval.spec.model import SERVER_KEYS, ModelSpec, is_url

_DEMO = "demo:"


@dataclass(frozen=True)
class ModelLocation:
    """A model that was found.

    `path` is its directory, or None for a server; `adapter` a LoRA directory; `tokenizer` the directory of a tokenizer
    that is not the one in `path`; `max_length` the longest sequence, in tokens, where a server says it; `api` how a
    server is asked; `file` the GGUF file that holds its weights, where `path` has all but them.
    """

    path: Path | None
    adapter: Path | None = None
    tokenizer: Path | None = None
    base_url: str | None = None
    served_name: str | None = None
    max_length: int | None = None
    api: ServedApi | None = None
    file: Path | None = None

    @property
    def checkpoint(self) -> Path | None:
        """What training left: the adapter where there is one; its record lies in it, and reward models beside it."""
        return self.adapter or self.path


def model_faults(model: ModelSpec, backend: str) -> list[str]:
    """Return what stands in the way of loading one model, a line each; no weights are downloaded to tell."""
    where, info = f"model {model.name!r}", BACKENDS[backend]
    faults: list[str] = []
    if model.tokenizer is not None:
        path, what = Path(model.tokenizer), f"{where}: tokenizer"
        match kind_of(model.tokenizer):
            case "demo":
                faults = _demo_faults(model.tokenizer, what)
            case "hub":
                faults = hub_tokenizer_faults(model.tokenizer, what)
            case "directory":
                faults = tokenizer_faults(path, what) if path.is_dir() else [f"{what}: no such directory: {path}"]
    if info.server:
        return faults + server_faults(model, info, where)
    if is_url(model.source) or any(getattr(model, key) is not None for key in SERVER_KEYS):
        servers = either([name for name, each in BACKENDS.items() if each.server])
        keys = ", ".join(SERVER_KEYS[:-1])
        what = f"a server, {keys} and {SERVER_KEYS[-1]}"
        return [*faults, f"{where}: {what} belong to the backend {servers}, not {backend}"]
    faults += _loading_faults(model, info, where)
    if backend == "vllm":
        faults += engine_faults(model, where)
    faults += _location_faults(model, where)
    if model.adapter:
        faults += adapter_faults(Path(model.adapter), f"{where}: adapter", pickled=model.allow_bin)
    if backend != DEFAULT_BACKEND and (model.file or is_gguf(model)):
        faults.append(f"{where}: a GGUF file is read by the backend {DEFAULT_BACKEND}, not by {backend}")
    return faults


def lies_here(model: ModelSpec) -> bool:
    """Tell whether all of a model that was found without fault is on this machine, so that it can be looked into."""
    sources = [model.source, model.tokenizer or "."]
    if is_adapter(Path(model.source)) and not model.adapter:
        sources.append(adapter_base(Path(model.source)))
    served = model.base_url or model.model or is_url(model.source)
    return not served and all(kind_of(each) == "directory" for each in sources)


def is_gguf(model: ModelSpec) -> bool:
    """Tell whether a source here is a GGUF file, or a folder of such files and of no other weights."""
    path = Path(model.source)
    if not path.is_dir():
        return path.suffix == SUFFIX
    names = [each.name for each in path.iterdir()]
    others = is_adapter(path) or weight_files(path) or weight_files(path, PICKLED_WEIGHTS)
    return bool(model.file) or (bool(gguf_names(names)) and not others)


def demo_names(models: Iterable[ModelSpec]) -> list[str]:
    """Which of the demo's models these are, are adapters of or have the tokenizer of, each once."""
    models = list(models)
    places = ((model.source, Path(model.source)) for model in models)
    sources = [adapter_base(path) if is_adapter(path) else source for source, path in places]
    sources += [model.tokenizer for model in models if model.tokenizer]
    return list(dict.fromkeys(source.removeprefix(_DEMO) for source in sources if source.startswith(_DEMO)))


def kind_of(source: str) -> Literal["demo", "hub", "directory"]:
    """What a source that is no server's URL is; what exists here comes before the hub, and a GGUF file is here."""
    if source.startswith(_DEMO):
        return "demo"
    here = Path(source).exists() or source.endswith(SUFFIX)
    return "hub" if is_hub_id(source) and not here else "directory"


def resolve_source(
    model: ModelSpec, backend: str, demo: Mapping[str, Path] | None = None, preparing: Preparing | None = None
) -> ModelLocation:
    """Return where a checked model lies, downloading it from the hub where that is its source.

    An adapter that brings a tokenizer is used with it: the adapter was trained with that one and its chat template.

    Args:
        model: the model.
        backend: how it will be loaded.
        demo: directories of the demo's models that are trained; its base is always known.
        preparing: called as a download proceeds.

    Raises:
        SpecError: when a download fails, or the base model of an adapter cannot be had.
    """

    def directory_of(
        source: str, revision: str | None = None, choose: Callable[[Sequence[str]], list[str]] = checkpoint_files
    ) -> Path:
        match kind_of(source):
            case "demo":
                name = source.removeprefix(_DEMO)
                if (directory := {"base": BASE, **(demo or {})}.get(name)) is None:
                    raise SpecError([f"model {model.name!r}: the demo's model {name!r} is not trained; name it too"])
                return directory
            case "hub":
                return fetch(source, revision, choose, preparing)
            case "directory":
                return Path(source)

    tokenizer = directory_of(model.tokenizer, choose=tokenizer_files) if model.tokenizer else None
    if server := BACKENDS[backend].server:
        url, name = server_of(model)
        served = listed_models(url, name, server)
        name = name or next(iter(served))
        try:
            api = api_of(model, name, server)
        except NoApiError as error:
            raise SpecError([f"model {model.name!r}: {error}"]) from None
        return ModelLocation(None, None, tokenizer, url, name, served.get(name), api)
    adapter = Path(model.adapter) if model.adapter else None
    files = partial(_files_of, wanted=model.file)
    path = Path(model.source) if is_gguf(model) else directory_of(model.source, model.revision, files)
    if adapter is None and path.is_dir() and is_adapter(path):
        adapter, base = path, _base_of(model, path)
        # It could not be checked while the adapter was on the hub.
        if faults := _base_faults(base, adapter):
            raise SpecError(faults)
        path = Path(base.source) if is_gguf(base) else directory_of(base.source)
        model = base
    if tokenizer is None and adapter is not None and has_tokenizer(adapter):
        tokenizer = adapter
    file = _gguf_file(model.model_copy(update={"source": str(path)}))
    if file is None:
        return ModelLocation(path, adapter, tokenizer)
    # Until now, one from the hub was looked at by its name alone.
    if faults := gguf_faults(file, f"model {model.name!r}", own_tokenizer=tokenizer is None):
        raise SpecError(faults)
    return ModelLocation(laid_out(file), adapter, tokenizer, file=file)


def _files_of(names: Sequence[str], wanted: str | None) -> list[str]:
    """What is fetched of a repository: a checkpoint, or the GGUF file that is wanted or the only one."""
    files = checkpoint_files(names)
    if wanted or not any(name.endswith((".safetensors", ".bin")) for name in files):
        return [wanted] if wanted else gguf_names(names)
    return files


def _gguf_file(model: ModelSpec) -> Path | None:
    """The GGUF file that a model without faults is."""
    path = Path(model.source)
    if not is_gguf(model):
        return None
    return path / (model.file or gguf_names([each.name for each in path.iterdir()])[0]) if path.is_dir() else path


def _base_of(model: ModelSpec, adapter: Path) -> ModelSpec:
    """The model that an adapter names as its base, with the tokenizer that the adapter may bring."""
    own = {"tokenizer": model.tokenizer or (str(adapter) if has_tokenizer(adapter) else None)}
    return model.model_copy(update={"source": adapter_base(adapter), "revision": None, **own})


def _base_faults(base: ModelSpec, adapter: Path) -> list[str]:
    where = f"model {base.name!r}: the adapter's base"
    faults = _location_faults(base, where, adapter_is_enough=False)
    if faults and not Path(base.source).exists():
        return [*faults[:-1], f"{faults[-1]}; where it has moved, write {base.name}=BASE,adapter={adapter}"]
    return faults


def _demo_faults(source: str, where: str) -> list[str]:
    name = source.removeprefix(_DEMO)
    return [] if name in DEMO_MODELS else [f"{where}: no demo model {name!r}; there are {', '.join(DEMO_MODELS)}"]


def _location_faults(model: ModelSpec, where: str, *, adapter_is_enough: bool = True) -> list[str]:
    own_tokenizer = model.tokenizer is None
    match kind_of(model.source):
        case "demo":
            return _demo_faults(model.source, where)
        case "hub":
            return hub_faults(model, where)
    path = Path(model.source)
    if is_gguf(model):
        return _gguf_location_faults(model, path, where)
    if not path.is_dir():
        hint = "" if path.suffix or model.source.startswith((".", "/")) else "; a hub id is written org/name"
        return [f"{where}: no such directory: {path}{hint}"]
    revision = [f"{where}: revision belongs to a hub id, and {path} is a directory"] if model.revision else []
    if adapter_is_enough and is_adapter(path):
        return revision + (
            adapter_faults(path, where, pickled=model.allow_bin) or _base_faults(_base_of(model, path), path)
        )
    return revision + checkpoint_faults(
        path,
        where,
        own_tokenizer=own_tokenizer,
        foreign_code=model.trust_remote_code,
        pickled=model.allow_bin,
    )


def _gguf_location_faults(model: ModelSpec, path: Path, where: str) -> list[str]:
    if path.is_dir():
        name, faults = choose_gguf([each.name for each in path.iterdir()], model.file, str(path), where)
        if name is None:
            return faults
        path /= name
    elif model.file:
        return [f"{where}: file names one in a folder, and {path} is a file itself"]
    if not path.is_file():
        return [f"{where}: no such file: {path}"]
    revision = [f"{where}: revision belongs to a hub id, and {path} is a file"] if model.revision else []
    return revision + gguf_faults(path, where, own_tokenizer=model.tokenizer is None)


def _loading_faults(model: ModelSpec, backend: BackendInfo, where: str) -> list[str]:
    """Keys that this machine or this backend cannot honour."""
    faults = []
    if model.quantization in ("4bit", "8bit", "bitsandbytes") and find_spec("bitsandbytes") is None:
        faults.append(f"{where}: quantization needs the package bitsandbytes: pip install bitsandbytes")
    faults += [f"{where}: the backend {backend.name} {each.why}" for each in backend.refusals if each.meets(model)]
    return faults + (placement_faults(model, where) if backend.takes_local_devices else [])
