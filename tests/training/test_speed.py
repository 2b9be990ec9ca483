"""How fast a device is taken to be."""

from __future__ import annotations

from mplus_eval.training.speed import speed_of
from tests.training.tiny_recipe import recipe


def test_the_speed_of_the_processor_is_measured() -> None:
    speed = speed_of(recipe(device="cpu", threads=1))
    assert speed.device == "CPU"
    assert 1e8 < speed.operations_per_second < 1e14
