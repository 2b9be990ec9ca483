"""How much sooner are texts generated than by lm-eval's HFLM, and are they the same?

    python benchmarks/generation.py                    random models of 25 M and 22 M parameters, float32: 9 minutes
    python benchmarks/generation.py --quick            fewer and shorter answers, under a minute
    python benchmarks/generation.py --model DIRECTORY  any checkpoint, with its tokenizer
    python benchmarks/generation.py --json FILE        the numbers as JSON lines too

Both sides answer the same requests in one process, in turn: HFLM at every batch size, and before each of them ours.
How long an answer is to be is given beforehand, as if a stop string came there: HFLM runs a batch up to the longest
answer in it, ours runs each answer to its own length. Stop strings are looked for on both sides, and never come.

- GSM8K 8-shot: greedy, the same eight shots before every question
- 25 samples: of each prompt, 20 tokens at temperature 1 and top-p 0.9; prompts of 20 to 60 tokens, or of about 500 with
  four examples before them, which all prompts share or which are each prompt's own. HFLM gets all samples in one call,
  which spares it the encodings and the small last batches of 25 calls. Texts are not compared, since the two sides draw
  from different random numbers. "flat" are a random model's own logits, where thousands of tokens lie within top-p 0.9;
  for the other lines they are spread so that the next token is about as certain as a trained model's. Flat, HFLM is
  run at the batch size only that was its best on the line above.
- the last lines: the same of a model that is wider, with a vocabulary of half the size

Columns:
- ratio: HFLM's processor time at its best batch size over ours (the median of ours), tokenisation included; on a GPU,
  wall time
- prompt tokens: of the requests, and what is left of them with every distinct prefix computed once
- differ: answers that differ from HFLM's at batch size 1, where nothing is padded, and after a plus those among them
  where its two best logits at the first difference lie within 1e-4
- memory: the most that either side held above what was held before it, in MiB; HFLM at batch size 8

Exit code 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from measuring import BATCH_SIZES, TIE, Memory, clock, load, parser
from printout import printed
from request_sets import SPREAD, continuations, distinct_tokens, few_shot_continuations, gsm8k

from mplus_eval.backends.fast_hflm import FastHFLM
from mplus_eval.log_setup import silence_libraries

QUICK, QUICK_QUESTIONS, QUICK_SAMPLES = 8, 4, 10
"""How many times shorter the answers are with --quick, how many questions are asked, and samples drawn."""
GOAL, GOAL_SHORT, GOAL_LONG = 4.0, 3.0, 8.0
SAMPLES, SAMPLED_TOKENS = 25, 20
SAMPLING = {"do_sample": True, "temperature": 1.0, "top_p": 0.9, "top_k": 0}
"""transformers draws from the 50 likeliest tokens where no top-k is given."""
OTHER_SIZE = "22M"
NEVER = "\n@never@\n"


@dataclass(frozen=True)
class Row:
    """One request set."""

    set: str
    requests: int
    new_tokens: int
    ratio: float
    goal: float | None
    seconds: float
    reference_seconds: dict[int, float]
    tokens_before: int
    tokens_after: int
    differ: int | None
    """Answers that differ with no tie to excuse it; None where texts are not compared, as of sampled ones."""
    ties: int | None
    memory: float
    reference_memory: float | None
    """At batch size 8, where that was run."""

    @property
    def best_size(self) -> int:
        """HFLM's best batch size."""
        return min(self.reference_seconds, key=lambda size: self.reference_seconds[size])

    @property
    def met(self) -> bool:
        """Whether speed and exactness are what they are to be."""
        return (self.goal is None or self.ratio >= self.goal) and not self.differ


class _Spelled:
    """A tokenizer whose texts are token ids: a random model says much that its tokenizer has no text for."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)

    def decode(self, tokens: Any, **_: Any) -> str:
        # The end token alone is looked for as a stop string.
        return NEVER if list(tokens) == [self._tokenizer.eos_token_id] else " ".join(map(str, tokens))


class Ours(FastHFLM):
    """Runs each answer to its own length."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tokenizer = _Spelled(self.tokenizer)


class Theirs(HFLM):
    """Runs a batch to the longest answer in it, as stop strings would make it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lengths: dict[tuple[int, ...], int] = {}
        """Of the answer to a prompt."""

    def tok_decode(self, tokens: Any, skip_special_tokens: bool = True) -> str:
        """Token ids, as `_Spelled` has them."""
        return NEVER if isinstance(tokens, int) else " ".join(map(str, tokens))

    def _model_generate(self, context: Any, max_length: int, stop: list[str], **settings: Any) -> Any:
        rows = zip(context, settings["attention_mask"].bool(), strict=True)
        longest = max(self.lengths[tuple(row[mask].tolist())] for row, mask in rows)
        return super()._model_generate(context, context.shape[1] + longest, stop, **settings)


@dataclass(frozen=True)
class AskedSet:
    """Prompts, the length of each answer, and how it is generated."""

    name: str
    asked: Sequence[tuple[str, int]]
    settings: dict[str, Any]
    goal: float | None
    spread: float = SPREAD
    """Of a random model's logits."""

    @property
    def sampled(self) -> bool:
        """Whether texts differ by chance."""
        return bool(self.settings["do_sample"])

    def requests(self, length: int | None = None) -> list[Instance]:
        """Of the answers' own lengths, or of one for all, since HFLM batches only what is asked alike."""
        return [
            Instance(
                "generate_until", {}, (text, {"until": [NEVER], "max_gen_toks": length or own, **self.settings}), 0
            )
            for text, own in self.asked
        ]


def main() -> int:
    """Read what is asked for, and measure."""
    quick = f"{QUICK_QUESTIONS} questions, answers {QUICK} times shorter, {QUICK_SAMPLES} samples"
    return printed(parser(__doc__.partition("\n")[0], quick).parse_args(), measure, "generation")


def measure(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    silence_libraries()
    torch.set_num_threads(arguments.threads)
    rows = [row for size, sets in _plan(arguments) for row in _rows(arguments, size, sets)]
    if arguments.json:
        arguments.json.write_text("".join(json.dumps(asdict(row)) + "\n" for row in rows), encoding="utf-8")
    goals = [row for row in rows if row.goal is not None]
    n_missed = sum(not row.met for row in goals)
    print(f"{len(goals) - n_missed} of {len(goals)} goals reached")
    return int(n_missed > 0)


def _plan(arguments: argparse.Namespace) -> list[tuple[str, list[AskedSet]]]:
    """The size of a random model, and what it is asked."""
    sets = _sets(arguments)
    if arguments.model is not None or arguments.quick:
        return [(arguments.size, sets)]
    others = [one for one in sets if one.sampled and one.spread == SPREAD and "own" not in one.name]
    return [(arguments.size, sets), (OTHER_SIZE, others)]


def _rows(arguments: argparse.Namespace, size: str, sets: Sequence[AskedSet]) -> Iterator[Row]:
    """Measure and print the sets of one model."""
    arguments.size = size
    model, encoder = load(arguments)
    model.generation_config.eos_token_id = None  # an answer is as long as it is to be
    shared = {"pretrained": model, "tokenizer": encoder, "backend": "causal", "max_length": 4096}
    ours = Ours(**shared)
    theirs = {size: Theirs(batch_size=size, **shared) for size in BATCH_SIZES}
    print(f"{model.num_parameters() / 1e6:.1f} M parameters, {model.dtype}, {model.device}; tier: {ours.tier.name}")
    print(HEADING)
    row = None
    for one in sets:
        if arguments.model is None:
            model.model.norm.weight.data.fill_(one.spread)
        sizes = BATCH_SIZES if one.spread == SPREAD or row is None else (row.best_size,)
        row = measured(one, ours, {size: theirs[size] for size in sizes})
        print(line(row), flush=True)
        yield row


def _sets(arguments: argparse.Namespace) -> list[AskedSet]:
    rng = random.Random(arguments.seed)
    questions = gsm8k(rng)
    n_samples, n_short, n_long = (QUICK_SAMPLES, 1, 1) if arguments.quick else (SAMPLES, 4, 2)
    if arguments.quick:
        questions = [(text, length // QUICK) for text, length in questions[:QUICK_QUESTIONS]]
    short = continuations(rng, n_short)
    shared, own = (few_shot_continuations(rng, n_long, shared=shared) for shared in (True, False))
    found = [AskedSet("GSM8K 8-shot", questions, {"do_sample": False}, GOAL)]
    kinds: list[tuple[str, list[str], float | None]] = [
        ("20–60 tokens", short, GOAL_SHORT),
        ("500 tokens, shared", shared, GOAL_LONG),
        ("500 tokens, own", own, GOAL_LONG),
    ]
    if arguments.quick:  # the goals are those of 25 samples
        kinds = [(kind, prompts, None) for kind, prompts, _ in kinds[:2]]
    for kind, prompts, goal in kinds:
        asked = [(text, SAMPLED_TOKENS) for text in prompts for _ in range(n_samples)]
        found.append(AskedSet(f"{n_samples} samples, {kind}", asked, SAMPLING, goal))
        if arguments.model is None and (not arguments.quick or kind == "20–60 tokens"):
            found.append(AskedSet(f"{n_samples} samples, {kind}, flat", asked, SAMPLING, goal, spread=1.0))
    return found


def measured(asked: AskedSet, ours: Ours, theirs: dict[int, Theirs]) -> Row:
    """Generate by both sides in turn; greedy texts are compared where `theirs`, by batch size, has batch size 1."""
    encoded = [tuple(ours.tok_encode(text)) for text, _ in asked.asked]
    lengths = [length for _, length in asked.asked]
    times, references, found = [], {}, {}
    reference_memory, peak = None, 0.0
    ours.generate_until(asked.requests(2), disable_tqdm=True)
    for size, lm in theirs.items():
        found["ours"], seconds, memory = timed(ours, asked.requests())
        times.append(seconds)
        peak = max(peak, memory)
        lm.lengths = dict(zip(encoded, lengths, strict=True))
        found[size], references[size], memory = timed(lm, asked.requests(max(lengths)))
        if size == 8:
            reference_memory = memory
    times.append(timed(ours, asked.requests())[1])
    differ = ties = None
    if not asked.sampled and 1 in found:
        answers = zip(encoded, lengths, found["ours"], found[1], strict=True)
        excuses = [
            _is_tie(theirs[1], prompt, mine, other[:length])
            for prompt, length, mine, other in ((p, n, _ids(a), _ids(b)) for p, n, a, b in answers)
            if mine != other[:length]
        ]
        differ, ties = excuses.count(False), excuses.count(True)
    return Row(
        set=asked.name,
        requests=len(asked.asked),
        new_tokens=sum(lengths),
        ratio=min(references.values()) / median(times),
        goal=asked.goal,
        seconds=median(times),
        reference_seconds=references,
        tokens_before=sum(map(len, encoded)),
        tokens_after=distinct_tokens(encoded),
        differ=differ,
        ties=ties,
        memory=peak,
        reference_memory=reference_memory,
    )


def timed(lm: Any, requests: Sequence[Any]) -> tuple[list[str], float, float]:
    """Answers, seconds, and MiB held at most."""
    memory = Memory(lm.device)
    started = clock(lm.device)
    answers = lm.generate_until(list(requests), disable_tqdm=True)
    return answers, clock(lm.device) - started, memory.most()


def _ids(answer: str) -> tuple[int, ...]:
    return tuple(map(int, answer.split()))


def _is_tie(lm: HFLM, prompt: tuple[int, ...], mine: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether the reference's two best logits are all but equal where two answers part."""
    if len(mine) != len(other):
        return False
    agreed = next(place for place, (one, two) in enumerate(zip(mine, other, strict=True)) if one != two)
    with torch.no_grad():
        best = lm.model(torch.tensor([prompt + other[:agreed]], device=lm.device)).logits[0, -1].float().topk(2).values
    return bool(best[0] - best[1] < TIE)


HEADING = (
    f"{'':36}{'ratio':>7}{'goal':>6}{'s':>7}{'HFLM s at ' + '/'.join(map(str, BATCH_SIZES)):>20}"
    f"{'prompt tokens':>16}{'new':>7}{'differ':>8}{'memory':>11}"
)


def line(row: Row) -> str:
    """A row of the table."""
    known = row.reference_seconds
    references = "/".join(f"{known[size]:.1f}" if size in known else "–" for size in BATCH_SIZES)
    goal = "–" if row.goal is None else f"{row.goal:.1f}"
    theirs = "–" if row.reference_memory is None else f"{row.reference_memory:.0f}"
    differ = "–" if row.differ is None else f"{row.differ}+{row.ties}" if row.ties else str(row.differ)
    return (
        f"{row.set:36}{row.ratio:6.1f}×{goal:>6}{row.seconds:7.2f}{references:>20}"
        f"{f'{row.tokens_before:,}→{row.tokens_after:,}':>16}{row.new_tokens:7,}{differ:>8}"
        f"{f'{row.memory:.0f}/{theirs}':>11}  {'' if row.met else 'missed'}"
    )


if __name__ == "__main__":
    sys.exit(main())
