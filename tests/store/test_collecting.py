from __future__ import annotations

import gc
from contextlib import suppress

from mplus_eval.store.collecting import without_collecting


def test_nothing_is_collected_within_and_all_is_as_before_behind_it() -> None:
    assert gc.isenabled()
    with without_collecting():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_collecting_goes_on_behind_an_error_too() -> None:
    with suppress(ValueError), without_collecting():
        raise ValueError
    assert gc.isenabled()


def test_whoever_had_switched_it_off_finds_it_off() -> None:
    gc.disable()
    try:
        with without_collecting():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
