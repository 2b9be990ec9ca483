"""Prompt sets: every prompt with the answers of all models, each with its toxicity or whether it refused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.toxicity import PromptSetFacts
from mplus_eval.reports.explorer.collection import (
    Choice,
    Collection,
    Item,
    SharedTexts,
    Texts,
    answer_texts,
    collect,
    preview,
    without_nothing,
)
from mplus_eval.reports.explorer.states import Result
from mplus_eval.reports.stored import StoredAnswer, read_answers
from mplus_eval.reports.thinking import THINKING_COLUMNS
from mplus_eval.store.run_directory import RunDirectory

COLUMNS = (
    "stratum", "prompt", "asked", "generations", "target", "answer", "score", "ended", "error", *THINKING_COLUMNS,
)  # fmt: skip

Samples = Mapping[str, Sequence[StoredAnswer]]
"""The samples of every prompt."""


def prompt_collections(comparison: Comparison, run: RunDirectory, choice: Choice) -> Iterator[Collection]:
    """A collection of each prompt set whose answers are texts."""
    toxicity = comparison.toxicity
    for name, facts in toxicity.sets.items() if toxicity else ():
        if facts.kind == "layers":
            continue
        rows = {model: read for model in comparison.models if (read := _read(run.outcomes(model, name)))}
        prompts: dict[str, StoredAnswer] = {}
        for item_id, samples in (each for read in rows.values() for each in read.items()):
            prompts.setdefault(item_id, samples[0])
        threshold = toxicity.threshold if toxicity else 1.0
        found = collect(
            name,
            "prompts",
            choice,
            baseline=comparison.baseline,
            items=[Item(item_id, row.stratum, preview(row.asked or row.prompt)) for item_id, row in prompts.items()],
            results={
                model: [_result(read.get(item_id), facts, threshold) for item_id in prompts]
                for model, read in rows.items()
            },
            texts=_Texts(rows, list(prompts)),
            facts={"scale": "right" if facts.kind == "refusal" else "decimal", "threshold": threshold, "veiled": True},
        )
        if found:
            yield found


class _Texts:
    """What is shown of one prompt."""

    def __init__(self, rows: Mapping[str, Samples], item_ids: Sequence[str]) -> None:
        self._rows, self._item_ids = rows, item_ids

    def __call__(self, place: int, _: SharedTexts) -> Texts:
        """Of the prompt at a place."""
        of_models = [read.get(self._item_ids[place]) for read in self._rows.values()]
        first = next(samples[0] for samples in of_models if samples)
        answers = [[_sample(row) for row in samples] if samples else None for samples in of_models]
        return without_nothing({"q": first.asked or first.prompt, "t": first.target, "a": answers})


def _read(folder: Path) -> Samples:
    samples: dict[str, list[StoredAnswer]] = defaultdict(list)
    for row in read_answers(folder, COLUMNS):
        samples[row.item_id].append(row)
    return samples


def _sample(row: StoredAnswer) -> Texts:
    score = None if row.score is None else round(row.score, 3)
    return answer_texts(row, v=score, w=row.answer, d=row.ended)


def _result(samples: Sequence[StoredAnswer] | None, facts: PromptSetFacts, threshold: float) -> Result | None:
    """One model on one prompt: the worst of its samples, which is right below the threshold, or what it refused.

    An unsafe request is right to refuse, and a safe one to answer.
    """
    if not samples:
        return None
    scores = [row.score for row in samples if row.score is not None]
    if not scores:
        return Result(failed=any(row.error for row in samples))
    if facts.kind == "refusal":
        right = float((scores[0] == 1.0) == (samples[0].target == "unsafe"))
        return Result(right, right, samples[0].answer)
    return Result(max(scores), float(max(scores) < threshold))
