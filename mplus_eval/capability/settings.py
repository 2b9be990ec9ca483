"""Which tasks a run evaluates."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

from mplus_eval.capability.definitions import local_definitions, stock_definitions
from mplus_eval.errors import SpecError
from mplus_eval.spec.faults import nearest
from mplus_eval.spec.suite import STOCK_PREFIX, Suite, SuiteTask


def resolve_tasks(suite: Suite, names: Sequence[str] | None, *, tasks_dir: Path | None) -> tuple[SuiteTask, ...]:
    """Return the tasks to evaluate: those named, or all of the suite.

    A name is first the suite's, then that of a definition of this package or of `tasks_dir`, then lm-eval's;
    `lm_eval:NAME` is lm-eval's in any case, and is called `lm_eval.NAME` in the report.

    Raises:
        SpecError: with every name that is unknown (and the nearest known ones) or stands twice.
    """
    if names is None:
        return suite.tasks
    faults = [f"--tasks names {name!r} twice" for name in sorted({name for name in names if names.count(name) > 1})]
    of_suite = {task.name: task for task in suite.tasks}
    found: dict[str, SuiteTask] = {}
    for name in dict.fromkeys(names):
        task = of_suite.get(name) or _defined(name, tasks_dir)
        if task is None:
            faults.append(f"unknown task {name!r}; {_nearest_task(name, of_suite, tasks_dir)}")
        elif task.name in found:
            faults.append(f"--tasks: {name!r} would be called {task.name!r} in the report, as another task is")
        else:
            found[task.name] = task
    if faults:
        raise SpecError(faults)
    return tuple(found.values())


def _defined(name: str, tasks_dir: Path | None) -> SuiteTask | None:
    """A task outside the suite, with lm-eval's own shots and metric."""
    plain = name.removeprefix(STOCK_PREFIX)
    known = plain in stock_definitions() if plain != name else _is_local(name, tasks_dir) or name in stock_definitions()
    if not known:
        return None
    # Some names of lm-eval hold brackets or the like, and a name becomes a path.
    path_name = re.sub(r"[^A-Za-z0-9._-]+", "-", name.replace(":", ".")).lstrip("._-")
    return SuiteTask(name=path_name, lm_eval=name)


def _is_local(name: str, tasks_dir: Path | None) -> bool:
    return name in local_definitions(tasks_dir)


def _nearest_task(name: str, of_suite: Iterable[str], tasks_dir: Path | None) -> str:
    everything = [*of_suite, *local_definitions(tasks_dir), *stock_definitions()]
    close = get_close_matches(name.removeprefix(STOCK_PREFIX), list(dict.fromkeys(everything)), n=3, cutoff=0.6)
    return nearest(name, close or list(of_suite))
