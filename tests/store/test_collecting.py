from __future__ import annotations

import gc

import pytest

from mplus_eval.store.collecting import without_collecting


def test_nothing_is_collected_within_and_all_is_as_before_behind_it() -> None:
    assert gc.isenabled()
    with pytest.raises(ValueError, match="within"), without_collecting():
        assert not gc.isenabled()
        raise ValueError("within")
    assert gc.isenabled()


def test_whoever_had_switched_it_off_finds_it_off() -> None:
    gc.disable()
    try:
        with without_collecting():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
