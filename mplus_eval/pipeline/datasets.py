"""The hub datasets that a suite reads besides those of its tasks."""

from __future__ import annotations

from pathlib import Path

from mplus_eval.data.hub import is_hub_id
from mplus_eval.data.mirror import WantedDataset
from mplus_eval.spec.suite import Suite


def prompt_datasets(suite: Suite) -> list[WantedDataset]:
    """List the hub datasets that a suite's prompt sets and dialogues are read from."""
    from mplus_eval.conversation.items import SHIPPED_NAMES

    sources: list[tuple[str, str]] = []
    if suite.harmlessness:
        sources += [(one.source, one.subset or "") for one in suite.harmlessness.sources]
    if suite.conversation:
        dialogues = suite.conversation.dialogues
        sources.append((SHIPPED_NAMES.get(dialogues, dialogues), ""))
    found: dict[str, list[str]] = {}
    for source, subset in sources:
        if is_hub_id(source) and not Path(source).exists():
            found.setdefault(source, []).append(subset)
    return [WantedDataset(identifier, tuple(dict.fromkeys(names))) for identifier, names in found.items()]
