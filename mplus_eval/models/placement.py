"""Whether a model's keys say consistently where its parts go, and name only devices that are here."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mplus_eval.models.checkpoints import is_adapter
from mplus_eval.spec.backends import BACKENDS
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.model import ModelSpec
from mplus_eval.spec.placement import DeviceMap

if TYPE_CHECKING:
    from transformers import PretrainedConfig

_DEVICE = re.compile(r"(cpu|mps|cuda|xpu|npu|hpu)(:\d+)?")
_MODULES = {"flash_attention_2": "flash_attn", "flash_attention_3": "flash_attn_interface"}
"""What an implementation of attention needs."""
_POSITIONS = ("n_positions", "max_position_embeddings", "n_ctx")
"""What configurations call the length that lm-eval takes for the longest sequence."""
_LAUNCH = "torchrun --nproc-per-node N -m mplus_eval compare …"


def group_rank() -> int | None:
    """Which of the processes that torchrun started this is; None where it started none."""
    return int(os.environ["RANK"]) if "TORCHELASTIC_RUN_ID" in os.environ else None


def group_size() -> int:
    """How many processes torchrun started; one where it started none."""
    return 1 if group_rank() is None else int(os.environ["WORLD_SIZE"])


def placement_faults(model: ModelSpec, where: str) -> list[str]:
    """A line for everything about the keys of one model that cannot be so on this machine."""
    faults = _contradictions(model, where)
    if model.device is not None:
        faults += _device_faults(model.device, where)
    faults += _gpu_faults([*_places(model.device_map), *(model.max_memory or ())], where)
    if (module := _MODULES.get(model.attn_implementation or "")) and find_spec(module) is None:
        faults.append(
            f"{where}: attn_implementation {model.attn_implementation!r} needs the module {module}, which is not "
            "installed; sdpa needs none"
        )
    if (folder := model.offload_folder) is not None and Path(folder).exists() and not Path(folder).is_dir():
        faults.append(f"{where}: offload_folder {folder!r} is no folder; one that is there or can be made is accepted")
    return faults + (_tensor_parallel_faults(model, where) if model.tp_plan else [])


def group_faults(spec: CompareSpec) -> list[str]:
    """What cannot be where torchrun started several processes: a model that one alone would load, and workers."""
    if group_size() == 1:
        return []
    faults = []
    if spec.devices is not None or spec.executor != "local":
        option = "--devices" if spec.devices is not None else f"--executor {spec.executor}"
        faults.append(f"{option}: torchrun has started processes already, one of which leads; start without torchrun")
    return faults + [
        f"model {model.name!r}: torchrun started several processes, and it would be loaded by one of them; give it "
        "tp_plan=auto, or start the command without torchrun"
        for model in spec.models
        if not (model.tp_plan or spec.results_of(model) or BACKENDS[spec.backend_of(model)].server)
    ]


def configured_faults(model: ModelSpec, config: PretrainedConfig, where: str) -> list[str]:
    """What its configuration does not allow: more tokens than it has positions, and processes that share no heads."""
    text = config.get_text_config()
    faults = []
    n_positions = [value for name in _POSITIONS if isinstance(value := getattr(text, name, None), int)][:1]
    for positions in n_positions:
        if model.max_length is not None and model.max_length > positions:
            faults.append(f"{where}: max_length {model.max_length}: at most its {positions} positions are accepted")
    if not model.tp_plan:
        return faults
    kind, size = text.model_type, group_size()
    if not getattr(text, "base_model_tp_plan", None):
        return [*faults, f"{where}: tp_plan: transformers has no plan for {kind}; device_map=auto spreads its layers"]
    heads = int(getattr(text, "num_key_value_heads", None) or getattr(text, "num_attention_heads", None) or size)
    if heads % size:
        faults.append(f"{where}: tp_plan: {size} processes cannot share its {heads} key heads; start a divisor of them")
    return faults


def _contradictions(model: ModelSpec, where: str) -> list[str]:
    """Keys that do not go together, or not without another."""
    keys = [key for key in ("device", "device_map", "tp_plan") if getattr(model, key) is not None]
    faults = []
    if len(keys) > 1:
        faults.append(f"{where}: {' and '.join(keys)} each say where the model lies; one of them is accepted")
    for key in ("max_memory", "offload_folder"):
        if getattr(model, key) is not None and model.device_map is None:
            faults.append(f"{where}: {key} belongs to device_map, which is not given; device_map=auto is usual")
    if model.max_memory is not None and isinstance(model.device_map, Mapping):
        faults.append(f"{where}: max_memory says nothing where device_map names the place of every module")
    if {"cpu", "disk"} & {*_places(model.device_map)} and len({*_places(model.device_map)}) > 1 and _has_adapter(model):
        faults.append(
            f"{where}: an adapter goes on a base whose parts all lie on GPUs, or all in main memory; merge it into the "
            "base first, or leave cpu and disk out of device_map"
        )
    return faults


def _has_adapter(model: ModelSpec) -> bool:
    return bool(model.adapter) or is_adapter(Path(model.source))


def _places(device_map: DeviceMap) -> list[int | Literal["cpu", "disk"]]:
    """Every place that is named."""
    return list(device_map.values()) if isinstance(device_map, Mapping) else []


def _gpu_faults(places: Iterable[int | str], where: str) -> list[str]:
    numbers = sorted({place for place in places if isinstance(place, int)})
    if not numbers:
        return []
    import torch

    here = range(torch.cuda.device_count())
    known = ", ".join(map(str, here)) or "none"
    return [f"{where}: there is no GPU {number} here; here: {known}" for number in numbers if number not in here]


def _device_faults(device: str, where: str) -> list[str]:
    import torch

    # lm-eval would take another device than one that is not here without a word.
    here = ["cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        here.append("mps")
    found = _DEVICE.fullmatch(device)
    is_here = found is not None and (device in here or (found[2] is None and f"{device}:0" in here))
    cannot_be_told = found is not None and found[1] in ("xpu", "npu", "hpu")
    return [] if is_here or cannot_be_told else [f"{where}: there is no device {device!r} here, but {', '.join(here)}"]


def _tensor_parallel_faults(model: ModelSpec, where: str) -> list[str]:
    if (rank := group_rank()) is None:
        return [f"{where}: tp_plan splits it over processes that torchrun starts: {_LAUNCH}"]
    if rank > 0:
        return [f"{where}: tp_plan: process {rank} follows process 0, which alone asks: {_LAUNCH}"]
    faults = []
    if _has_adapter(model):
        faults.append(f"{where}: tp_plan splits whole checkpoints; merge the adapter into its base first")
    if model.quantization:
        faults.append(f"{where}: tp_plan splits weights that are not quantized; leave quantization out")
    return faults
