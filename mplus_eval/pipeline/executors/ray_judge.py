"""A judge as an actor of Ray: where dialogues are judged by a model that is loaded, on a node that has a GPU for it.

The driver of a cluster often sits on a node without one. Judges behind an API are asked by the driver, which has the
keys; and scorers of toxicity sit with the worker whose answers they read, since they take a fraction of its time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from mplus_eval.conversation.axis import Conversation
from mplus_eval.errors import InterruptedRunError
from mplus_eval.models.cells import Cell
from mplus_eval.pipeline.axis import Axis
from mplus_eval.pipeline.executors.cluster import is_elsewhere
from mplus_eval.pipeline.executors.ray import RayExecutor
from mplus_eval.pipeline.plan import Plan
from mplus_eval.spec.judges import judge_kind
from mplus_eval.store.run_directory import RunDirectory


def is_judged_there(plan: Plan, axis: Axis, cells: Sequence[Cell]) -> bool:
    """Whether the judges of an axis load models, all of them, and there is a cluster to do that on."""
    if plan.spec.executor != "ray" or not cells or not is_elsewhere(plan.spec.address):
        return False
    return isinstance(axis, Conversation) and all(judge_kind(source).loads_model for source in axis.judges)


def judge_there(
    plan: Plan, axis: Axis, cells: Sequence[Cell], directory: RunDirectory, say: Callable[[str], None]
) -> Mapping[str, str]:
    """What `axis.judge` does, by an actor.

    Raises:
        UsageError: no node can take part.
        InterruptedRunError: the actor died; what was judged where the directory is shared stays.
    """
    import ray

    executor = RayExecutor(plan, directory, say=say, most=1)
    try:
        (seat,) = executor.seats
        place = executor.place(seat)
        stored = {} if place.shares else dict(_files(directory, cells))
        asked = place.actor.judge.remote(axis.name, [cell.key for cell in cells], stored)
        try:
            fingerprints, made = ray.get(asked)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.RayError:
            raise InterruptedRunError(
                f"{seat.name}, the judge: its process died; all answers are stored, and the same command goes on"
            ) from None
        for name, content in made.items():
            executor.take(name, content)
        return dict(fingerprints)
    finally:
        executor.close()


def _files(directory: RunDirectory, cells: Sequence[Cell]) -> Iterator[tuple[str, bytes]]:
    """The answers of some cells, and every judgement."""
    folders = [directory.path / "judgements", *(directory.answers(*cell.key) for cell in cells)]
    for path in (path for folder in folders for path in sorted(folder.rglob("part-*.parquet"))):
        yield _name(directory.path, path), path.read_bytes()


def _name(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()
