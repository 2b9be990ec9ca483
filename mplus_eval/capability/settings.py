"""Which tasks a run evaluates."""

from __future__ import annotations

import re
from collections.abc import Sequence
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
    tasks: dict[str, SuiteTask] = {}
    for name in dict.fromkeys(names):
        task, plain = of_suite.get(name), name.removeprefix(STOCK_PREFIX)
        is_local = task is None and plain == name and name in local_definitions(tasks_dir)
        if is_local or (task is None and plain in stock_definitions()):
            # lm-eval's own shots and metric, but choices asked as in the rest of the suite.
            choices = suite.choices if suite.choices == "generate" else None
            task = SuiteTask(name=path_name(name), lm_eval=name, choices=choices)
        if task is None:
            everything = dict.fromkeys([*of_suite, *local_definitions(tasks_dir), *stock_definitions()])
            close = get_close_matches(plain, list(everything), n=3, cutoff=0.6)
            faults.append(f"unknown task {name!r}; {nearest(name, close or list(of_suite))}")
        elif task.name in tasks:
            faults.append(f"--tasks: {name!r} would be called {task.name!r} in the report, as another task is")
        else:
            tasks[task.name] = task
    if faults:
        raise SpecError(faults)
    return tuple(tasks.values())


def path_name(name: str) -> str:
    """A task's name as it becomes a path; some hold brackets or the like."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name.replace(":", ".")).lstrip("._-")[:100] or "task"
