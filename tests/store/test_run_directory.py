from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.errors import UsageError
from mplus_eval.store.outcomes import Answer, Outcome
from mplus_eval.store.parts import PartInfo, part_path, write_part
from mplus_eval.store.run_directory import RunDirectory


def test_a_cell_lies_under_its_model_and_task(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    assert directory.answers("plus", "mmlu") == tmp_path / "answers" / "plus" / "mmlu"
    assert directory.outcomes("plus", "mmlu") == tmp_path / "outcomes" / "plus" / "mmlu"
    assert directory.comparison == tmp_path / "comparison.json"
    assert directory.manifest == tmp_path / "manifest.json"


def test_what_is_stored_of_a_cell_is_found_again(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    assert directory.stored("a", "t") is None
    assert directory.answered("a", "t", 1) is None
    info = PartInfo("f", {"weights": "w"}, 1, 2)
    write_part(part_path(directory.answers("a", "t"), 1), Answer, [], info)
    assert directory.answered("a", "t", 1) == info
    assert directory.answered("a", "t", 0) is None
    assert directory.stored("a", "t") == info


def test_a_frame_has_lists_and_maps_as_they_were_stored_and_none_where_no_row_has_a_value(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    rows = [
        Outcome(
            item_id=f"i{n}", stratum="s", sample=0, prompt_hash="h", prompt="p",
            choices=["a", "b"], score=float(n), metrics={"acc": float(n)} if n else None,
        )
        for n in range(2)
    ]  # fmt: skip
    write_part(part_path(directory.outcomes("base", "mmlu"), 0), Outcome, rows, PartInfo("f", {}, 0, 1))
    frame = directory.outcome_frame("base", "mmlu", ("item_id", "cluster", "choices", "n_tokens", "score", "metrics"))
    assert frame.to_dict("list") == {
        "item_id": ["i0", "i1"],
        "cluster": [None, None],
        "choices": [["a", "b"], ["a", "b"]],
        "n_tokens": [None, None],
        "score": [0.0, 1.0],
        "metrics": [None, {"acc": 1.0}],
    }


def test_a_torn_part_hides_no_other(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    info = PartInfo("f", {"limit": "5"}, 1, 2)
    write_part(part_path(directory.answers("a", "t"), 1), Answer, [], info)
    part_path(directory.answers("a", "t"), 0).write_bytes(b"PAR1")
    assert directory.stored("a", "t") == info


def test_a_failure_is_kept_until_it_is_cleared(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    assert directory.failure("a", "t") is None
    directory.write_failure("a", "t", "out of memory")
    assert directory.failure("a", "t") == "out of memory"
    directory.clear_failure("a", "t")
    directory.clear_failure("a", "t")
    assert directory.failure("a", "t") is None


def test_a_second_process_is_refused_while_the_first_works(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")
    with (
        directory.locked(),
        pytest.raises(UsageError, match="another mplus-eval is working in this directory"),
        directory.locked(),
    ):
        pass
    with directory.locked():
        pass


def test_the_lock_is_free_after_a_process_was_killed(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path; from mplus_eval.store.run_directory import RunDirectory\n"
        "with RunDirectory(Path(sys.argv[1])).locked(): os.kill(os.getpid(), signal.SIGKILL)"
    )
    root = Path(__file__).resolve().parents[2]
    killed = subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=root, check=False)
    assert killed.returncode == -9
    with RunDirectory(tmp_path).locked():
        pass


def test_a_place_where_nothing_can_be_stored_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for path in (file, file / "below"):
        with (
            pytest.raises(UsageError, match=rf"--output {path}: a run cannot be stored there \("),
            RunDirectory(path).locked(),
        ):
            pass


def test_a_full_disk_is_not_taken_for_wrong_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(OSError, match="No space left"), RunDirectory(tmp_path).locked():
        pass


@pytest.mark.parametrize("name", ["", "..", "../../home", "a/b", "a\\b", "/etc", "a\0b", "x" * 201])
def test_a_name_that_leads_elsewhere_is_no_place(tmp_path: Path, name: str) -> None:
    directory = RunDirectory(tmp_path)
    places = [directory.answers, directory.outcomes, directory.likelihoods, directory.refusals]
    for place in places:
        for names in ((name, "sums"), ("plus", name)):
            with pytest.raises(UsageError, match="of a model or task, cannot be a path"):
                place(*names)
    for alone in (directory.grades, lambda model: directory.judgements(1, model)):
        with pytest.raises(UsageError):
            alone(name)


def test_a_failure_that_is_damaged_is_none(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    directory.write_failure("plus", "sums", "out of memory")
    assert directory.failure("plus", "sums") == "out of memory"
    path = tmp_path / "failures" / "plus" / "sums.json"
    path.write_bytes(path.read_bytes().replace(b"out of", b"out og"))
    assert directory.failure("plus", "sums") is None
    assert path.with_name("sums.json.damaged").is_file()
