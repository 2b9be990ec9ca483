"""What requests cost by HFLM's way and over a tree of prefixes: tokens through the model, and its operations.

Nothing is computed; the requests are lm-eval's, encoded as the backends encode them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any, Self

from mplus_eval.backends.encoding import Encoding, encode_requests
from mplus_eval.capability.axis import PART_ITEMS
from mplus_eval.capability.generate import _calls, build_requests
from mplus_eval.capability.items import Subtask
from mplus_eval.inference.tree import Request, build_segments
from mplus_eval.models.cells import slices

REQUESTS_PER_CALL = 256
"""Of the backend `hf` on a processor, at its own batch size of 16."""
_EXAMPLES = 50
"""Whose answers show how long one is."""


@dataclass(frozen=True)
class Cost:
    """What goes through a model.

    Attributes:
        tokens: that are computed.
        rows: positions that are projected onto the vocabulary.
        pairs: of a token and one that it attends to, itself counted.
    """

    tokens: float = 0.0
    rows: float = 0.0
    pairs: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        """Of both."""
        return Cost(self.tokens + other.tokens, self.rows + other.rows, self.pairs + other.pairs)


@dataclass(frozen=True)
class Shape:
    """Of a decoder, what its operations depend on: weights of linear layers, layers, width of all heads, vocabulary."""

    weights: int
    layers: int
    heads: int
    hidden: int
    vocabulary: int

    @classmethod
    def of(cls, model: Any) -> Self:
        """Read it from a model of transformers."""
        import torch

        config, head = model.config, model.get_output_embeddings()
        linear = (each for each in model.modules() if isinstance(each, torch.nn.Linear) and each is not head)
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        return cls(
            sum(layer.weight.numel() for layer in linear),
            config.num_hidden_layers,
            config.num_attention_heads * size,
            config.hidden_size,
            config.vocab_size,
        )

    def operations(self, cost: Cost) -> float:
        """Two a weight and token, four a pair and head's width in every layer, and the projection."""
        attention = 4 * self.layers * self.heads * cost.pairs
        return 2 * self.weights * cost.tokens + 2 * self.hidden * self.vocabulary * cost.rows + attention


class Counter:
    """Counts what the requests of a subtask cost."""

    def __init__(self, encoding: Encoding) -> None:
        """Take the encoding of a model's texts."""
        self.encoding = encoding

    def of(self, subtask: Subtask, numbers: Sequence[int]) -> tuple[Cost, Cost]:
        """What documents cost HFLM, which computes every prompt anew, and over a tree of each call's prefixes."""
        requests = build_requests(subtask, None, numbers=numbers, chat=False)
        generated = requests[0].request_type == "generate_until"
        answers = self._answer_tokens(subtask) if generated else 0.0
        places = {number: place for place, number in enumerate(numbers)}
        anew = tree = Cost()
        for part in slices(len(numbers), PART_ITEMS):
            of_part = [request for request in requests if places[request.doc_id] in part]
            for items in _calls(of_part, REQUESTS_PER_CALL):
                inputs = self._inputs([request for item in items for request in item], generated=generated)
                anew += _anew(inputs, generated=generated)
                tree += _once(inputs)
                steps = _steps(inputs, answers) if generated else Cost()
                anew, tree = anew + steps, tree + steps
        return anew, tree

    def _inputs(self, requests: Sequence[Any], *, generated: bool) -> list[Request]:
        """What goes into the model, and of how many of the last positions the logits are needed."""
        if generated:
            prompts = self.encoding.encode([request.args[0] for request in requests])
            return [Request(tuple(prompt), (0,)) for prompt in prompts]
        encoded = encode_requests(self.encoding, requests)
        return [Request(tuple([*each.context, *each.continuation][:-1]), tuple(each.continuation)) for each in encoded]

    def _answer_tokens(self, subtask: Subtask) -> float:
        """How long an answer is: as those of its examples, or as long as it may be where there are none."""
        task = subtask.task
        if not subtask.n_shots:
            return float((task.config.generation_kwargs or {})["max_gen_toks"])
        examples = list(task.sampler.fewshot_docs())[:_EXAMPLES]
        texts = [f" {task.doc_to_target(example, task.fewshot_cfg.doc_to_target)}" for example in examples]
        return mean(map(len, self.encoding.bare(texts)))


def _anew(inputs: Sequence[Request], *, generated: bool) -> Cost:
    """HFLM's cost: of texts that differ once, of prompts each, and every position of a scored text projected."""
    texts = [each.inputs for each in inputs]
    lengths = [len(text) for text in (texts if generated else set(texts))]
    rows = len(lengths) if generated else sum(lengths)
    return Cost(sum(lengths), rows, sum(n * (n + 1) / 2 for n in lengths))


def _once(inputs: Sequence[Request]) -> Cost:
    """The cost of a tree of all prefixes."""
    segments = build_segments(inputs)
    return Cost(
        sum(len(segment.tokens) for segment in segments),
        sum(len({row.position for row in segment.rows}) for segment in segments),
        sum((segment.end - segment.start) * (segment.start + segment.end + 1) / 2 for segment in segments),
    )


def _steps(inputs: Sequence[Request], answers: float) -> Cost:
    """The cost of an answer to each prompt, but for its first token, which comes with the prompt."""
    steps = max(answers - 1, 0)
    pairs = sum(steps * (len(each.inputs) + (steps + 1) / 2) for each in inputs)
    return Cost(steps * len(inputs), steps * len(inputs), pairs)
