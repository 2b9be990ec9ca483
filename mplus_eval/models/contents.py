"""What stands in the way inside a model's files, found without its weights: one line for each, before anything runs.

The tokenizer is loaded once, its chat template rendered once where talk is put into it, and no token that will be asked
may lie beyond the rows of the embedding, which would end in an index error in the middle of a run.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from mplus_eval.models.adapter_rows import (
    Tables,
    is_of_whole_class,
    rows_with_adapter,
    saved_rows,
    tables_of,
    unsaved_rows,
)
from mplus_eval.models.auto_class import auto_class
from mplus_eval.models.chat_format import chat_format, mistaken_end
from mplus_eval.models.locations import ModelLocation
from mplus_eval.models.placement import configured_faults
from mplus_eval.models.templates import template_faults
from mplus_eval.models.tokenizer_check import TokenizerError, refuse_broken
from mplus_eval.spec.model import ModelSpec

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

_NAMED = 3
_TALK = [{"role": role, "content": "words"} for role in ("user", "assistant", "user")]


def content_faults(model: ModelSpec, location: ModelLocation, *, talks: bool) -> list[str]:
    """Return what is wrong inside the files of a model that was found.

    Args:
        model: as it was asked for.
        location: where it lies.
        talks: whether talk is put to it.
    """
    from transformers import AutoTokenizer

    directory, where = location.tokenizer or location.path, f"model {model.name!r}"
    if directory is None:
        return []
    try:
        tokenizer = AutoTokenizer.from_pretrained(directory, trust_remote_code=model.trust_remote_code)
        refuse_broken(tokenizer)
    except TokenizerError as error:
        return [f"{where}: {error}"]
    except Exception as error:  # noqa: BLE001 - tokenizers raises bare exceptions, also at first use; its words are kept
        why = " ".join(str(error).split())[:150]
        return [f"{where}: the tokenizer in {directory} cannot be loaded ({why}); name a whole one with tokenizer=DIR"]
    template = _template(model, tokenizer) if talks or model.chat_template else None
    if template is not None:
        told = {} if model.enable_thinking is None else {"enable_thinking": model.enable_thinking}
        if faults := template_faults(template, tokenizer.special_tokens_map, where, told):
            return faults
        tokenizer.chat_template = template
        if mistake := mistaken_end(tokenizer):
            return [f"{where}: {TokenizerError(mistake)}"]
    if location.path is None:
        return []
    return _configured_faults(model, location, tokenizer, where, templated=template is not None)


def _template(model: ModelSpec, tokenizer: PreTrainedTokenizerBase) -> str | None:
    """The template that its talk is put into, or None."""
    if isinstance(model.chat_template, str):
        return Path(model.chat_template).read_text(encoding="utf-8")
    own = tokenizer.chat_template
    return own.get("default") if isinstance(own, dict) else own


def _configured_faults(
    model: ModelSpec, location: ModelLocation, tokenizer: PreTrainedTokenizerBase, where: str, *, templated: bool
) -> list[str]:
    """Hold its keys against the configuration, and the ids of tokens against the rows of base and adapter."""
    from transformers import AutoConfig

    assert location.path is not None
    config = AutoConfig.from_pretrained(location.path, trust_remote_code=model.trust_remote_code)
    if faults := configured_faults(model, config, where):
        return faults
    rows = getattr(config.get_text_config(), "vocab_size", None)
    if not isinstance(rows, int):
        return []
    base, adapter = location.file or location.path, location.adapter
    if adapter is not None:
        tables = _tables(config, adapter, foreign_code=model.trust_remote_code)
        saved = saved_rows(adapter, tables)
        whole = rows_with_adapter(tables, saved)
        unsaved = [*unsaved_rows(tables, saved)]
        if location.tokenizer == adapter:
            unsaved += [number for number in tokenizer.get_vocab().values() if number >= whole]
        if unsaved:
            return [
                f"{where}: {_named(tokenizer, set(unsaved))} of the adapter {adapter} lie beyond the {rows} rows of "
                f"{base}, and it has not saved their rows: save it with save_embedding_layers=True, or go "
                f"without these tokens, with tokenizer={base}"
            ]
        rows = whole
    asked = {number for number in (tokenizer.bos_token_id, tokenizer.eos_token_id) if number is not None}
    beyond = {number for number in asked if number >= rows}
    if templated:
        text = chat_format(tokenizer).render(_TALK)
        beyond |= {number for number in tokenizer(text, add_special_tokens=False)["input_ids"] if number >= rows}
    if not beyond:
        return []
    source, way_out = (
        (" of its chat template", ", or another template with chat_template=FILE") if templated else ("", "")
    )
    lie = "lies" if len(beyond) == 1 else "lie"
    return [
        f"{where}: {_named(tokenizer, beyond)}{source} {lie} beyond the {rows} rows of {base}: the tokenizer is "
        f"another model's, or its new rows were not saved; name the right one with tokenizer=DIR{way_out}"
    ]


def _tables(config: PretrainedConfig, adapter: Path, *, foreign_code: bool) -> Tables:
    """The tables of an adapter's base, of a model that is built from its configuration without any weights."""
    import torch

    auto = auto_class(config, whole=is_of_whole_class(adapter))
    with torch.device("meta"):
        return tables_of(auto.from_config(config, trust_remote_code=foreign_code))


def _named(tokenizer: PreTrainedTokenizerBase, ids: Collection[int]) -> str:
    """Tokens by name and id, the first few."""
    first = [f"{tokenizer.convert_ids_to_tokens(number)!r} (id {number})" for number in sorted(ids)[:_NAMED]]
    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    return f"the token{'s' if len(ids) > 1 else ''} {', '.join(first)}{more}"
