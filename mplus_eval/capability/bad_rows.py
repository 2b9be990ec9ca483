"""A row that a task cannot make a prompt of fails alone, by name; lm-eval would lose the whole subtask with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from mplus_eval.data.rows import half_surrogate

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance
    from lm_eval.api.task import ConfigurableTask


class RowGuard:
    """Stands between a task and its own building of prompts, and keeps why that failed, by the document's number."""

    def __init__(self, task: ConfigurableTask, cluster_of: Callable[[object], str | None]) -> None:
        """Watch a task; a document whose cluster cannot be told fails too."""
        self.faults: dict[int, str] = {}
        self.numbers: Sequence[int] = ()
        """Of the documents that prompts are built of, in order: lm-eval numbers them by their place among these."""
        self._task, self._cluster_of = task, cluster_of
        self._fault: str | None = None
        target = cast(Any, task)
        target.doc_to_prefix = self._watched(task.doc_to_prefix, None)
        target.fewshot_context = self._watched(task.fewshot_context, "")
        self._construct = task.construct_requests
        target.construct_requests = self._requests

    def _watched(self, function: Callable[..., Any], otherwise: object) -> Callable[..., Any]:
        def watched(doc: object, *rest: Any, **more: Any) -> Any:
            try:
                return function(doc, *rest, **more)
            except Exception as error:  # noqa: BLE001 - a task's code is foreign and may raise anything; the row keeps it
                self._fault = self._fault or _cause(error)
                return otherwise

        return watched

    def _requests(self, doc: object, ctx: object, **more: Any) -> Instance | list[Instance]:
        from lm_eval.api.instance import Instance

        fault, self._fault = self._fault, None
        name, place, repeats = more["metadata"]
        number = self.numbers[place] if self.numbers else place
        more["metadata"] = metadata = (name, number, repeats)
        try:
            requests: Instance | list[Instance] = [] if fault else self._construct(doc=doc, ctx=ctx, **more)
            self._cluster_of(doc)
            each = requests if isinstance(requests, list) else [requests]
            texts = [text for request in each for text in request.args if isinstance(text, str)]
            fault = fault or next(filter(None, map(half_surrogate, texts)), None)
        except Exception as error:  # noqa: BLE001 - as above
            fault = fault or _cause(error)
        self.faults.pop(number, None)
        if fault is None:
            return requests
        self.faults[number] = fault
        # lm-eval counts on a request for each document; this one is never put to a model.
        return Instance("generate_until", cast(Any, doc), ("", {}), 0, metadata)


def _cause(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
