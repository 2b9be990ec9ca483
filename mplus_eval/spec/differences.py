"""What may differ between two models as they were asked, besides their weights, by name.

`--allow NAME` accepts one that withholds a verdict. To add one, add a line here, and its
measure in `mplus_eval.audit.measures`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal


@dataclass(frozen=True)
class DifferenceInfo:
    """One thing that may differ.

    Attributes:
        name: as `--allow` takes it.
        what: it is, in a report's words.
        withholds: whether it can make a verdict by itself, which is then withheld unless it is allowed.
        above: the share of items that is accepted, of what is measured in items.
        doubtful: whether it makes a contrast doubtful where it is there; others are named and no more.
    """

    name: str
    what: str
    withholds: bool = False
    above: float = 0.0
    doubtful: bool = True


DIFFERENCES = {
    difference.name: difference
    for difference in (
        DifferenceInfo("token-ids", "other token ids for the same prompt", withholds=True),
        DifferenceInfo("decoding", "decoding settings", withholds=True),
        DifferenceInfo("new-tokens", "limit of new tokens", withholds=True),
        DifferenceInfo("cut", "prompts cut to fit one model's length only", withholds=True, above=0.01),
        DifferenceInfo("lost", "items that only one model answered", withholds=True, above=0.01),
        DifferenceInfo("choices", "choices of an item with equal token ids", withholds=True, above=0.01),
        DifferenceInfo("boundary", "a token across the boundary of prompt and choice", withholds=True, above=0.01),
        DifferenceInfo("unclosed", "reasoning that never ended", withholds=True, above=0.01),
        DifferenceInfo("dtype", "precision of the weights", withholds=True),
        DifferenceInfo("thinking", "reasoning before the answer"),
        DifferenceInfo("quantization", "quantization of the weights"),
        DifferenceInfo("template", "chat templates"),
        DifferenceInfo("prompts", "prompts"),
        DifferenceInfo("items", "items"),
        DifferenceInfo("description", "how a task's description is put into a chat template"),
        DifferenceInfo("system", "how a system's words are put", doubtful=False),
        DifferenceInfo("ends", "end tokens and stop strings", doubtful=False),
        DifferenceInfo("tokenizer", "vocabulary of the tokenizer", doubtful=False),
        DifferenceInfo("context", "longest sequence", doubtful=False),
        DifferenceInfo("backend", "backend"),
        DifferenceInfo("scoring", "tier of the scoring", doubtful=False),
    )
}
WITHHOLDING = tuple(name for name, difference in DIFFERENCES.items() if difference.withholds)
"""Names that `--allow` takes."""

if TYPE_CHECKING:
    DifferenceName = str
else:
    # For pydantic, which says the names that are accepted.
    DifferenceName = Literal[WITHHOLDING]
