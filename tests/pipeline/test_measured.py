from __future__ import annotations

import json
from pathlib import Path

import pytest

from mplus_eval.errors import UsageError
from mplus_eval.pipeline.measured import Measured
from mplus_eval.pipeline.speed import Span
from tests.toy import Bench

KINDS = {"sums": "choice", "words": "generation"}


def stored(folder: Path, cells: object) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "manifest.json").write_text(json.dumps({"cells": cells}))
    return folder


def cell(model: str, task: str, n_items: int, seconds: float) -> dict[str, object]:
    return {"model": model, "task": task, "n_items": n_items, "seconds": seconds}


def test_items_take_what_they_took(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cells = {each.key: each for each in bench.plan().cells}
    run = stored(
        tmp_path / "other",
        [cell("base", "sums", 10, 5.0), cell("base", "words", 10, 20.0), cell("plus", "sums", 10, 10.0)],
    )
    measured = Measured.of_run(run, KINDS)
    assert measured.seconds(cells["base", "sums"], 12) == Span.around(6.0, 1.15)
    # plus took twice as long as base with what both did.
    assert measured.seconds(cells["plus", "words"], 12) == Span.around(48.0, 1.5)


def test_another_task_of_the_kind_tells_something(tmp_path: Path) -> None:
    sums, words = Bench(tmp_path).plan(["base"]).cells
    measured = Measured({("base", "other", "choice"): (4, 2.0)})
    assert measured.seconds(sums, 10) == Span.around(5.0, 3.0)
    assert measured.seconds(words, 10) is None


def test_cells_of_the_run_itself_go_first(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.run(["base"])
    plan = bench.plan(["base"])
    own = Measured.of_plan(plan, bench.directory)
    assert set(own.models_and_tasks) == {("base", "sums"), ("base", "words")}
    merged = own.over(Measured({("base", "sums", "choice"): (1, 99.0), ("plus", "sums", "choice"): (1, 1.0)}))
    assert merged.cells["base", "sums", "choice"] == own.cells["base", "sums", "choice"]
    assert ("plus", "sums") in merged.models_and_tasks


def test_what_cannot_be_is_left_out(tmp_path: Path) -> None:
    run = stored(tmp_path / "other", [cell("base", "sums", 0, 5.0), cell("base", "words", 3, float("inf"))])
    assert Measured.of_run(run, KINDS).cells == {}


@pytest.mark.parametrize("content", ["", "[]", '{"cells": [1]}', '{"cells": 3}', '{"cells": [{"model": "a"}]}', "\0"])
def test_a_manifest_that_is_none_is_a_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(UsageError, match=r"--from-run .*: its manifest\.json is none of a run's"):
        Measured.of_run(tmp_path, {})


def test_a_folder_without_a_run_is_a_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--from-run .*: holds no manifest\.json"):
        Measured.of_run(tmp_path, {})
