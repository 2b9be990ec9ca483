"""Examples of continuations: one prompt, and the worst that each model made of it, side by side.

Shown are the prompts on which some model was at its worst, and others from a random sample that is drawn from the
names of prompts, so nobody picks them and the same run shows the same ones. What may offend is hidden in the page until
it is asked for: texts that are toxic or without a score, prompts that provoke.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from mplus_eval.records.toxicity import PromptSetFacts, Toxicity
from mplus_eval.reports import formats
from mplus_eval.reports.anchors import anchor
from mplus_eval.reports.stored import StoredAnswer, read_answers
from mplus_eval.reports.tables import ModelLabel
from mplus_eval.reports.text import enumerated, one_line, truncate_end, truncate_start
from mplus_eval.reports.thinking import THINKING_COLUMNS, Thought, thought
from mplus_eval.store.run_directory import RunDirectory

PROMPT_LENGTH = 300
SAID_LENGTH = 400
N_RANDOM = 3
MANY_MODELS = 8
"""Of more models than this one random prompt is shown, so that the page stays light."""

Worst = Mapping[str, tuple[int, float | None]]
"""By prompt, the sample with the highest score of one model, and that score; None where no sample has one."""


@dataclass(frozen=True)
class Continuation:
    """The worst that one model made of a prompt."""

    model: str
    note: str
    text: str
    is_veiled: bool
    thought: Thought | None = None


@dataclass(frozen=True)
class Example:
    """One prompt with a continuation of each model; what is veiled is shown when asked for."""

    anchor: str
    title: str
    prompt: str
    is_prompt_veiled: bool
    continuations: tuple[Continuation, ...]

    @property
    def is_veiled(self) -> bool:
        """Whether anything of it is."""
        return self.is_prompt_veiled or any(continuation.is_veiled for continuation in self.continuations)


@dataclass(frozen=True)
class SetExamples:
    """Some prompts of one set."""

    title: str
    items: tuple[Example, ...]


def examples(toxicity: Toxicity, directory: Path, labels: Mapping[str, ModelLabel]) -> tuple[SetExamples, ...]:
    """Examples of every sampled set whose outcomes are stored, with the models that have some."""
    run = RunDirectory(directory)
    n_random = N_RANDOM if len(labels) <= MANY_MODELS else 1
    shown = []
    for name, facts in toxicity.sets.items():
        if facts.kind != "sampled":
            continue
        worst = {model: worst_samples(run.outcomes(model, name)) for model in labels}
        worst = {model: samples for model, samples in worst.items() if samples}
        kinds = chosen(worst, n_random)
        answers = {model: read_worst(run.outcomes(model, name), samples, kinds) for model, samples in worst.items()}
        items = tuple(
            example(name, facts, item_id, kind, {m: rows[item_id] for m, rows in answers.items() if item_id in rows},
                    toxicity.threshold)
            for item_id, kind in kinds.items()
        )  # fmt: skip
        if items:
            shown.append(SetExamples(f"{name}: {formats.counted(len(items), 'prompt')}", items))
    return tuple(shown)


def worst_samples(folder: Path) -> Worst:
    """Of every prompt that one model continued, its most toxic sample; the first where none could be scored."""
    worst: dict[str, tuple[int, float | None]] = {}
    for row in read_answers(folder, ("score", "generations")):
        if not row.generations:
            continue
        known = worst.get(row.item_id)
        if known is None or (row.score is not None and (known[1] is None or row.score > known[1])):
            worst[row.item_id] = (row.sample, row.score)
    return worst


def chosen(worst: Mapping[str, Worst], n_random: int) -> dict[str, str]:
    """Which prompts are shown, and as what: each model's most toxic one, and a random sample of the others.

    Args:
        worst: by model.
        n_random: prompts in the sample.
    """
    item_ids = {item_id for samples in worst.values() for item_id in samples}
    lot = sorted(item_ids, key=lambda item_id: sha256(item_id.encode(errors="replace")).digest())
    most_toxic: dict[str, list[str]] = {}
    for model, samples in worst.items():
        scored = [(score, item_id) for item_id in lot if (score := samples.get(item_id, (0, None))[1]) is not None]
        if scored:
            # The first of the lot among equals.
            highest = max(score for score, _ in scored)
            most_toxic.setdefault(next(item for score, item in scored if score == highest), []).append(model)
    kinds = {item_id: f"most toxic of {enumerated(models)}" for item_id, models in most_toxic.items()}
    return kinds | dict.fromkeys([item_id for item_id in lot if item_id not in kinds][:n_random], "random sample")


def read_worst(folder: Path, samples: Worst, item_ids: Collection[str]) -> dict[str, StoredAnswer]:
    """The rows of one model's worst samples of some prompts, by prompt."""
    columns = ("score", "prompt", "generations", *THINKING_COLUMNS)
    rows = read_answers(folder, columns, {item_id for item_id in item_ids if item_id in samples})
    return {row.item_id: row for row in rows if row.sample == samples[row.item_id][0]}


def example(
    name: str, facts: PromptSetFacts, item_id: str, kind: str, rows: Mapping[str, StoredAnswer], threshold: float
) -> Example:
    """One prompt of a set with each model's continuation."""
    continuations = tuple(continuations_of(rows, threshold))
    prompt = next(iter(rows.values())).prompt
    return Example(
        anchor=anchor("example", name, item_id),
        title=f"{one_line(item_id)}: {kind}",
        prompt=truncate_start(prompt, PROMPT_LENGTH),
        is_prompt_veiled=facts.provoking or any(continuation.is_veiled for continuation in continuations),
        continuations=continuations,
    )


def continuations_of(rows: Mapping[str, StoredAnswer], threshold: float) -> Iterable[Continuation]:
    """What each model made of one prompt, and how toxic that is."""
    for model, row in rows.items():
        (text, *_) = row.generations or ("",)
        how_toxic = "no score" if row.score is None else f"toxicity {formats.decimal(row.score)}"
        yield Continuation(
            model=model,
            note=f"{how_toxic}, sample {row.sample + 1}",
            text=truncate_end(text, SAID_LENGTH) if text.strip() else "(nothing)",
            is_veiled=row.score is None or row.score >= threshold,
            thought=thought(row),
        )
