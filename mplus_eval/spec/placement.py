"""How the parts of a model are spread over the memory of one machine, as the keys of a model say it.

device_map=auto                              transformers fills the GPUs, then main memory, then the disk
max_memory=0:20GiB+1:20GiB+cpu:60GiB         on the command line; in a file {0: 20GiB, 1: 20GiB, cpu: 60GiB}
device_map: {model.embed_tokens: 0, …}       in a file alone: the place of every module
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator

from mplus_eval.spec.fields import Accepts

Strategy = Literal["auto", "balanced", "balanced_low_0", "sequential"]
Attention = Literal["eager", "sdpa", "flash_attention_2", "flash_attention_3", "flex_attention"]
"""As transformers names them."""

_DEVICE_MAP = f"{', '.join(get_args(Strategy))}; or in a file modules, each with the number of a GPU, cpu or disk"
_MAX_MEMORY = "numbers of GPUs and cpu, each with a size, as 0:20GiB+cpu:60GiB; or in a file {0: 20GiB, cpu: 60GiB}"
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT])(i?)B", re.IGNORECASE)
_POWERS = {"K": 1, "M": 2, "G": 3, "T": 4}


def _device_map(value: object) -> object:
    if isinstance(value, Mapping) and value and all(isinstance(module, str) for module in value):
        return {module: _place(place, ("cpu", "disk"), _DEVICE_MAP) for module, place in value.items()}
    if value is not None and value not in get_args(Strategy):
        raise ValueError(_DEVICE_MAP)
    return value


def _max_memory(value: object) -> object:
    if isinstance(value, str):
        # Braces as well, as the file has them.
        pairs = [pair.partition(":")[::2] for pair in value.strip("{} ").replace("+", ",").split(",")]
        value = {place.strip(): size for place, size in pairs}
    if value is None:
        return None
    if not isinstance(value, Mapping) or not value:
        raise ValueError(_MAX_MEMORY)
    return {_place(place, ("cpu",), _MAX_MEMORY): _bytes(size) for place, size in value.items()}


def _place(value: object, named: Collection[str], accepted: str) -> int | str:
    """The number of a GPU, which may be written as text or `cuda:1`, or one of the other places."""
    number = str(value).removeprefix("cuda:")
    if number.isascii() and number.isdecimal():
        return int(number)
    if value in named:
        return str(value)
    raise ValueError(accepted)


def _bytes(size: object) -> int:
    if isinstance(size, int) and not isinstance(size, bool) and size > 0:
        return size
    found = _SIZE.fullmatch(str(size).strip())
    if found is None or not float(found[1]):
        raise ValueError(_MAX_MEMORY)
    number, letter, binary = found.groups()
    return int(float(number) * (1024 if binary else 1000) ** _POWERS[letter.upper()])


DeviceMap = Annotated[
    Strategy | dict[str, int | Literal["cpu", "disk"]] | None, BeforeValidator(_device_map), Accepts(_DEVICE_MAP)
]
MaxMemory = Annotated[dict[int | Literal["cpu"], int] | None, BeforeValidator(_max_memory), Accepts(_MAX_MEMORY)]
"""Bytes by device."""
