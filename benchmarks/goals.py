"""A simulation whose lines are held against goals: what is asked for, a table or JSON, and the exit code."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, Literal

from printout import add_write, printed

Status = Literal["ok", "MISSED", "shown"]
"""Of a line, which holds it in `status`; `shown` is a rate without a goal."""


def run(
    doc: str,
    sections: Sequence[Callable[[int, int], Iterator[Any]]],
    replications: int,
    name: str,
    *,
    heading: str,
    line: Callable[[Any], str],
    quick: int,
    first: Callable[[], None] = lambda: None,
) -> int:
    """Read what is asked for, simulate and print a table, with something `first` above it; 1 where a goal is missed.

    Args:
        doc: of the benchmark; its first line describes the command.
        sections: each gives lines, which are dataclasses, from how many replications and which seed.
        replications: how many, where nothing else is asked for.
        name: of the printout.
        heading: of the table.
        line: as a row of it.
        quick: how many replications `--quick` has at most.
        first: prints above the table.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--replications", type=int, default=replications)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--quick", action="store_true", help=f"{quick} replications at most: shows the form, proves nothing"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    add_write(parser)

    def simulate(options: argparse.Namespace) -> int:
        n_replications = min(options.replications, quick) if options.quick else options.replications
        started, missed = time.process_time(), 0
        if not options.json:
            first()
            print(heading)
        for section in sections:
            for row in section(n_replications, options.seed):
                missed += row.status == "MISSED"
                print(json.dumps(asdict(row)) if options.json else line(row), flush=True)
        if not options.json:
            print(f"{n_replications} replications, {time.process_time() - started:.0f} s of CPU, {missed} goals missed")
        return int(missed > 0 and not options.quick)

    return printed(parser.parse_args(), simulate, name)
