"""From what a model thinks of texts to whether it had seen them: values, tests, adjusted over all of a model's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from mplus_eval.backends import Backend
from mplus_eval.contamination.likelihood import text_log_probabilities, token_log_probabilities
from mplus_eval.contamination.probes import Probe, Test
from mplus_eval.records.contamination import SeenTest, TaskContamination
from mplus_eval.statistics.adjust import holm
from mplus_eval.statistics.design import Floats
from mplus_eval.statistics.exchangeability import Exchangeability, exchangeability_test, min_k

SHARE = 0.2
"""Of a text's tokens, the least likely ones (Min-20% of Shi et al.)."""


@dataclass(frozen=True, eq=False)
class TaskValues:
    """What one model thinks of the texts of one task.

    Attributes:
        tables: by test, shape (rows, texts): log-probabilities of whole texts, or Min-K% of each.
        withheld: why there is no table, by test.
    """

    tables: Mapping[Test, Floats] = field(default_factory=dict)
    withheld: Mapping[str, str] = field(default_factory=dict)


Values: TypeAlias = Mapping[str, TaskValues]
"""Of one model, by task."""


def measure(backend: Backend, probe: Probe) -> TaskValues:
    """Ask a loaded model about every text of a task."""
    tables: dict[Test, Floats] = {}
    withheld = dict(probe.withheld)
    for test, rows in probe.rows.items():
        texts = [text for row in rows.texts for text in row]
        try:
            values = text_log_probabilities(backend, texts) if test == "order" else _min_k(backend, texts)
        except ValueError as error:
            withheld[test] = str(error)
            continue
        if values is None:
            withheld[test] = "the backend does not tell the log-probability of each token"
        elif not np.isfinite(values).all():
            withheld[test] = "the model's log-probabilities are not finite"
        else:
            tables[test] = np.asarray(values).reshape(len(rows.texts), -1)
    return TaskValues(tables, withheld)


def _min_k(backend: Backend, texts: Sequence[str]) -> list[float] | None:
    by_token = token_log_probabilities(backend, texts)
    return None if by_token is None else [min_k(values, SHARE) for values in by_token]


def judged(
    values: Values, probes: Mapping[str, Probe], *, level: float, seed: int, reference: Values | None = None
) -> dict[str, TaskContamination]:
    """Test all tasks of one model.

    Args:
        values: of the model.
        probes: what it was asked.
        level: of the tests together.
        seed: of their random draws.
        reference: of a model that cannot have seen the items; its values are taken off, so that what makes an order
            likely to anybody counts for nothing.
    """
    found: dict[tuple[str, Test], Exchangeability] = {}
    withheld: dict[str, dict[str, str]] = {}
    for task, of_task in values.items():
        withheld[task] = dict(of_task.withheld)
        for test, table in of_task.tables.items():
            if reference is not None:
                beside = reference[task].tables.get(test)
                if beside is None:
                    withheld[task][test] = f"of the reference model: {reference[task].withheld[test]}"
                    continue
                table = table - beside
            generator = np.random.default_rng([seed, len(found)])
            found[task, test] = exchangeability_test(table, generator)
    adjusted = holm({key: each.p_value for key, each in found.items()})
    tests = {
        (task, test): SeenTest(
            p_value=each.p_value,
            p_adjusted=adjusted[task, test],
            gain=each.gain,
            n=each.n_rows,
            n_references=len(probes[task].rows[test].texts[0]) - 1,
            reference=probes[task].rows[test].reference,
            flagged=adjusted[task, test] < level,
        )
        for (task, test), each in found.items()
    }
    return {
        task: TaskContamination(
            order=tests.get((task, "order")), min_k=tests.get((task, "min_k")), withheld=withheld[task]
        )
        for task in values
    }
