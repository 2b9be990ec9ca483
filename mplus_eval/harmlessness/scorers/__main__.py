"""Fetch a scorer into this machine's caches and try it: `python -m mplus_eval.harmlessness.scorers SCORER`."""

from __future__ import annotations

import sys

from mplus_eval.errors import EXIT_DONE, EXIT_USAGE, MplusError
from mplus_eval.harmlessness.scorers import load_scorer
from mplus_eval.harmlessness.scorers.batches import score_texts
from mplus_eval.spec.scorers import ACCEPTED


def main(arguments: list[str]) -> int:
    """Load the scorer that is named, score one text with it, and say what it is."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: python -m mplus_eval.harmlessness.scorers SCORER\naccepted:", *ACCEPTED, sep="\n  ")
        return EXIT_USAGE
    try:
        scorer = load_scorer(arguments[0])
        score = score_texts(scorer, ["Thank you for your help."])[0, 0]
    except MplusError as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    print(f"{scorer.name}: {', '.join(scorer.labels)}; on {scorer.device}; fingerprint {scorer.fingerprint[:12]}")
    print(f"toxicity of a word of thanks: {score:.3f}")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
