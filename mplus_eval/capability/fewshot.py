"""Few-shot examples that give nothing away: never the item itself, and never another of its cluster.

lm-eval leaves an item out of its own examples only where both come from one split and the rows are equal. A question
that stands in the training split too, under another number, or a question on the same passage, would stand before the
item with its answer. Its sampler draws here as ever, from the same random numbers, so that prompts are lm-eval's own
item by item wherever there is nothing to mend.

Where a suite wants the examples fixed, those that lm-eval draws first stand before every item. So the prompts of a
subtask share their beginning, which is computed once, and an item's prompt does not depend on which others are asked.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from lm_eval.api.task import ConfigurableTask

FEWSHOT_SEED = 1234
"""lm-eval's own default, so that few-shot examples are those of `simple_evaluate`."""

ClusterOf = Callable[[object], str | None]


class ApartSampler:
    """The sampler of a task, in whose draws an example that is the item, or of its cluster, gives way to another one.

    What takes its place stands behind the others: the next one where a task's examples have a fixed order, else one
    drawn by the item itself, so that it is the same for every model. Where there is none, an example is missing.

    Attributes:
        has_order: whether examples are taken in an order of their own, so that there is nothing to draw.
        fixed: whether one draw serves every item.
    """

    def __init__(self, task: ConfigurableTask, cluster_of: ClusterOf, *, fixed: bool = False) -> None:
        """Stand between a task and its sampler, which is told each item that it draws for.

        Args:
            task: whose sampler it takes the place of.
            cluster_of: the cluster of an item.
            fixed: whether one draw is to serve every item; it makes no difference where examples have an order.
        """
        from lm_eval.api.samplers import FirstNSampler

        self._task, self._sampler, self._cluster_of = task, task.sampler, cluster_of
        self.has_order = isinstance(task.sampler, FirstNSampler)
        self.fixed = fixed and not self.has_order
        self._drawn_once: list[object] = []
        self._doc: object = None
        self._facts: dict[int, tuple[Hashable, str | None]] = {}
        self.n_replaced: list[int] = []
        """Of every prompt that was built since the seed was set, how many examples are other ones than drawn."""
        context, target = task.fewshot_context, cast(Any, task)

        def context_of(doc: object, *rest: Any, **more: Any) -> object:
            self._doc = doc
            self.n_replaced.append(0)
            return context(doc, *rest, **more)

        target.sampler, target.fewshot_context = self, context_of

    def __getattr__(self, name: str) -> Any:
        """Everything but drawing is the sampler's own."""
        return getattr(self._sampler, name)

    def set_rnd(self, seed: int | None) -> object:
        """Begin anew, with the first item."""
        self.n_replaced.clear()
        self._drawn_once.clear()
        return self._sampler.set_rnd(seed)

    def sample(self, n: int, eval_doc: object = None, df: Any = None, **more: Any) -> Sequence[object]:
        """Draw as the sampler does, and replace what gives the item away."""
        try:
            drawn = self._drawn(n, eval_doc=eval_doc, df=df, **more)
        except (AssertionError, ValueError):
            if eval_doc is None:
                raise
            drawn = []  # lm-eval does not find as many rows that are not the item
        item = self._of_item()
        examples = [example for example in drawn if self._is_apart(example, item)]
        self.n_replaced[-1] = n - len(examples)
        if len(examples) < n:
            others = self._others(examples, item)
            examples += [example for example, _ in zip(others, range(n - len(examples)), strict=False)]
        return examples

    def _drawn(self, n: int, *, eval_doc: object, df: Any, **more: Any) -> list[object]:
        if not self.fixed:
            return list(self._sampler.sample(n, eval_doc=eval_doc, df=df, **more))
        if not self._drawn_once:
            # For no item: the first one that is asked has no part in it.
            self._drawn_once = list(self._sampler.sample(n, df=df, **more))
        return self._drawn_once

    def _others(self, examples: Sequence[object], item: tuple[Hashable, str | None]) -> Iterator[object]:
        """Examples that may stand in a prompt beside those, in the order in which they are taken."""
        pool = list(self._sampler.fewshot_docs())
        if not self.has_order:
            random.Random(repr(item)).shuffle(pool)
        taken = {self._of_example(example)[0] for example in examples}
        for example in pool:
            question, _ = self._of_example(example)
            if question not in taken and question is not None and self._is_apart(example, item):
                taken.add(question)
                yield example

    def _is_apart(self, example: object, item: tuple[Hashable, str | None]) -> bool:
        question, cluster = self._of_example(example)
        same = question is not None and question == item[0]
        return not same and (cluster is None or cluster != item[1])

    def _of_item(self) -> tuple[Hashable, str | None]:
        config = self._task.config
        return self._facts_of(self._doc, config.doc_to_text, config.doc_to_choice)

    def _of_example(self, example: object) -> tuple[Hashable, str | None]:
        """Question and cluster; examples are the same objects each time, and read once."""
        if id(example) not in self._facts:
            given = self._task.fewshot_cfg
            self._facts[id(example)] = self._facts_of(example, given.doc_to_text, given.doc_to_choice)
        return self._facts[id(example)]

    def _facts_of(self, doc: object, to_text: Any, to_choice: Any) -> tuple[Hashable, str | None]:
        """What a document asks, whatever its case and white space; and its cluster. None where it has none of these.

        Examples that are written out in a definition need not have the columns of the data.
        """
        from jinja2 import TemplateError

        task, question, cluster = self._task, None, None
        try:
            text = task.doc_to_text(doc, to_text)
            choices = task.doc_to_choice(doc, to_choice) if to_choice else []
            # Where choices are whole sentences (Winogrande), the text is the number of the right one.
            parts = [text] if isinstance(text, str) else []
            question = tuple(" ".join(str(part).split()).casefold() for part in (*parts, *sorted(map(str, choices))))
            cluster = self._cluster_of(doc)
        except (KeyError, TypeError, TemplateError):
            pass
        return question or None, cluster
