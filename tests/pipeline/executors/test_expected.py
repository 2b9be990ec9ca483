from __future__ import annotations

from pathlib import Path

from mplus_eval.pipeline.executors.expected import LIKELIHOODS_SHARE, SECONDS_AN_ITEM, Expected
from tests.toy import Bench


def test_seconds_are_those_that_are_known_else_by_items(tmp_path: Path) -> None:
    plan = Bench(tmp_path).plan()
    sums, words = plan.cells[:2]
    expected = Expected({sums.key: 30.0}, {"base": 7.0})
    assert expected.seconds(sums, sums.parts) == 30.0
    assert expected.seconds(words, words.parts) == 12 * SECONDS_AN_ITEM
    assert expected.likelihoods(sums, (0,)) == LIKELIHOODS_SHARE * 30.0
    assert expected.needs(plan.models[0]).loading == 7.0
    # By the size of the files, of which there is next to nothing.
    assert 5.0 < expected.needs(plan.models[1]).loading < 5.1
    assert expected.needs(plan.models[0]).most_workers is None
