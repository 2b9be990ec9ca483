"""Does a part of a run, made again elsewhere, give the numbers that are kept?

    python benchmarks/again.py RUN AGAIN

RUN and AGAIN are run directories, or folders that hold some at the same places, as `published.py --keep` leaves them.
AGAIN was made by the same commands, into another directory, of fewer items. Items, samples and dialogues of both are
held against each other: how many there are, of how many the score or the answer is the same, and by how much
log-probabilities part, in nats a choice. bfloat16 rounds otherwise in other batches, and a tie may turn.

Exit code 1 where a score or an answer differs, 2 where there is nothing to hold against each other.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from printout import add_write, printed

import mplus_eval
from mplus_eval.errors import UsageError
from mplus_eval.pipeline.run import Run
from mplus_eval.store.run_directory import RunDirectory


@dataclass(frozen=True)
class Repeated:
    """What two runs have of one model on one task, prompt set or set of dialogues."""

    name: str
    n: int
    n_equal: int
    largest: float
    """Difference of two log-probabilities of one choice; 0 where there are none."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, and keep the printout with --write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN", help="as it is kept")
    parser.add_argument("again", type=Path, metavar="AGAIN", help="a part of it, made again")
    add_write(parser)
    return printed(parser.parse_args(arguments), compare, "again")


def compare(arguments: argparse.Namespace) -> int:
    """Print a row for each model and task, and what all of them are together."""
    print(f"{'':48}{'in both':>9}{'equal':>9}  largest difference of a log-probability")
    rows = list(repeated(arguments.run, arguments.again))
    if not rows:
        raise UsageError(f"{arguments.run} and {arguments.again} have no item in common")
    for row in rows:
        print(f"{row.name:48}{row.n:>9,}{row.n_equal:>9,}  {f'{row.largest:.4f}' if row.largest else ''}".rstrip())
    n, n_equal = sum(row.n for row in rows), sum(row.n_equal for row in rows)
    print(f"{'together':48}{n:>9,}{n_equal:>9,}")
    return int(n_equal < n)


def repeated(whole: Path, again: Path) -> Iterator[Repeated]:
    """What both hold of the same, in every run directory of `again` that `whole` has as well."""
    for path in sorted(again.rglob(RunDirectory(again).comparison.name)):
        place = path.parent.relative_to(again)
        if (whole / place / path.name).is_file():
            yield from _of_runs(mplus_eval.load(whole / place), mplus_eval.load(path.parent), str(place))


def _of_runs(whole: Run, again: Run, place: str) -> Iterator[Repeated]:
    toxicity = again.comparison.toxicity
    for model in again.comparison.models:
        for task in (*again.comparison.tasks, *(toxicity.sets if toxicity else ())):
            pair = [run.outcomes(model, task) for run in (whole, again)]
            if all(len(frame) for frame in pair):
                both = pair[0].merge(pair[1], on=["stratum", "item_id", "sample"], suffixes=("", "_again"))
                yield _row(f"{place} {model} {task}", both, "score")
    pair = [run.dialogues for run in (whole, again)]
    if all(len(frame) for frame in pair):
        both = pair[0].merge(pair[1], on=["model", "dialogue", "turn"], suffixes=("", "_again"))
        for model, rows in both.groupby("model"):
            yield _row(f"{place} {model} dialogues", rows, "answer")


def _row(name: str, both: pd.DataFrame, column: str) -> Repeated:
    is_equal = (both[column] == both[f"{column}_again"]) | (both[column].isna() & both[f"{column}_again"].isna())
    largest = 0.0
    if "log_probabilities" in both:
        known = both[both["log_probabilities"].notna()]
        for one, other in zip(known["log_probabilities"], known["log_probabilities_again"], strict=True):
            largest = max(largest, float(np.abs(np.asarray(one, float) - np.asarray(other, float)).max()))
    return Repeated(name.removeprefix(". "), len(both), int(is_equal.sum()), largest)


if __name__ == "__main__":
    sys.exit(main())
