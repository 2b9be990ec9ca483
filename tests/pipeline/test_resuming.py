"""A run goes on from whatever it finds stored: damaged parts are made again, those from before checksums are kept."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from mplus_eval import cli
from mplus_eval.capability import axis as capability_axis
from mplus_eval.errors import SpecError
from tests.toy import Bench


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A finished run of two models on two tasks of twelve items, in parts of five."""
    monkeypatch.setattr(capability_axis, "PART_ITEMS", 5)
    bench = Bench(tmp_path)
    bench.compare()
    return bench


def flip_a_bit(part: Path) -> None:
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)


def truncate(part: Path) -> None:
    part.write_bytes(part.read_bytes()[:-100])


def files(bench: Bench) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in bench.directory.path.rglob("*.parquet")}


@pytest.mark.parametrize("damage", [flip_a_bit, truncate])
@pytest.mark.parametrize(("folder", "n_asked"), [("answers", 5 * 3), ("outcomes", 0)])
def test_a_damaged_part_is_set_aside_and_made_again(bench: Bench, damage, folder: str, n_asked: int) -> None:  # type: ignore[no-untyped-def]
    comparison, stored = bench.directory.comparison.read_bytes(), files(bench)
    part = bench.directory.path / folder / "plus" / "sums" / "part-00001.parquet"
    damage(part)
    bench.compare()
    assert [backend.n_answered for backend in bench.backends] == ([n_asked] if n_asked else [])
    assert bench.directory.comparison.read_bytes() == comparison
    assert part.with_name("part-00001.parquet.damaged").exists()
    again = files(bench)
    assert again.keys() == stored.keys()
    assert {path for path in stored if again[path] != stored[path]} <= {part}
    bench.compare()
    assert bench.backends == []


@pytest.mark.parametrize("damage", [flip_a_bit, truncate])
def test_a_report_of_a_damaged_part_is_refused_in_one_line(
    bench: Bench,
    damage,  # type: ignore[no-untyped-def]
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.run(["report", str(bench.directory.path)]) == 0
    capsys.readouterr()
    part = bench.directory.outcomes("plus", "sums") / "part-00001.parquet"
    damage(part)
    assert cli.run(["report", str(bench.directory.path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"mplus-eval: {part} is damaged; run the same `mplus-eval compare` again, which makes it anew"


def test_a_run_from_before_there_were_checksums_is_completed_without_asking_again(bench: Bench) -> None:
    comparison = bench.directory.comparison.read_bytes()
    for path in bench.directory.path.rglob("*.parquet"):
        table = parquet.read_table(path)
        kept = {key: value for key, value in table.schema.metadata.items() if key == b"mplus_eval"}
        plain: pa.Table = table.replace_schema_metadata(kept)
        parquet.write_table(plain, path, compression="zstd")
    stored = files(bench)
    assert not any(b"sha256" in content for content in stored.values())
    bench.directory.comparison.unlink()
    bench.compare()
    assert bench.backends == []
    assert bench.directory.comparison.read_bytes() == comparison
    assert files(bench) == stored
    # Another model is added to it as to any run.
    bench.compare(["base", "plus", "other"])
    assert [backend.name for backend in bench.backends] == ["other"]
    assert stored.items() <= files(bench).items()


def test_a_run_whose_data_were_corrected_is_refused_with_the_file(bench: Bench) -> None:
    bench.run()
    words = bench.path / "tasks" / "words.jsonl"
    words.write_text(words.read_text().replace("say 3", "say 4"))
    with pytest.raises(SpecError, match=r"different data \(words.jsonl changed\) of base × words, plus × words; name"):
        bench.plan()
