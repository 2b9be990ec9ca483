"""The most memory that was held: begun anew, and of what is given back too."""

import sys

import numpy as np
import pytest
import torch

from mplus_eval.training import peak_memory
from mplus_eval.training.peak_memory import begin_peak, peak_gib

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


def test_where_it_is_not_told_it_is_unknown(monkeypatch, tmp_path):
    monkeypatch.setattr(peak_memory, "_STATUS", tmp_path / "none")
    assert peak_gib(CPU) is None
