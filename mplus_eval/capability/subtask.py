"""A subtask of lm-eval, such as an MMLU subject: its items, their clusters, and the hashes of what it asks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Self

from mplus_eval.capability.bad_rows import RowGuard
from mplus_eval.capability.fewshot import ApartSampler
from mplus_eval.capability.task_config import SubtaskConfig
from mplus_eval.errors import UsageError
from mplus_eval.spec.suite import SuiteTask
from mplus_eval.store.hashes import hash_text

if TYPE_CHECKING:
    from lm_eval.api.task import ConfigurableTask

_LONGEST_CLUSTER_NAME = 40


@dataclass(frozen=True, eq=False)
class Subtask:
    """One subtask of lm-eval, such as an MMLU subject; its name is the stratum."""

    name: str
    task: ConfigurableTask
    source: SubtaskConfig
    cluster: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    """Hashes of the files that the data were read from, by name; none where they came from the hub."""
    examples: ApartSampler | None = None
    """Who draws few-shot examples; None where there are none."""
    guard: RowGuard | None = None
    """Who keeps why a document gives no prompt."""
    _data_hashes: dict[int | None, str] = field(default_factory=dict, init=False, repr=False)

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
        subtask = cls(source.name, task, source, spec.cluster, files)
        if subtask.n_shots and subtask.n_shots > (n_examples := len(task.sampler.df)):
            raise UsageError(f"{subtask.n_shots} shots, but {source.name} has only {n_examples} examples to draw from")
        if spec.cluster and spec.cluster.isidentifier() and spec.cluster not in task.features:
            raise UsageError(f"cluster {spec.cluster!r} is no column of {source.name}: {', '.join(task.features)}")
        examples = ApartSampler(task, subtask.cluster_of) if subtask.n_shots else None
        return replace(subtask, examples=examples, guard=RowGuard(task, subtask.cluster_of))

    @property
    def n_shots(self) -> int:
        """Few-shot examples in each prompt."""
        return int(self.task.config.num_fewshot or 0)

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

    def cluster_of(self, doc: object) -> str | None:
        """The cluster of an item: what its column or template says, hashed when long; None when it says nothing."""
        if self.cluster is None:
            return None
        value = str(self.task.resolve_field(doc, self.cluster)).strip()
        if not value:
            return None
        return f"{self.name}/{value if len(value) <= _LONGEST_CLUSTER_NAME else hash_text(value)[:16]}"

    def target_of(self, doc: object) -> str:
        """The right answer, in words where the task gives a choice's number."""
        task = self.task
        target = task.doc_to_text(doc) if getattr(task, "multiple_input", 0) else task.doc_to_target(doc)
        if task.OUTPUT_TYPE == "multiple_choice" and isinstance(target, int):
            choices = task.doc_to_choice(doc)
            return str(choices[target]) if 0 <= target < len(choices) else str(target)
        return str(target)

    def docs(self, limit: int | None) -> Iterator[object]:
        """The documents that are evaluated, in order."""
        return islice(iter(self.task.eval_docs), limit)

    def n_items(self, limit: int | None) -> int:
        """How many items are evaluated."""
        n_docs = len(self.task.eval_docs)
        return n_docs if limit is None else min(limit, n_docs)

    def data_hash(self, limit: int | None) -> str:
        """Hash of the evaluated documents and of those that few-shot examples are drawn from."""
        if limit not in self._data_hashes:
            pool = list(self.task.sampler.df) if self.n_shots else []
            texts = [json.dumps(doc, sort_keys=True, default=repr) for doc in [*self.docs(limit), *pool]]
            self._data_hashes[limit] = hash_text("\n".join([str(len(pool)), *texts]))
        return self._data_hashes[limit]

    def sources(self, limit: int | None) -> Mapping[str, str]:
        """Hashes of the files that the data were read from, by name; of the data where they are the hub's."""
        return self.files or {self.name: self.data_hash(limit)[:16]}

    def chances(self, limit: int | None) -> Iterator[float]:
        """For each item, how probable the right answer is by guessing; 0 where an answer is generated."""
        if self.task.OUTPUT_TYPE == "multiple_choice":
            for doc in self.docs(limit):
                with suppress(Exception):  # it fails alone, when it is asked
                    yield 1 / max(len(self.task.doc_to_choice(doc)), 1)
        else:
            yield from (0.0 for _ in range(self.n_items(limit)))
