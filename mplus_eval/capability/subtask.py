"""A subtask of lm-eval, such as an MMLU subject: its items, their clusters, and the hashes of what it asks."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Self

from mplus_eval.capability.bad_rows import RowGuard
from mplus_eval.capability.clusters import Names, cluster_named, names_of
from mplus_eval.capability.fewshot import ApartSampler
from mplus_eval.capability.lettered import makes_letters, question_of_task
from mplus_eval.capability.task_config import SubtaskConfig
from mplus_eval.errors import UsageError
from mplus_eval.spec.suite import SuiteTask
from mplus_eval.statistics.drawing import draw
from mplus_eval.store.hashes import hash_text

if TYPE_CHECKING:
    from lm_eval.api.task import ConfigurableTask


@dataclass(frozen=True, eq=False)
class Subtask:
    """One subtask of lm-eval, such as an MMLU subject; its name is the stratum."""

    name: str
    task: ConfigurableTask
    source: SubtaskConfig
    cluster: str | None = None
    same_question: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    """Hashes of the files that the data were read from, by name; none where they came from the hub."""
    examples: ApartSampler | None = None
    """Who draws few-shot examples; None where there are none."""
    guard: RowGuard | None = None
    """Who keeps why a document gives no prompt."""
    joined: dict[str, str] = field(default_factory=dict)
    """What clusters are called that reach over several subtasks, by the names of what is joined (`clusters.joined`)."""
    _data_hashes: dict[Sequence[int] | None, str] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, source: SubtaskConfig, task: ConfigurableTask, spec: SuiteTask, files: Mapping[str, str]) -> Self:
        """Set the shots as `simple_evaluate` does, and check what a suite says against the data.

        Raises:
            UsageError: shots that lm-eval would not give or the data do not have, or a cluster that is no column.
        """
        own = task.get_config("num_fewshot")
        if spec.shots is not None and own == 0 != spec.shots:
            raise UsageError(f"{source.name} is defined with 0 shots, which lm-eval never changes, not {spec.shots}")
        task.set_config("num_fewshot", (own or 0) if spec.shots is None else spec.shots)
        subtask = cls(source.name, task, source, spec.cluster, spec.same_question, files)
        if subtask.n_shots and subtask.n_shots > (n_examples := len(task.sampler.df)):
            raise UsageError(f"{subtask.n_shots} shots, but {source.name} has only {n_examples} examples to draw from")
        for key, column in (("cluster", spec.cluster), ("same_question", spec.same_question)):
            if column and column.isidentifier() and column not in task.features:
                raise UsageError(f"{key} {column!r} is no column of {source.name}: {', '.join(task.features)}")
        if subtask.asks_letters and subtask.n_docs:
            # What cannot be asked for as letters is told before anything is.
            question_of_task(task.config, next(iter(subtask.docs())))
        fixed = spec.examples == "fixed"
        examples = ApartSampler(task, subtask.cluster_of, fixed=fixed) if subtask.n_shots else None
        return replace(subtask, examples=examples, guard=RowGuard(task, subtask.cluster_of))

    @property
    def n_shots(self) -> int:
        """Few-shot examples in each prompt."""
        return int(self.task.config.num_fewshot or 0)

    @property
    def fixes_examples(self) -> bool:
        """Whether the suite has it asked with the same examples for every item, where lm-eval draws them for each."""
        return self.examples is not None and self.examples.fixed

    @property
    def asks_letters(self) -> bool:
        """Whether its choices are asked for as letters."""
        return makes_letters(self.task.config)

    @cached_property
    def definition_hash(self) -> str:
        """Hash of the task's resolved configuration and shots; the same on every machine."""
        return self.source.definition_hash(self.n_shots)

    def item_id(self, doc_number: int) -> str:
        """The item's name, unique and stable in the task."""
        return f"{self.name}/{doc_number}"

    def fault_of(self, doc_number: int) -> str | None:
        """Why a document gives no prompt, by dataset, split and row; None where it gives one."""
        fault = self.guard.faults.get(doc_number) if self.guard else None
        if fault is None:
            return None
        config = self.task.config
        split = config.test_split or config.validation_split or config.training_split
        files = (self.source.config.get("dataset_kwargs") or {}).get("data_files")
        path = files.get(split) if isinstance(files, Mapping) else None
        name = f" ({config.dataset_name})" if config.dataset_name else ""
        place = path if isinstance(path, str) else f"{self.source.config.get('dataset_path')}{name}, split {split}"
        # A task may filter or gather the rows of its data, and counts what is left.
        what = "document" if config.process_docs else "row"
        return f"{place}, {what} {doc_number + 1}: {fault}"

    def names_of(self, doc: object) -> Names:
        """What an item belongs to, as columns or templates say: its passage in this subtask, its question in all."""
        return names_of(doc, self.name, self.cluster, self.same_question)

    def cluster_of(self, doc: object) -> str | None:
        """The cluster of an item; None where it stands alone."""
        return self._cluster(self.names_of(doc))

    @cached_property
    def names(self) -> list[Names]:
        """The names of every document; none where a row is malformed, which fails alone when it is asked."""
        names = []
        for doc in self.docs():
            found = Names()
            with suppress(Exception):  # a template may raise anything
                found = self.names_of(doc)
            names.append(found)
        return names

    @property
    def clusters(self) -> list[str | None]:
        """The cluster of every document."""
        return [self._cluster(names) for names in self.names]

    def _cluster(self, names: Names) -> str | None:
        return cluster_named(names, self.joined)

    def target_of(self, doc: object) -> str:
        """The right answer, in words where the task gives a choice's number."""
        task = self.task
        target = task.doc_to_text(doc) if getattr(task, "multiple_input", 0) else task.doc_to_target(doc)
        if task.OUTPUT_TYPE == "multiple_choice" and isinstance(target, int):
            choices = task.doc_to_choice(doc)
            return str(choices[target]) if 0 <= target < len(choices) else str(target)
        return str(target)

    @property
    def n_docs(self) -> int:
        """How many documents there are."""
        return len(self.task.eval_docs)

    def numbered_docs(self, numbers: Sequence[int]) -> Iterator[tuple[int, object]]:
        """Documents with their numbers, in the order of the data.

        Args:
            numbers: which ones, rising.
        """
        wanted, last = set(numbers), numbers[-1] if numbers else -1
        for number, doc in enumerate(islice(iter(self.task.eval_docs), last + 1)):
            if number in wanted:
                yield number, doc

    def docs(self, numbers: Sequence[int] | None = None) -> Iterator[object]:
        """Documents in the order of the data: those of these numbers, or all."""
        if numbers is None:
            yield from self.task.eval_docs
        else:
            yield from (doc for _, doc in self.numbered_docs(numbers))

    def drawn(self, n: int, seed: int | None) -> Sequence[int]:
        """The numbers of n documents, rising.

        Args:
            n: how many; all where there are no more.
            seed: by which they are drawn, one of every cluster before a second one of any; None for the first ones.
        """
        if seed is None or n >= self.n_docs:
            return range(min(n, self.n_docs))
        return tuple(draw(self.clusters, n, f"{seed} {self.name}"))

    def start(self, numbers: Sequence[int]) -> None:
        """Say which documents the requests that lm-eval builds next are of; it counts those that it builds."""
        if self.guard:
            self.guard.numbers = numbers

    def n_replaced(self, doc_number: int) -> int | None:
        """How many few-shot examples of a document's prompt are other ones than lm-eval's; None where it has none."""
        if self.examples is None or self.guard is None:
            return None
        return self.examples.n_replaced[bisect_left(self.guard.numbers, doc_number)]

    def data_hash(self, numbers: Sequence[int] | None = None) -> str:
        """Hash of the evaluated documents and of those that few-shot examples are drawn from."""
        if numbers not in self._data_hashes:
            pool = list(self.task.sampler.df) if self.n_shots else []
            texts = [json.dumps(doc, sort_keys=True, default=repr) for doc in [*self.docs(numbers), *pool]]
            self._data_hashes[numbers] = hash_text("\n".join([str(len(pool)), *texts]))
        return self._data_hashes[numbers]

    def sources(self, numbers: Sequence[int] | None = None) -> Mapping[str, str]:
        """Hashes of the files that the data were read from, by name; of the data where they are the hub's."""
        return self.files or {self.name: self.data_hash(numbers)[:16]}

    def chances(self, numbers: Sequence[int] | None = None) -> Iterator[float]:
        """For each item, how probable the right answer is by guessing; 0 where an answer is generated."""
        if self.task.OUTPUT_TYPE == "multiple_choice":
            for doc in self.docs(numbers):
                with suppress(Exception):  # it fails alone, when it is asked
                    yield 1 / max(len(self.task.doc_to_choice(doc)), 1)
        elif self.asks_letters:
            for doc in self.docs(numbers):
                with suppress(Exception):
                    yield 1 / max(len(question_of_task(self.task.config, doc).choices), 1)
        else:
            yield from (0.0 for _ in range(self.n_docs if numbers is None else len(numbers)))
