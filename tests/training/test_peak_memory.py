"""The most memory that was held: begun anew, and of what is given back too."""

import platform
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mplus_eval.training import peak_memory
from mplus_eval.training.peak_memory import begin_peak, give_back, peak_gib

CPU = torch.device("cpu")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak")
def test_what_was_given_back_counts_and_what_was_held_before_the_beginning_does_not():
    begin_peak(CPU)
    before = peak_gib(CPU)
    assert before is not None
    np.ones(2**25).sum()
    assert peak_gib(CPU) - before > 0.2
    begin_peak(CPU)
    assert peak_gib(CPU) - before < 0.1


def held_mib() -> float:
    text = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.search(r"^VmRSS:\s+(\d+) kB", text, re.MULTILINE)[1]) / 1024


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only GNU's C library keeps what is freed")
def test_pieces_between_others_that_are_held_are_given_back():
    # Too small to be a mapping of its own each, and every tenth is kept.
    pieces = [np.ones(2**13) for _ in range(4000)]
    kept = pieces[::10]
    del pieces
    before = held_mib()
    give_back()
    assert held_mib() < before - 100
    assert len(kept) == 400


def test_where_it_is_not_told_it_is_unknown(monkeypatch, tmp_path):
    monkeypatch.setattr(peak_memory, "_STATUS", tmp_path / "none")
    assert peak_gib(CPU) is None
