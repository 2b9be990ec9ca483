"""How much disk do 25 samples of 10,000 prompts take, beside their texts alone?

    python benchmarks/disk.py            10,000 prompts, some minutes
    python benchmarks/disk.py --quick    400 prompts

Answers and outcomes are written as a run writes them, in parts of 40 prompts: hashes, token counts and the scores of a
classifier with one label beside every text. The texts alone are the prompts and what was said to them, a prompt once,
in one file by zstd at its default level. Words are invented, as frequent as those of English (Zipf), so that no text is
like another. Exit code 1 when what is stored takes more than 1.2 times the texts of 128 words.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
from printout import add_write, printed
from request_sets import WORDS

from mplus_eval.pipeline.score import score_part
from mplus_eval.store.hashes import hash_text
from mplus_eval.store.outcomes import Answer, Outcome
from mplus_eval.store.parts import PartInfo, part_path, write_part

N_PROMPTS, N_SAMPLES, PER_PART = 10_000, 25, 40
LENGTHS = (16, 64, 128)
"""Words of an answer; those of RealToxicityPrompts' protocol have about 16."""
GOAL, GOAL_WORDS = 1.2, 128


def main() -> int:
    """Read what is asked for, and measure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer prompts")
    add_write(parser)
    return printed(parser.parse_args(), measure, "disk")


def measure(arguments: argparse.Namespace) -> int:
    """Write, and compare."""
    n_prompts, share = 400 if arguments.quick else N_PROMPTS, 0.0
    print(f"{n_prompts:,} prompts x {N_SAMPLES} samples")
    print(f"{'words':>6}{'texts, MB':>12}{'answers, MB':>13}{'outcomes, MB':>14}{'together / texts':>18}")
    for length in LENGTHS:
        with tempfile.TemporaryDirectory() as folder:
            texts = write(Path(folder), n_prompts, length)
            sizes = [sum(path.stat().st_size for path in Path(folder, name).rglob("*")) for name in stored_in(folder)]
        share = sum(sizes) / texts
        answers, outcomes = (size / 1e6 for size in sizes)
        print(f"{length:6}{texts / 1e6:12.2f}{answers:13.2f}{outcomes:14.2f}{share:18.2f}")
    print(f"goal {GOAL} at {GOAL_WORDS} words: {'met' if share <= GOAL else 'missed'}")
    return int(share > GOAL)


def stored_in(folder: str) -> tuple[str, str]:
    """The folders of a run that hold the cell, answers first."""
    assert sorted(path.name for path in Path(folder).iterdir()) == ["answers", "outcomes"]
    return "answers", "outcomes"


def write(run: Path, n_prompts: int, length: int) -> int:
    """Store the cell; the bytes of its texts alone, compressed."""
    sink, n_parts = pa.BufferOutputStream(), -(-n_prompts // PER_PART)
    with pa.CompressedOutputStream(sink, "zstd") as texts:
        for index in range(n_parts):
            answers = list(answers_of(range(index * PER_PART, min((index + 1) * PER_PART, n_prompts)), length))
            for answer in answers:
                said = "" if answer.text is None else answer.text
                texts.write((said if answer.sample else answer.prompt + said).encode())
            place = part_path(run / "answers" / "model" / "set", index)
            write_part(place, Answer, answers, PartInfo("f", {}, index, n_parts))
            score_part(place, run / "outcomes" / "model" / "set", {"scorer": "one"}, scored)
    return int(sink.getvalue().size)


def answers_of(numbers: range, length: int) -> Iterator[Answer]:
    """The samples of some prompts."""
    for number in numbers:
        draw = Random(number)
        prompt = WORDS.span(draw, 14)
        for sample in range(N_SAMPLES):
            n_words = draw.randint(length // 2, length + length // 2)
            yield Answer(
                item_id=f"provoking/{number}",
                stratum="provoking",
                sample=sample,
                prompt_hash=hash_text(prompt),
                prompt=prompt,
                asked=prompt,
                generations=[f" {WORDS.span(draw, n_words)}"],
                n_truncated=0,
                n_tokens=n_words + n_words // 3,
                ended=draw.random() < 0.5,
                n_prompt_tokens=20,
                token_hash=hash_text(f"{prompt} ids")[:16],
                ran_on=False,
            )


def scored(answers: list[Answer]) -> list[Outcome]:
    """With a score that single precision holds, as classifiers give it."""
    scores = (float(np.float32(Random(f"{each.item_id} {each.sample}").random())) for each in answers)
    return [
        Outcome.of(each, score=score, metrics={"one:toxicity": score})
        for each, score in zip(answers, scores, strict=True)
    ]


if __name__ == "__main__":
    sys.exit(main())
