"""How much sooner are texts scored than by Detoxify in a plain loop, and with what difference?

    python benchmarks/toxicity_scoring.py               a random checkpoint of 5.7 M parameters: a minute or two, busy
    python benchmarks/toxicity_scoring.py --quick       fewer prompts, under a minute
    python benchmarks/toxicity_scoring.py --model FILE  a checkpoint in Detoxify's format, its base model beside it
    python benchmarks/toxicity_scoring.py --json FILE   the numbers as JSON lines too

Both sides score 25 continuations of each prompt with the same weights in one process, in turn: Detoxify's `predict`
once for each prompt, and `score_texts` for all. Continuations are of invented words; their lengths are as spread as
those of RealToxicityPrompts' own continuations (6 to 19 words in nine of ten, 11 in the middle). Lines:

- ratio: Detoxify's time over ours, the median over turns; tokenisation included, loading not; processor time, on a GPU
  wall time
- distinct: no text comes up twice, so all of the ratio is from less padding and better batches
- with duplicates: so much of the texts is among one prompt's commonest answers; the second number is the ratio over
  that of the distinct texts, which is what scoring each text once adds
- |Δ|: the largest difference of a score

Exit code 1 when the goal is missed.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from measuring import clock, parser
from numpy.typing import NDArray
from printout import printed
from request_sets import WORDS
from transformers.utils.logging import disable_progress_bar

from mplus_eval.harmlessness.scorers import load_scorer
from mplus_eval.harmlessness.scorers.base import Scorer
from mplus_eval.harmlessness.scorers.batches import score_texts
from mplus_eval.log_setup import silence_libraries

GOAL = 1.2
LARGEST_DIFFERENCE = 1e-4
CONTINUATIONS, DUPLICATES = 25, 0.3
PROMPTS, QUICK_PROMPTS = 24, 8
TURNS, QUICK_TURNS = 3, 2
CLASSES = ("toxicity", "severe_toxicity", "obscene", "identity_attack", "insult", "threat", "sexual_explicit")
Prompts = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Row:
    """One set of continuations."""

    set: str
    texts: int
    distinct: int
    ratio: float
    seconds: float
    reference_seconds: float
    difference: float


def main() -> int:
    """Read what is asked for, and measure."""
    quick = f"{QUICK_PROMPTS} prompts, {QUICK_TURNS} turns"
    return printed(parser(__doc__.partition("\n")[0], quick).parse_args(), measure, "toxicity_scoring")


def measure(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    silence_libraries()
    disable_progress_bar()
    torch.set_num_threads(arguments.threads)
    n_prompts, turns = (QUICK_PROMPTS, QUICK_TURNS) if arguments.quick else (PROMPTS, TURNS)
    with TemporaryDirectory() as directory:
        checkpoint = arguments.model or random_checkpoint(Path(directory), arguments.seed)
        ours = load_scorer(f"detoxify:{checkpoint}", arguments.device)
        theirs = plain_detoxify(checkpoint, arguments.device)
        print(f"{theirs.model.num_parameters() / 1e6:.1f} M parameters, {theirs.model.device}")
        rows = [
            measured(name, continuations(random.Random(arguments.seed), n_prompts, share), ours, theirs, turns)
            for name, share in (("distinct", 0.0), ("with duplicates", DUPLICATES))
        ]
    distinct, duplicated = rows
    print(f"{'':17}{'ratio':>6}{'goal':>7}{'s':>7}{'Detoxify s':>12}{'texts':>7}{'distinct':>10}{'|Δ|':>10}")
    print(line(distinct, f"{GOAL:.1f}"))
    print(line(duplicated, "–"), f" {duplicated.ratio / distinct.ratio:.2f}× by duplicates")
    if arguments.json:
        arguments.json.write_text("".join(json.dumps(asdict(row)) + "\n" for row in rows), encoding="utf-8")
    return int(distinct.ratio < GOAL or max(row.difference for row in rows) > LARGEST_DIFFERENCE)


def random_checkpoint(directory: Path, seed: int) -> Path:
    """Write a BERT with random weights in Detoxify's format, and its base model beside it."""
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

    (directory / "vocab.txt").write_text("\n".join(word_pieces(seed)), encoding="utf-8")
    tokenizer = BertTokenizer.from_pretrained(directory)
    tokenizer.save_pretrained(directory)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=256, num_hidden_layers=6, num_attention_heads=4, intermediate_size=1024,
        initializer_range=0.1,
    )  # fmt: skip
    config.num_labels = len(CLASSES)
    config.save_pretrained(directory)
    torch.manual_seed(seed)
    arch = {
        "model_type": str(directory), "model_name": "BertForSequenceClassification", "tokenizer_name": "BertTokenizer",
        "num_classes": len(CLASSES),
    }  # fmt: skip
    saved = {
        "config": {"arch": {"args": arch}, "dataset": {"args": {"classes": list(CLASSES)}}},
        "state_dict": BertForSequenceClassification(config).state_dict(),
    }
    torch.save(saved, directory / "random.ckpt")
    return directory / "random.ckpt"


def word_pieces(seed: int) -> list[str]:
    """A vocabulary in which frequent words are one piece and rare ones are two or three syllables."""
    frequent = dict.fromkeys(" ".join(WORDS.texts(random.Random(seed), 20)).split())
    common = [word for word in frequent if len(word) <= 5]
    syllables = [a + b + c for a in "bcdfghklmnprstvw" for b in "aeiou" for c in ("", "l", "n", "r", "s")]
    letters = "abcdefghijklmnopqrstuvwxyz"
    inner = [f"##{piece}" for piece in (*syllables, *letters)]
    return list(dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *syllables, *common, *inner]))


def plain_detoxify(checkpoint: Path, device: str) -> Any:
    """Detoxify as it is used, told how long its model's texts may be."""
    from detoxify import Detoxify

    found = Detoxify(checkpoint=str(checkpoint), device=device)
    found.tokenizer.model_max_length = 512
    return found


def continuations(rng: random.Random, n_prompts: int, duplicates: float) -> list[list[str]]:
    """For each prompt 25 texts; a share of them is drawn from four that the prompt is often answered with."""
    found = []
    for _ in range(n_prompts):
        common = [_continuation(rng) for _ in range(4)]
        found.append(
            [rng.choice(common) if rng.random() < duplicates else _continuation(rng) for _ in range(CONTINUATIONS)]
        )
    return found


def _continuation(rng: random.Random) -> str:
    return WORDS.span(rng, min(20, max(1, round(rng.gauss(11.7, 3.9)))))


def measured(name: str, prompts: Prompts, ours: Scorer, theirs: Any, turns: int) -> Row:
    """Time both sides in turn."""
    texts = [text for prompt in prompts for text in prompt]
    device = torch.device(ours.device)
    score_texts(ours, texts[:CONTINUATIONS])
    theirs.predict(texts[:CONTINUATIONS])
    times, references = [], []
    for _ in range(turns):
        reference, seconds = timed(lambda: plain_loop(theirs, prompts), device)
        references.append(seconds)
        scores, seconds = timed(lambda: score_texts(ours, texts), device)
        times.append(seconds)
    ratios = [reference / own for reference, own in zip(references, times, strict=True)]
    columns = [theirs.class_names.index(label) for label in ours.labels]
    difference = float(np.abs(scores - reference_scores(reference)[:, columns]).max())
    return Row(name, len(texts), len(set(texts)), median(ratios), median(times), median(references), difference)


def plain_loop(detoxify: Any, prompts: Prompts) -> list[dict[str, list[float]]]:
    """Every prompt's continuations as one batch."""
    return [detoxify.predict(list(prompt)) for prompt in prompts]


def reference_scores(predicted: Sequence[dict[str, list[float]]]) -> NDArray[np.float64]:
    """Detoxify's scores [texts, labels]."""
    return np.concatenate([np.array(list(one.values())).T for one in predicted])


def timed(work: Callable[[], Any], device: torch.device) -> tuple[Any, float]:
    """What is made, and seconds."""
    started = clock(device)
    made = work()
    return made, clock(device) - started


def line(row: Row, goal: str) -> str:
    """A row as printed."""
    return (
        f"{row.set:17}{row.ratio:5.2f}×{goal:>7}{row.seconds:7.2f}{row.reference_seconds:12.2f}"
        f"{row.texts:7,}{row.distinct:10,}{row.difference:10.1e}"
    )


if __name__ == "__main__":
    sys.exit(main())
