"""The tools whose stored results are read, by the name that `--from` takes.

To add one, add a line here, and a module in `mplus_eval.importers` with a function `read`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal


@dataclass(frozen=True)
class ResultsKind:
    """One tool's way to store what a model said, item by item.

    Attributes:
        name: as `--from` and the key `results` take it.
        module: of `mplus_eval.importers`; imported when results of this kind are named.
        files: what a folder of them holds.
        how: how the tool is made to store them, for who has scores alone.
    """

    name: str
    module: str
    files: str
    how: str


KINDS = {
    kind.name: kind
    for kind in (
        ResultsKind(
            "lm-eval", "lm_eval", "results_*.json and samples_*.jsonl", "run lm_eval with --log_samples --output_path"
        ),
        ResultsKind("inspect", "inspect", "logs of Inspect, *.eval or *.json", "run inspect eval with --log-samples"),
        ResultsKind(
            "nemo",
            "nemo",
            "eval-*.json with results.jsonl, or results.yml with lm-eval's samples",
            "keep results.jsonl beside the bundle; of lm-eval's tasks set log_samples",
        ),
        ResultsKind(
            "eee",
            "eee",
            "*.json of every_eval_ever with *_samples.jsonl",
            "convert the samples too (--include-instances)",
        ),
        ResultsKind("jsonl", "jsonl", "*.jsonl with a line an item", "write a line for every item"),
    )
}
RUN = "none"
"""What the key `results` says of a model that is run here, where `--from` says otherwise of the others."""

if TYPE_CHECKING:
    ResultsName = str
    ResultsKey = str
else:
    # For pydantic, which says the names that are accepted.
    ResultsName = Literal[tuple(KINDS)]
    ResultsKey = Literal[(*KINDS, RUN)]
