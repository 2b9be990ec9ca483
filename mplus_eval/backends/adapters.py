"""An adapter put on its base: over the rows that both have, and wholly, or not at all."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from mplus_eval.models.adapter_rows import rows_with_adapter, saved_rows, tables_of

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel


class IncompleteAdapterError(ValueError):
    """The adapter's file lacks tensors that its configuration promises; peft would leave them at random numbers."""


class OffloadedBaseError(ValueError):
    """Parts of the base lie in main memory or on the disk until they are needed, where peft cannot reach them."""


def with_adapter(model: PreTrainedModel, adapter: Path) -> PeftModel:
    """Put an adapter on a model.

    The embedding is resized only where the adapter has saved another number of rows: a padded one stays as it is, since
    every row has its share of the probability.

    Raises:
        IncompleteAdapterError: when a part of the adapter finds no place in the model.
        OffloadedBaseError: when parts of the model are fetched as they are needed.
    """
    from peft import PeftModel

    if any(parameter.device.type == "meta" for parameter in model.parameters()):
        raise OffloadedBaseError(
            "an adapter goes on a base whose parts all lie on GPUs, or all in main memory; merge it into the base first"
        )

    tables = tables_of(model)
    rows = rows_with_adapter(tables, saved_rows(adapter, tables))
    if rows != tables.rows:
        # What is added is overwritten by the adapter's rows.
        model.resize_token_embeddings(rows, mean_resizing=False)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        adapted = PeftModel.from_pretrained(model, str(adapter))
    for warning in said:
        if "missing adapter keys" in str(warning.message):
            raise IncompleteAdapterError(
                f"{adapter} does not fit its base: tensors that its adapter_config.json promises are not in its file "
                "under these names; it was trained on another class or with other target modules"
            )
    # Frozen weights torch copies once for every row where the last of several states is multiplied with them on a
    # processor, as transformers' `generate` does: of a vocabulary of 262,144, gigabytes for each token.
    head = getattr(adapted.get_output_embeddings(), "weight", None)
    if head is not None and head.is_floating_point():
        head.requires_grad_(True)
    # HFLM ties what it has loaded once more, which peft's own tables do not survive.
    vars(adapted)["tie_weights"] = lambda: None
    return adapted
