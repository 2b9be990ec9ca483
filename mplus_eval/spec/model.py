"""A model as it is asked for, and how to load it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from mplus_eval.errors import UsageError
from mplus_eval.spec.backends import BACKENDS
from mplus_eval.spec.fields import Accepts, Fields, Positive, not_a_truth_value
from mplus_eval.spec.placement import Attention, DeviceMap, MaxMemory
from mplus_eval.spec.results import ResultsKey

KNOWN_ROLES = ("base", "instruct", "sft", "chosen", "plus")

THINKING_WORDS = "auto, none, or the two texts around reasoning as START…END, as <think>…</think>"

Price = Annotated[float, BeforeValidator(not_a_truth_value), Field(ge=0, allow_inf_nan=False)]
"""In whatever currency the user counts."""
Share = Annotated[float, BeforeValidator(not_a_truth_value), Field(gt=0, le=1)]

if TYPE_CHECKING:
    BackendName = str
else:
    # For pydantic, which says the names that are accepted.
    BackendName = Literal[tuple(BACKENDS)]


class ModelSpec(Fields):
    """One model to evaluate and how to load it."""

    name: str
    source: str = Field(min_length=1, description="hub id, directory, server URL, or demo:NAME")
    role: str = Field(
        default="",
        description="base, instruct, sft, plus or any word; the name when it is one of these, "
        "else that of the training record in the model's directory",
    )
    revision: str | None = None
    tokenizer: str | None = None
    adapter: str | None = None
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: str | None = None
    device_map: DeviceMap = Field(default=None, description="how its parts are spread over GPUs, memory, disk")
    max_memory: MaxMemory = Field(default=None, description="of device_map: most bytes of weights by device")
    offload_folder: str | None = Field(
        default=None, description="of device_map: where parts are kept that go to the disk; else a temporary folder"
    )
    tp_plan: Annotated[Literal["auto"] | None, Accepts("auto")] = Field(
        default=None, description="auto: split over the processes that torchrun started, by transformers' own plan"
    )
    attn_implementation: Attention | None = Field(default=None, description="the code that computes attention")
    quantization: Literal["4bit", "8bit", "awq", "gptq", "fp8", "bitsandbytes"] | None = None
    file: str | None = Field(default=None, description="a GGUF file in the directory that is the source")
    allow_bin: bool = Field(
        default=False, description="whether weights in .bin files are read, by torch's weights_only"
    )
    batch_size: Annotated[Positive | Literal["auto"], Accepts("a whole number above 0, or auto")] = "auto"
    chat_template: Annotated[bool | str, Accepts("true, false or a file")] = False
    add_bos: Annotated[bool | Literal["auto"], Accepts("true, false or auto")] = Field(
        default="auto", description="whether a plain prompt begins with the beginning-of-text token"
    )
    generation: Annotated[
        Literal["own"] | dict[str, bool | int | float | str | list[str]] | None,
        Accepts("own, or in a file settings of generation_config by name"),
    ] = Field(default=None, description="decoding settings besides the protocol's: the checkpoint's own, or these")
    thinking: Annotated[str, Accepts(THINKING_WORDS)] = Field(default="auto", description=THINKING_WORDS)
    enable_thinking: bool | None = Field(default=None, description="told to the chat template, where given")
    thinking_tokens: Positive | None = Field(default=None, description="most tokens of reasoning, beside the answer's")
    backend: BackendName | None = None
    max_length: Positive | None = Field(default=None, description="longest sequence, in tokens; else the model's own")
    max_model_len: Positive | None = Field(default=None, description="max_length, as vLLM calls it")
    tensor_parallel_size: Positive | None = Field(default=None, description="of vLLM: devices that share each layer")
    pipeline_parallel_size: Positive | None = Field(default=None, description="of vLLM: devices that share the layers")
    gpu_memory_utilization: Share | None = Field(default=None, description="of vLLM: its share of a device's memory")
    enforce_eager: bool = Field(default=False, description="of vLLM: whether no graphs are captured")
    engine: Annotated[
        dict[str, Any] | None, Accepts("in a file, arguments of vLLM's engine by name, as {kv_cache_dtype: fp8}")
    ] = Field(default=None, description="of vLLM: further arguments of its engine, in a file")
    model: str | None = Field(default=None, description="the name under which a server serves it")
    base_url: str | None = None
    api: Annotated[Literal["completions", "chat"] | None, Accepts("completions or chat")] = Field(
        default=None, description="of a server: completions or chat; found by asking it where not given"
    )
    concurrency: Positive | None = Field(
        default=None, description="most requests under way at a server at the same time; as many as it bears below that"
    )
    price_in: Price | None = Field(default=None, description="of a million tokens that a server reads")
    price_out: Price | None = Field(default=None, description="of a million tokens that a server writes")
    trust_remote_code: bool = False
    results: ResultsKey | None = Field(
        default=None,
        description="the tool whose stored results the source holds; none: the model is run here",
    )
    trajectory: str | None = Field(default=None, description="the model of whose training this is a saved step")
    step: int | None = Field(default=None, description="of a trajectory: after how many steps of training it was saved")

    @field_validator("source", "tokenizer", "adapter", "chat_template", "offload_folder")
    @classmethod
    def _home(cls, value: object) -> object:
        """Put the home directory for `~`, which a shell leaves alone after NAME=."""
        return str(Path(value).expanduser()) if isinstance(value, str) and value.startswith("~") else value

    @field_validator("thinking")
    @classmethod
    def _thinking(cls, value: str) -> str:
        if value not in ("auto", "none") and thinking_texts(value) is None:
            raise ValueError(THINKING_WORDS)
        return value

    @property
    def model_role(self) -> str:
        """The role given, or the name when it is itself a known role, else `model`."""
        return self.role or (self.name if self.name in KNOWN_ROLES else "model")

    @property
    def n_devices(self) -> int:
        """How many devices it is split over by its keys; one that `device_map` spreads takes what it is given."""
        return (self.tensor_parallel_size or 1) * (self.pipeline_parallel_size or 1)

    @property
    def longest(self) -> int | None:
        """The longest sequence that it is given, in tokens, by either name; None where none is asked for."""
        return self.max_length or self.max_model_len

    @property
    def computing(self) -> str:
        """What its keys say of how it is computed, as far as it changes numbers beyond rounding; empty for nothing.

        Where its parts lie does not.
        """
        own = {name: value for name, value in (self.engine or {}).items() if name not in HARMLESS_ARGUMENTS}
        given = {"attn_implementation": self.attn_implementation, "max_length": self.longest}
        words = [f"{name}={value}" for name, value in given.items() if value is not None]
        return " ".join([*words, *(f"engine.{name}={own[name]!r}" for name in sorted(own))])

    @property
    def asking(self) -> str:
        """How it is asked, as far as its keys say: a component of every cell's fingerprint."""
        keys = ("add_bos", "generation", "thinking", "enable_thinking", "thinking_tokens")
        return " ".join(f"{key}={getattr(self, key)}" for key in keys)


def thinking_texts(value: str) -> tuple[str, str] | None:
    """The texts before and after reasoning of `START…END`, which differ; None where the value names no such pair.

    Three dots stand for `…` where a keyboard has none.
    """
    start, _, end = (part.strip() for part in value.partition("…" if "…" in value else "..."))
    return (start, end) if start and end and start != end and "…" not in end else None


def is_url(source: str) -> bool:
    """Tell whether a source is a server's URL."""
    return source.startswith(("http://", "https://"))


HARMLESS_ARGUMENTS = frozenset({
    "async_scheduling", "block_size", "cpu_offload_gb", "data_parallel_backend", "disable_custom_all_reduce",
    "disable_log_stats", "distributed_executor_backend", "enable_chunked_prefill", "enable_prefix_caching",
    "kv_cache_memory_bytes", "load_format", "max_logprobs", "max_num_batched_tokens", "max_num_seqs",
    "max_parallel_loading_workers", "num_gpu_blocks_override", "safetensors_load_strategy", "use_tqdm_on_load",
})  # fmt: skip
"""Arguments of vLLM's engine that say where and when something is computed, and not what."""
SERVER_KEYS = ("base_url", "model", "api", "concurrency", "price_in", "price_out")
"""Keys of a model that is served."""
MODEL_KEYS = tuple(key for key in ModelSpec.model_fields if key not in ("name", "source", "trajectory", "step"))


def parse_model(text: str) -> tuple[str, dict[str, object]]:
    """Split `NAME=SOURCE[,key=value…]` into the name and the model's fields.

    >>> parse_model("plus=./runs/plus,role=plus,trust_remote_code=true")
    ('plus', {'source': './runs/plus', 'role': 'plus', 'trust_remote_code': True})
    """
    name, separator, rest = text.partition("=")
    source, *pairs = rest.split(",")
    if not separator or not source:
        raise UsageError(f"model {text!r}: write NAME=SOURCE[,key=value…], for example plus=./runs/plus,role=plus")
    fields: dict[str, object] = {"source": source}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator:
            raise UsageError(
                f"model {name!r}: {pair!r} is not key=value; keys are {', '.join(MODEL_KEYS)} "
                "(a source with a comma in it is written in the config file)"
            )
        if key in fields:
            raise UsageError(f"model {name!r}: key {key!r} is given twice")
        fields[key] = {"true": True, "false": False}.get(value.lower(), value)
    return name, fields
