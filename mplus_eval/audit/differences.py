"""The audit of a contrast: what differs between two models as they were asked, besides their weights.

What can make a verdict by itself withholds it, unless it was allowed by name. docs/fairness.md says why each difference
is there, and which public reports taught it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from mplus_eval.audit.items import AskedItems
from mplus_eval.audit.measures import MEASURES, Found
from mplus_eval.audit.pair import AskedModel, AskedPair
from mplus_eval.records.asking import AskedDifference
from mplus_eval.records.comparison import ModelEntry
from mplus_eval.records.contrast import Contrast
from mplus_eval.records.verdict import Verdict
from mplus_eval.spec.differences import DIFFERENCES

ContrastT = TypeVar("ContrastT", bound=Contrast)


@dataclass(frozen=True)
class Auditor:
    """The models of a run, and the differences that shall not withhold a verdict, by name."""

    models: Mapping[str, ModelEntry]
    allowed: Collection[str] = ()

    def find(
        self,
        names: tuple[str, str],
        items: tuple[AskedItems, AskedItems],
        *,
        generates: bool,
        chats: bool = False,
        describes: bool = False,
    ) -> tuple[AskedDifference, ...]:
        """What differs between a model and the one that it is held against, on one task.

        Args:
            names: of the model and the other.
            items: of both, as they were put.
            generates: whether texts are generated.
            chats: whether each model is talked to in a format of its own.
            describes: whether a description in a chat template goes before the prompts.
        """
        model, against = (AskedModel(name, self.models[name], asked) for name, asked in zip(names, items, strict=True))
        pair = AskedPair(model, against, generates=generates, chats=chats, describes=describes)
        measured = {name: difference for name, measure in MEASURES.items() if (difference := measure(pair))}
        return tuple(self._told(name, difference) for name, difference in measured.items())

    def _told(self, name: str, found: Found) -> AskedDifference:
        info = DIFFERENCES[name]
        withholds = info.withholds and (found.share is None or found.share > info.above)
        return AskedDifference(
            name=name,
            says=found.says,
            share=found.share,
            withholds=withholds and name not in self.allowed,
            allowed=withholds and name in self.allowed,
        )


def withheld_for(found: Iterable[AskedDifference]) -> tuple[str, ...]:
    """Why a verdict is withheld, each with the way to have it all the same; empty where it is not."""
    return tuple(f"{each.says} (--allow {each.name} accepts that)" for each in found if each.withholds)


def audited(contrast: ContrastT, found: Sequence[AskedDifference]) -> ContrastT:
    """A contrast with what differs; its verdict is withheld where that says so, and its numbers stay."""
    withheld = withheld_for(found)
    flags = tuple(each.says for each in found if not each.withholds and DIFFERENCES[each.name].doubtful)
    fields = {
        "differences": tuple(found),
        "flags": (*contrast.flags, *flags),
        "reasons": (*contrast.reasons, *withheld),
        "verdict": Verdict.NOT_COMPARABLE if withheld else contrast.verdict,
    }
    return contrast.model_copy(update=fields)
