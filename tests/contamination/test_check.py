from __future__ import annotations

import numpy as np
import pytest

from mplus_eval.backends import Response
from mplus_eval.contamination.check import TaskValues, judged, measure
from mplus_eval.contamination.probes import Probe, Rows
from tests.toy import RuleBackend

ROWS = Rows(tuple((f"seen {number}", f"b {number}", f"c {number}") for number in range(6)), "others")
PROBES = {"sums": Probe({"order": ROWS, "min_k": ROWS}), "words": Probe({"order": ROWS}, {"min_k": "no choices"})}


class Remembering(RuleBackend):
    """Finds a text likelier that was seen."""

    def _respond(self, request: object) -> Response:
        text = request.args[1]  # type: ignore[attr-defined]
        return Response(log_probability=-10.0 if text.startswith("seen") else -20.0 - len(text))


def test_values_are_tables_and_what_a_backend_cannot_tell_is_withheld() -> None:
    found = measure(Remembering("plus"), PROBES["sums"])
    assert found.tables["order"].shape == (6, 3)
    assert found.tables["order"][:, 0].tolist() == [-10.0] * 6
    assert found.withheld == {"min_k": "the backend does not tell the log-probability of each token"}


def test_values_that_are_no_numbers_are_withheld() -> None:
    class Broken(RuleBackend):
        def _respond(self, request: object) -> Response:
            return Response(log_probability=float("nan"))

    assert measure(Broken("plus"), PROBES["words"]).withheld == {
        "min_k": "no choices",
        "order": "the model's log-probabilities are not finite",
    }


def test_p_values_are_adjusted_over_all_tests_of_the_model() -> None:
    generator = np.random.default_rng(0)
    seen, unseen = np.tile([3.0, 1.0, 1.0], (6, 1)), generator.normal(size=(6, 3))
    values = {
        "sums": TaskValues({"order": seen, "min_k": unseen}),
        "words": TaskValues({"order": unseen}, {"min_k": "no"}),
    }
    found = judged(values, PROBES, level=0.05, seed=0)
    order = found["sums"].order
    assert order is not None
    assert order.p_value == pytest.approx(3**-6, abs=1e-3)
    assert order.p_adjusted == pytest.approx(3 * order.p_value)
    assert (order.flagged, order.n, order.n_references, order.reference) == (True, 6, 2, "others")
    assert found["sums"].flagged
    assert not found["words"].flagged
    assert found["words"].withheld == {"min_k": "no"}


def test_what_a_reference_model_finds_likely_too_counts_for_nothing() -> None:
    likely = {"words": TaskValues({"order": np.tile([3.0, 1.0, 1.0], (6, 1))})}
    found = judged(likely, PROBES, level=0.05, seed=0, reference=likely)["words"].order
    assert found is not None
    assert (found.p_value, found.gain, found.flagged) == (1.0, 0.0, False)
    lacking = judged(likely, PROBES, level=0.05, seed=0, reference={"words": TaskValues({}, {"order": "gone"})})
    assert lacking["words"].withheld == {"order": "of the reference model: gone"}
