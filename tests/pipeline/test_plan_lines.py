from __future__ import annotations

from pathlib import Path

import mplus_eval
from mplus_eval.pipeline.progress import RunProgress
from mplus_eval.store.hashes import cache_directory
from tests.toy import write_tasks


class Details(RunProgress):
    """Keeps what only those are told who asked for everything."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def detail(self, sentence: str) -> None:
        self.lines.append(sentence)


def test_a_plan_is_told_with_its_size_models_and_folders(tmp_path: Path, tiny_model) -> None:  # type: ignore[no-untyped-def]
    suite, model = write_tasks(tmp_path / "tasks"), tiny_model()
    told = []
    for seed in (0, 1):
        details = Details()
        mplus_eval.compare(
            {"base": str(model)}, suite=str(suite), tasks_dir=tmp_path / "tasks", output=tmp_path / "run", seed=seed,
            progress=details,
        )  # fmt: skip
        told.append(details.lines)
    assert told[0][0] == "plan: 2 cells, 24 items; 0 cells are stored"
    assert told[1][0] == "plan: 2 cells, 24 items; 2 cells are stored"
    assert told[0][1].startswith(f"model base: {model}, backend hf, weights ")
    assert told[0][2:] == [f"run: {(tmp_path / 'run').resolve()}", f"cache: {cache_directory()}"]
