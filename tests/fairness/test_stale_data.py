"""Data that changed under a run are read as they lie, and never held against answers to what lay there before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mplus_eval.errors import SpecError
from mplus_eval.store.run_directory import RunDirectory
from tests.toy import Bench


def test_a_file_of_the_same_size_and_time_is_read_anew_and_refused_under_the_old_run(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.run()
    asked = {outcome.prompt for outcome in bench.outcomes("base", "words")}
    words = tmp_path / "tasks" / "words.jsonl"
    before = words.stat()
    words.write_text(words.read_text(encoding="utf-8").replace("say 3:", "say 8:"), encoding="utf-8")
    os.utime(words, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (words.stat().st_size, words.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)

    with pytest.raises(SpecError, match=r"different data \(words.jsonl changed\)"):
        bench.plan()
    bench.directory = RunDirectory(tmp_path / "another")
    bench.run()
    again = {outcome.prompt for outcome in bench.outcomes("base", "words")}
    assert ({"say 3:"} <= asked, {"say 3:"} <= again) == (True, False)
