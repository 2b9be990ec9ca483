"""What runs in a machine of its own (`stand.Machine`): the command line, and its workers.

Models answer by rule and slowly, and every item that is answered is a line of a log, so that a test can count what was
computed twice. The settings stand in the environment, so that workers in other processes have them too.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from mplus_eval.capability import axis
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.pipeline.executors import chosen, local, work, worker
from tests.toy import RuleBackend

LOG, SECONDS, VICTIMS = "TEST_MACHINE_LOG", "TEST_MACHINE_SECONDS", "TEST_MACHINE_VICTIMS"
PART = 5
if LOG in os.environ:
    # In the processes of workers, which import this module for `load`.
    axis.PART_ITEMS = PART


class SlowBackend(RuleBackend):
    """Takes some time for each call, notes what it answered, and dies where it is told to."""

    def respond(self, requests: Sequence[Any]) -> list[Any]:
        time.sleep(float(os.environ.get(SECONDS, "0")))
        die_in_turn()
        with Path(os.environ[LOG]).open("a") as log:
            items = dict.fromkeys(f"{self.name} {request.task_name} {request.doc_id}" for request in requests)
            log.write("".join(f"{item}\n" for item in items))
        return super().respond(requests)


def die_in_turn() -> None:
    """Be killed without a word, as often as the file of victims has lines left."""
    victims = Path(os.environ.get(VICTIMS, "/nowhere"))
    if victims.exists() and (lines := victims.read_text().splitlines()):
        victims.write_text("\n".join(lines[1:]))
        os.kill(os.getpid(), signal.SIGKILL)


def load(model: ResolvedModel) -> SlowBackend:
    """The model of a worker in another process, found by its name."""
    return SlowBackend(model.spec.name)


def with_slow_models(plan: Any, *_: Any) -> Any:
    """The executor that was asked for, with these models."""
    return None if plan.spec.devices is None else local.Local(plan.spec, load)


def main(arguments: list[str], environment: dict[str, str], said: Path) -> NoReturn:
    """Run the command line with these models, also in the workers of `--devices`, and end this process with its code.

    Args:
        arguments: of the command line.
        environment: of this process, in place of what it was started in.
        said: the file that is written in place of standard output and standard error.
    """
    from mplus_eval import cli

    with said.open("wb") as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
    os.environ.clear()
    os.environ.update(environment)
    # Whoever starts a process in the background may have it ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    axis.PART_ITEMS = PART
    work.SHORTEST = 0.0
    worker.load_backend = lambda _, spec, __: SlowBackend(spec.name)  # type: ignore[assignment]
    chosen.chosen_executor = with_slow_models
    sys.exit(cli.run(arguments))
