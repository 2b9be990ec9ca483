"""Are log-probabilities, greedy flags, texts and scores those of lm-eval's HFLM? A task of the product's, both ways.

HFLM is asked one request at a time, since it pads otherwise. Where its two best logits lie within `TIE`, rounding may
choose either token: an answer that parts there is counted as a tie and is no fault.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils import normalize_gen_kwargs

from mplus_eval.backends.base import Backend, LoadedModel
from mplus_eval.backends.lm_eval_model import LmEvalModel
from mplus_eval.capability.generate import build_requests, generate
from mplus_eval.capability.items import LoadedTask, Subtask
from mplus_eval.capability.score import score_items
from mplus_eval.capability.selection import Selection
from mplus_eval.spec.limit import Limit
from mplus_eval.store.outcomes import Answer

LARGEST_DIFFERENCE, RELATIVE_DIFFERENCE = 1e-4, 1e-6
"""Of a log-probability, in nats, and of its size: rounding of float32 stays below the one or the other."""
TIE = 1e-4
"""Of two logits."""


@dataclass
class Differences:
    """What one task showed.

    Attributes:
        requests: that were compared.
        difference: the largest of a log-probability, in nats.
        too_large: log-probabilities that differ by more than rounding.
        answers: greedy flags and texts that differ, with no tie to excuse it.
        ties: those that differ by a tie.
        scores: items of which any metric differs, with no tie to excuse it.
    """

    requests: int = 0
    difference: float = 0.0
    too_large: int = 0
    answers: int = 0
    ties: int = 0
    scores: int = 0

    @property
    def is_fault(self) -> bool:
        """Whether anything differs with no tie to excuse it."""
        return bool(self.too_large or self.answers or self.scores)


def compare(task: LoadedTask, limit: Limit | None, ours: Backend, theirs: HFLM) -> Differences:
    """Ask both the same requests, and hold their answers and scores against each other.

    Args:
        task: one task.
        limit: items of each subtask, drawn with seed 0; all when None.
        ours: the product's backend.
        theirs: lm-eval's model over the same weights, with a batch size of 1.
    """
    other = LmEvalModel(theirs, LoadedModel("hf", "float32", None, "cpu"), ours.requests_per_call)
    differences = Differences()
    selection = Selection.of({task.spec.name: task}, limit, None, 0)
    for subtask in task.subtasks:
        numbers = selection.numbers(task.spec.name, subtask)
        requests = build_requests(subtask, None, numbers=numbers, chat=False)
        answered = [generate(subtask, requests, backend, lambda _n: None) for backend in (ours, other)]
        scores = [_metrics(task, subtask, answers, numbers) for answers in answered]
        tied = _hold(differences, subtask, requests, answered[0], answered[1], theirs)
        differences.scores += sum(scores[0][item] != value for item, value in scores[1].items() if item not in tied)
    return differences


def _metrics(task: LoadedTask, subtask: Subtask, answers: Sequence[Answer], numbers: Sequence[int]) -> dict[str, Any]:
    """Every metric of every item."""
    return {outcome.item_id: outcome.metrics for outcome in score_items(task, subtask, answers, numbers)}


def _hold(
    differences: Differences,
    subtask: Subtask,
    requests: Sequence[Any],
    mine: Sequence[Answer],
    other: Sequence[Answer],
    lm: HFLM,
) -> set[str]:
    """Hold our answers against the others', and return the items whose answers differ by a tie."""
    tied: set[str] = set()
    asked: dict[str, list[Any]] = {}
    for request in requests:
        asked.setdefault(subtask.item_id(request.doc_id), []).append(request)
    differences.requests += len(requests)
    for own, reference in zip(mine, other, strict=True):
        if own.error or reference.error:
            differences.answers += own.error != reference.error
            continue
        values = list(zip(own.log_probabilities or (), reference.log_probabilities or (), strict=True))
        for value, expected in values:
            difference = abs(value - expected)
            differences.difference = max(differences.difference, difference)
            differences.too_large += difference > max(LARGEST_DIFFERENCE, RELATIVE_DIFFERENCE * abs(expected))
        outputs = [each.generations or each.greedy or () for each in (own, reference)]
        for request, answered, expected in zip(asked[own.item_id], *outputs, strict=bool(outputs[0])):
            if answered == expected:
                continue
            if _is_tie(lm, request, answered):
                differences.ties += 1
                tied.add(own.item_id)
            else:
                differences.answers += 1
    return tied


def _is_tie(lm: HFLM, request: Any, answered: Any) -> bool:
    """Whether the reference's two best logits are all but equal where the answers part."""
    if request.request_type == "generate_until":
        return _texts_part_at_a_tie(lm, request, answered)
    _, (context, continuation) = request, lm._encode_pair(*request.args)
    inputs = torch.tensor([(context + continuation)[-(lm.max_length + 1) :][:-1]])
    with torch.no_grad():
        gaps = _gaps(lm.model(inputs).logits[0, -len(continuation) :])
    return bool((gaps < TIE).any())


def _texts_part_at_a_tie(lm: HFLM, request: Any, answered: str) -> bool:
    context, settings = request.args
    limit = normalize_gen_kwargs(settings, lm.max_gen_toks)["max_gen_toks"]
    prompt = torch.tensor([lm.tok_encode(context)[-(lm.max_length - limit) :]])
    made = lm.model.generate(
        prompt, max_new_tokens=limit, do_sample=False, output_logits=True, return_dict_in_generate=True
    )
    tokens = made.sequences[0, prompt.shape[1] :].tolist()
    parted = (step for step in range(len(tokens)) if not answered.startswith(lm.tok_decode(tokens[: step + 1])))
    step = next(parted, len(tokens) - 1)
    return bool(_gaps(made.logits[step])[0] < TIE)


def _gaps(logits: torch.Tensor) -> torch.Tensor:
    best = logits.float().topk(2).values
    return best[:, 0] - best[:, 1]
