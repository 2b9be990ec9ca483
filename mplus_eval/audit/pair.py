"""Two models on one task as they were asked, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from mplus_eval.audit.items import AskedItems
from mplus_eval.records.asking import Asking
from mplus_eval.records.comparison import ModelEntry


@dataclass(frozen=True, eq=False)
class AskedModel:
    """One model on one task, as it was asked."""

    name: str
    entry: ModelEntry
    items: AskedItems

    @property
    def asking(self) -> Asking:
        """How it was asked; of a backend that does not tell, as if nothing were special."""
        return self.entry.asking or Asking()


@dataclass(frozen=True, eq=False)
class AskedPair:
    """A model and the one that it is held against, on one task.

    Attributes:
        generates: whether texts are generated, so that decoding matters.
        chats: whether each model is talked to in a format of its own, which is then part of what is compared.
        describes: whether a task's description goes before its prompts, which in a chat template is the system's.
    """

    model: AskedModel
    against: AskedModel
    generates: bool
    chats: bool
    describes: bool = False

    @cached_property
    def both(self) -> pd.DataFrame:
        """The items of either."""
        return self.model.items.beside(self.against.items)

    @cached_property
    def asked(self) -> pd.Series[bool]:
        """Which items both were asked."""
        return self.both["prompt_hash"].notna() & self.both["prompt_hash_other"].notna()

    def share(self, holds: pd.Series[bool]) -> float:
        """The share of the items that both were asked of which something holds; 0 where there is no item."""
        return float((holds & self.asked).sum() / self.asked.sum()) if self.asked.any() else 0.0

    def differ(self, column: str) -> pd.Series[bool]:
        """Which items have another value there, where both are known."""
        own, other = self.both[column], self.both[f"{column}_other"]
        return own.notna() & other.notna() & (own != other)

    @property
    def known(self) -> tuple[Asking, Asking] | None:
        """How both were asked, where both tell."""
        pair = self.model.entry.asking, self.against.entry.asking
        return (pair[0], pair[1]) if pair[0] is not None and pair[1] is not None else None
