from __future__ import annotations

import logging
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from mplus_eval.errors import InterruptedRunError, UsageError
from mplus_eval.store.outcomes import Answer
from mplus_eval.store.parts import PartInfo, part_path, read_part, write_part
from mplus_eval.store.run_directory import RunDirectory
from mplus_eval.store.storage import Mirror, Storage

ROWS = [Answer(item_id="sums/0", stratum="sums", sample=0, prompt_hash="00", prompt="1 + 1 =")]
NAME = "answers/base/sums/part-00000.parquet"


@pytest.fixture(params=["file", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    """An empty place of each kind that needs no server."""
    import fsspec

    yield Storage(f"file://{tmp_path / 'there'}" if request.param == "file" else "memory://bucket/run")
    fsspec.filesystem("memory").store.clear()


def write(directory: RunDirectory, model: str = "base", index: int = 0) -> Path:
    path = part_path(directory.answers(model, "sums"), index)
    write_part(path, Answer, ROWS, PartInfo("abc", {"weights": "w"}, index, 2))
    return path


def test_a_run_directory_is_made_again_elsewhere_from_what_was_put_there(storage: Storage, tmp_path: Path) -> None:
    here, elsewhere = RunDirectory(tmp_path / "here"), RunDirectory(tmp_path / "elsewhere")
    write(here), write(here, "plus", 1)
    assert Mirror(storage, here.path).push() == 2
    assert Mirror(storage, elsewhere.path).pull() == 2
    assert read_part(part_path(elsewhere.answers("plus", "sums"), 1), Answer) == ROWS
    assert (elsewhere.path / NAME).read_bytes() == (here.path / NAME).read_bytes()


def test_what_is_there_already_is_neither_put_nor_fetched_again(storage: Storage, tmp_path: Path) -> None:
    mirror, directory = Mirror(storage, tmp_path / "run"), RunDirectory(tmp_path / "run")
    write(directory)
    assert mirror.push() == 1
    write(directory, "plus")
    assert mirror.push() == 1
    again = Mirror(storage, tmp_path / "run")
    assert (again.pull(), again.push()) == (0, 0)


def test_a_part_that_was_made_again_is_put_there_again(storage: Storage, tmp_path: Path) -> None:
    mirror, directory = Mirror(storage, tmp_path / "run"), RunDirectory(tmp_path / "run")
    path = write(directory)
    mirror.push()
    write_part(path, Answer, [*ROWS, *ROWS], PartInfo("abc", {"weights": "w"}, 0, 2))
    assert mirror.push() == 1
    assert dict(storage.read([NAME]))[NAME] == path.read_bytes()


def test_the_results_go_there_with_a_finished_run(storage: Storage, tmp_path: Path) -> None:
    (tmp_path / "run" / "figures").mkdir(parents=True)
    for name in ("comparison.json", "report.html", "figures/tax.svg", ".lock", "notes.txt"):
        (tmp_path / "run" / name).write_text(name)
    mirror = Mirror(storage, tmp_path / "run")
    assert mirror.push() == 0
    assert mirror.push(results=True) == 3
    assert storage._files.cat_file(f"{storage._root}/figures/tax.svg") == b"figures/tax.svg"


def test_what_was_damaged_there_is_named_and_taken_for_missing(
    storage: Storage, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = write(RunDirectory(tmp_path / "run")).read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for number, content in enumerate((bytes(flipped), whole[:-100], b"", b"PAR1")):
        storage.put(f"answers/base/sums/part-0000{number}.parquet", content)
    with caplog.at_level(logging.WARNING):
        assert Mirror(storage, tmp_path / "elsewhere").pull() == 0
    assert not list(tmp_path.glob("elsewhere/**/*.parquet"))
    assert [f"part-0000{number}.parquet is damaged" in caplog.text for number in range(4)] == [True] * 4


def test_names_that_lead_elsewhere_or_are_none_of_a_run_are_not_fetched(tmp_path: Path) -> None:
    import fsspec

    whole = write(RunDirectory(tmp_path / "run")).read_bytes()
    files = fsspec.filesystem("memory")
    for name in (
        "answers/../../part-00000.parquet",
        "answers/base/../part-00000.parquet",
        "code.py",
        "part-00000.parquet",
    ):
        files.store.clear()
        files.pipe_file("/bucket/run/answers/x", b"")
        entry = {"name": f"/bucket/run/{name}", "size": len(whole), "type": "file"}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(files), "find", lambda *_, entry=entry, **__: {entry["name"]: entry})
            assert Storage("memory://bucket/run").parts() == {}


def test_a_place_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UsageError, match=r"--storage file://.*/file/run: cannot be written \(.*[Nn]ot a directory"):
        Storage(f"file://{tmp_path}/file/run").check()


def test_a_fault_that_passes_is_waited_for_and_one_that_stays_stops_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    left = [2]

    def fails(*_: object, **__: object) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise TimeoutError("the network is gone")

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", fails)
    Storage("memory://bucket/run").put("x", b"")
    left[0] = 3
    with pytest.raises(InterruptedRunError, match=r"memory://bucket/run: cannot be written \(the network is gone\)"):
        Storage("memory://bucket/run").put("x", b"")


def test_a_storage_can_be_sent_to_another_process(tmp_path: Path) -> None:
    storage = Storage(f"file://{tmp_path}")
    storage.check()
    assert pickle.loads(pickle.dumps(storage)) == storage


@pytest.mark.slow
def test_the_same_over_a_server_of_s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = pytest.importorskip("moto.server").ThreadedMotoServer(port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for key, value in (
            ("AWS_ENDPOINT_URL", f"http://{host}:{port}"),
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "hunter2"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
        ):
            monkeypatch.setenv(key, value)
        storage = Storage("s3://bucket/folder/run")
        with pytest.raises(UsageError, match=r"--storage s3://bucket/folder/run: cannot be .*bucket") as error:
            storage.check()
        assert "hunter2" not in str(error.value)
        storage._files.mkdir("bucket")
        storage.check()
        here, elsewhere = RunDirectory(tmp_path / "here"), RunDirectory(tmp_path / "elsewhere")
        for index in range(20):
            write(here, "base", index)
        assert Mirror(storage, here.path).push() == 20
        assert Mirror(storage, elsewhere.path).pull() == 20
        assert (elsewhere.path / NAME).read_bytes() == (here.path / NAME).read_bytes()
        storage.put(NAME, (here.path / NAME).read_bytes()[:-1])
        (elsewhere.path / NAME).unlink()
        assert Mirror(storage, elsewhere.path).pull() == 0
    finally:
        server.stop()
