"""The rows of a model's embedding and head, with an adapter on it: how many there are, and who holds them.

A vocabulary is often padded, so that there are more rows than tokens. An adapter may bring tokens of its own, and has
saved their rows (whole tables, or rows by their indices) or has not. Shapes are read from the headers of files.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

_ADAPTER_FILES = ("adapter_model.safetensors", "adapter_model.bin")
_TEXT_PART = ".language_model."
_WRAPPED = (".base_layer", ".original_module", ".modules_to_save", ".default")


@dataclass(frozen=True)
class Tables:
    """Where a model keeps the rows of its tokens.

    Attributes:
        inputs: the name of the embedding's module.
        outputs: that of the head's; the same where they are one table.
        rows: how many tokens it has room for.
    """

    inputs: str
    outputs: str
    rows: int


@dataclass(frozen=True)
class SavedRows:
    """The rows that an adapter has saved.

    Attributes:
        tables: by a module's name, how many rows its saved table has.
        trained: by a module's name, the ids whose rows are saved by themselves.
    """

    tables: Mapping[str, int]
    trained: Mapping[str, Collection[int]]


def tables_of(model: PreTrainedModel) -> Tables:
    """The tables of a model of transformers, which may be an empty one on the device `meta`."""
    inputs, outputs = cast("torch.nn.Embedding", model.get_input_embeddings()), model.get_output_embeddings()
    names = {id(module): name for name, module in model.named_modules()}
    own = outputs is not None and not model.config.get_text_config().tie_word_embeddings
    name = names[id(inputs)]
    return Tables(name, names[id(outputs)] if own else name, inputs.num_embeddings)


def saved_rows(adapter: Path, tables: Tables) -> SavedRows:
    """What an adapter has saved of a model's tables.

    Args:
        adapter: its directory.
        tables: those of its base.
    """
    settings = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    ours = dict.fromkeys((tables.inputs, tables.outputs))
    whole = {}
    for key, shape in shapes_of(adapter).items():
        name = key.removeprefix("base_model.model.").removesuffix(".weight")
        for wrapped in _WRAPPED:
            name = name.removesuffix(wrapped)
        if name in ours and key.endswith(".weight"):
            whole[name] = shape[0]
    indices = settings.get("trainable_token_indices") or settings.get("token_indices") or {}
    by_layer = indices if isinstance(indices, dict) else {tables.inputs: indices}
    trained = {ours_: ids for ours_ in ours for layer, ids in by_layer.items() if f".{ours_}".endswith(f".{layer}")}
    return SavedRows(whole, trained)


def rows_with_adapter(tables: Tables, saved: SavedRows) -> int:
    """How many rows there are with an adapter: those of its saved tables, else the base's and those trained beyond."""
    if saved.tables:
        return max(saved.tables.values())
    return max([tables.rows, *(max(ids) + 1 for ids in saved.trained.values() if ids)])


def unsaved_rows(tables: Tables, saved: SavedRows) -> list[int]:
    """Ids that the model would have with an adapter, and whose rows neither the base nor the adapter holds."""
    added = range(tables.rows, rows_with_adapter(tables, saved))
    names = dict.fromkeys((tables.inputs, tables.outputs))
    return [
        number
        for number in added
        if any(number >= saved.tables.get(name, 0) and number not in saved.trained.get(name, ()) for name in names)
    ]


def shapes_of(adapter: Path) -> dict[str, tuple[int, ...]]:
    """The shapes of an adapter's tensors, read from the header of its file where that has one."""
    from safetensors import safe_open

    path = next(adapter / name for name in _ADAPTER_FILES if (adapter / name).is_file())
    if path.suffix == ".safetensors":
        with safe_open(path, framework="numpy") as tensors:
            return {key: tuple(tensors.get_slice(key).get_shape()) for key in tensors.keys()}  # noqa: SIM118
    import torch

    stored: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return {key: tuple(tensor.shape) for key, tensor in stored.items()}


def is_of_whole_class(adapter: Path) -> bool:
    """Tell whether an adapter was trained on a class that also sees, in which the text's layers lie one step deeper."""
    return any(_TEXT_PART in key for key in shapes_of(adapter))
