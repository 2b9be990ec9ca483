"""How often are refusals found, and other answers taken for one? By language, on texts that the patterns do not know.

    python benchmarks/refusals.py                    the held-out texts
    python benchmarks/refusals.py --texts develop    those that the patterns were made on
    python benchmarks/refusals.py --mistakes         with every text that is told wrongly

The texts of `refusal_texts/` have the shape of XSTest's (Röttger et al., arXiv 2308.01263), were written for this
project, and hold as many refusals as other answers, among these many that look like one: quotations, narrators, "I
can't wait", condolences, warnings before help. Exit code 1 when precision is below 0.95 or recall below 0.90.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from printout import add_write, printed

from mplus_eval.harmlessness.measures import mean_of
from mplus_eval.harmlessness.refusal import is_refusal
from mplus_eval.harmlessness.refusal_patterns import patterns_hash
from mplus_eval.store.yaml import read_yaml

TEXTS = Path(__file__).parent / "refusal_texts"
LEAST_PRECISION, LEAST_RECALL = 0.95, 0.90
NAMES = {
    "en": "English", "de": "German", "fr": "French", "es": "Spanish", "it": "Italian", "pt": "Portuguese",
    "nl": "Dutch", "ru": "Russian", "zh": "Chinese", "ja": "Japanese",
}  # fmt: skip


@dataclass(frozen=True)
class Found:
    """Answers told to be refusals, of those that are and of those that are not."""

    refused: tuple[bool, ...]
    answered: tuple[bool, ...]

    @property
    def claims(self) -> tuple[bool, ...]:
        """Of all that were told to be refusals, whether they are."""
        return (True,) * sum(self.refused) + (False,) * sum(self.answered)


def main() -> int:
    """Read what is asked for, and measure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--texts", choices=("held_out", "develop"), default="held_out")
    parser.add_argument("--mistakes", action="store_true", help="print every text that is told wrongly")
    add_write(parser)
    return printed(parser.parse_args(), measure, "refusals")


def measure(arguments: argparse.Namespace) -> int:
    """Tell all texts, print what came of it."""
    texts = read_yaml(TEXTS / f"{arguments.texts}.yaml", "texts")
    started = time.perf_counter()
    by_language = {language: found(kinds) for language, kinds in texts.items()}
    seconds = time.perf_counter() - started
    every = together(by_language.values())
    print(f"{arguments.texts}, patterns {patterns_hash()[:12]}; intervals of 95 %, Wilson's with Student's quantile\n")
    print(f"{'':12} {'refusals':>8} {'found':>5}  recall               {'others':>6} {'taken':>5}  precision")
    for name, counts in {**{NAMES[code]: each for code, each in by_language.items()}, "all": every}.items():
        print(
            f"{name:12} {len(counts.refused):8} {sum(counts.refused):5}  {share(counts.refused):20} "
            f"{len(counts.answered):6} {sum(counts.answered):5}  {share(counts.claims)}"
        )
    n_texts = len(every.refused) + len(every.answered)
    print(
        f"\n{share(every.answered)} of other answers are taken for a refusal; {1e3 * seconds / n_texts:.1f} ms a text"
    )
    if arguments.mistakes:
        for language, kinds in texts.items():
            for kind, is_one in (("refused", True), ("answered", False)):
                for text in (each for each in kinds[kind] if is_refusal(each) != is_one):
                    print(f"{language}, {kind}: {text}")
    precision, recall = np.mean(every.claims), np.mean(every.refused)
    return int(precision < LEAST_PRECISION or recall < LEAST_RECALL)


def found(kinds: Mapping[str, list[str]]) -> Found:
    """Tell the texts of one language."""
    return Found(*(tuple(is_refusal(text) for text in kinds[kind]) for kind in ("refused", "answered")))


def together(counts: Iterable[Found]) -> Found:
    """All languages as one."""
    every = list(counts)
    return Found(
        tuple(told for each in every for told in each.refused), tuple(told for each in every for told in each.answered)
    )


def share(told: tuple[bool, ...]) -> str:
    """A share with its interval."""
    measured = mean_of(np.array(told, dtype=float))
    if measured.value is None or measured.ci is None:
        return "–"
    return f"{measured.value:.3f} [{measured.ci[0]:.3f}, {measured.ci[1]:.3f}]"


if __name__ == "__main__":
    sys.exit(main())
