"""One model in several processes: process 0 asks, and the others do what it does.

    torchrun --nproc-per-node 4 -m mplus_eval compare base=DIR,tp_plan=auto plus=DIR,tp_plan=auto

With tensor parallelism every process holds a slice of each layer, and a forward needs all of them at the same time.
Process 0 has the whole line to itself: it plans, stores and reports. Before it loads or asks a model it tells the
others, who do the same and forget what was answered. They read no run directory and write nothing.

What goes wrong goes wrong in step: after each call the processes tell one another how it ended. The same failure in all
of them is the model's or the request's, out of memory in one is out of memory in all, and anything else ends the run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from mplus_eval.backends.base import Response
from mplus_eval.backends.hf import HfModel, is_out_of_memory, load_here
from mplus_eval.errors import InterruptedRunError, UsageError
from mplus_eval.models.locations import ModelLocation
from mplus_eval.models.placement import group_rank
from mplus_eval.spec.model import ModelSpec

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance
    from torch.distributed import ProcessGroup

Result = TypeVar("Result")

_AT_WORK = timedelta(minutes=10)
"""How long one process waits for another within a forward, where one that stands still has failed."""
_BETWEEN = timedelta(weeks=52)
"""How long the others wait for process 0, which may score, judge and write for hours; torchrun ends them with it."""
_DONE, _OUT_OF_MEMORY = "done", "out of memory"


@dataclass(frozen=True)
class Call:
    """What process 0 does next, and the others with it."""

    name: str
    arguments: tuple[Any, ...] = ()


class Group:
    """The processes that torchrun started."""

    current: ClassVar[Group | None] = None
    """That of this process, while it leads or follows."""

    def __init__(self) -> None:
        """Meet the other processes, on the device that is this one's."""
        import torch
        import torch.distributed as dist

        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=_AT_WORK)
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self._control: ProcessGroup = dist.new_group(backend="gloo", timeout=_BETWEEN)

    def tell(self, name: str, *arguments: Any) -> None:
        """From process 0, what it does next; the others say nothing."""
        if self.rank == 0:
            self._broadcast(Call(name, arguments))

    def told(self) -> Call | None:
        """What process 0 does next; None when it is done.

        Raises:
            InterruptedRunError: when it is gone.
        """
        try:
            return self._broadcast(None)
        except RuntimeError as error:
            raise InterruptedRunError("process 0 is gone") from error

    def dismiss(self) -> None:
        """From process 0: it is done."""
        self._broadcast(None)

    def agree(self, act: Callable[[], Result]) -> Result:
        """Do the same thing in all processes.

        Raises:
            torch.OutOfMemoryError: when one of them had too little memory.
            InterruptedRunError: when it ended differently, so that they are out of step.
        """
        import torch

        failure: Exception | None = None
        try:
            result = act()
        except Exception as error:  # noqa: BLE001 - raised again below, once all processes know of it
            failure = error
        endings = self._gather(_ending(failure))
        if _OUT_OF_MEMORY in endings and set(endings) <= {_OUT_OF_MEMORY, _DONE}:
            raise torch.OutOfMemoryError("in one of the processes") from failure
        if len(set(endings)) > 1:
            told = "; ".join(f"process {rank}: {ending}" for rank, ending in enumerate(endings))
            raise InterruptedRunError(f"the processes of torchrun are out of step ({told}); run the same command again")
        if failure is not None:
            raise failure
        return result

    def leave(self) -> None:
        """Part from the others."""
        import torch.distributed as dist

        dist.destroy_process_group()

    def _broadcast(self, call: Call | None) -> Call | None:
        import torch.distributed as dist

        calls = [call]
        dist.broadcast_object_list(calls, src=0, group=self._control)
        return calls[0]

    def _gather(self, ending: str) -> list[str]:
        import torch.distributed as dist

        endings = [""] * self.size
        dist.all_gather_object(endings, ending, group=self._control)
        return endings


class SlicedModel(HfModel):
    """A model of which this process holds a slice; what process 0 asks it, the others ask theirs."""

    group: Group

    def respond(self, requests: Sequence[Instance]) -> list[Response]:
        """As `HfModel`'s, in step."""
        self.group.tell("respond", list(requests))
        return super().respond(requests)

    def score_tokens(self, requests: Sequence[tuple[Sequence[int], Sequence[int]]]) -> list[Response]:
        """As `HfModel`'s, in step."""
        self.group.tell("score_tokens", list(requests))
        return super().score_tokens(requests)

    def _with_memory(self, ask: Callable[[], list[Response]]) -> list[Response]:
        return super()._with_memory(lambda: self.group.agree(ask))


def load_in_step(model: ModelSpec, source: ModelLocation) -> SlicedModel:
    """Load a model in all processes, a slice in each.

    Raises:
        UsageError: when this process is none of a group.
    """
    group = Group.current
    if group is None:
        raise UsageError(f"model {model.name!r}: tp_plan: only compare, plan, toxicity and conversation lead a group")
    group.tell("load", model, source)
    backend = group.agree(lambda: load_here(model, source, SlicedModel))
    assert isinstance(backend, SlicedModel)
    backend.group = group
    return backend


def is_follower() -> bool:
    """Whether another process of a group asks."""
    return bool(group_rank())


@contextmanager
def leading() -> Iterator[None]:
    """Lead the processes that torchrun started, where there are any; when done, they are dismissed.

    After a failure they are not: this process ends with an exit code, and torchrun ends the others.
    """
    if group_rank() is None:
        yield
        return
    group = Group.current = Group()
    yield
    group.dismiss()
    group.leave()
    Group.current = None


def follow() -> None:
    """Do what process 0 does until it is done.

    Raises:
        InterruptedRunError: when process 0 is gone, or this one is out of step with it.
    """
    group = Group.current = Group()
    model: SlicedModel | None = None
    while (call := group.told()) is not None:
        if call.name == "load" and model is not None:
            # Process 0 has forgotten it too.
            model.close()
            model = None
        try:
            if call.name == "load":
                model = load_in_step(*call.arguments)
            elif model is not None:
                getattr(model, call.name)(*call.arguments)
        except InterruptedRunError:
            raise
        except Exception:  # noqa: BLE001 - process 0 failed in the same way, and says so
            pass
    group.leave()
    Group.current = None


def _ending(failure: Exception | None) -> str:
    """How a call ended, in words that are the same in every process."""
    if failure is None:
        return _DONE
    if isinstance(failure, MemoryError) or (isinstance(failure, RuntimeError) and is_out_of_memory(failure)):
        return _OUT_OF_MEMORY
    return type(failure).__name__
