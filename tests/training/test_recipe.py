from __future__ import annotations

import pytest

from mplus_eval.errors import SpecError
from mplus_eval.training.recipe import load_recipe


def test_a_limit_of_steps_above_that_of_the_comparison_is_refused() -> None:
    assert load_recipe("demo", ["compare.limit=30", "compare.trajectory_limit=30"]).compare.trajectory_limit == 30
    with pytest.raises(SpecError, match="compare: trajectory_limit 30 is above limit 20"):
        load_recipe("demo", ["compare.limit=20", "compare.trajectory_limit=30"])
