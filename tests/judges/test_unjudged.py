from __future__ import annotations

import pytest

from mplus_eval.judges.unjudged import unjudged


@pytest.mark.parametrize(("n_missing", "is_told"), [(0, False), (2, False), (3, True), (20, True)])
def test_more_than_a_tenth_without_a_verdict_is_told(n_missing: int, is_told: bool) -> None:
    causes = ["timed out"] * n_missing + [None] * (20 - n_missing)
    assert (unjudged("judge", {"plus": causes}) is not None) == is_told


def test_a_model_without_any_verdict_is_told_however_few_its_pairs_are() -> None:
    found = unjudged("judge", {"plus": [None] * 50, "sft": ["timed out"]})
    assert found is not None
    assert (found.n_asked, found.n_unjudged, found.models) == (51, 1, ("sft",))


def test_nothing_asked_is_nothing_left_open() -> None:
    assert unjudged("judge", {}) is None
    assert unjudged("judge", {"plus": []}) is None


def test_causes_are_counted_without_what_a_single_reply_said() -> None:
    causes = [
        "gave no verdict at the end of its reply (A!)",
        "gave no verdict at the end of its reply (B?)",
        "timed out",
    ]
    found = unjudged("judge", {"plus": causes})
    assert found is not None
    assert found.causes == {"gave no verdict at the end of its reply": 2, "timed out": 1}
