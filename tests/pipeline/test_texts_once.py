"""Several samples of an item are stored once: outcomes have the texts of the answers beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest
from pyarrow import parquet

from mplus_eval.pipeline.score import score_part
from mplus_eval.store.checksummed import TEXTS, DamagedPartError
from mplus_eval.store.outcomes import Answer, Outcome
from mplus_eval.store.parts import PartInfo, part_path, read_columns, read_part, write_part
from mplus_eval.store.run_directory import RunDirectory


def answers(n_prompts: int, n_samples: int) -> list[Answer]:
    draw = Random(0)
    letters = "etaoinshrdlu     "
    return [
        Answer(
            item_id=f"set/{item}",
            stratum="set",
            sample=sample,
            prompt_hash=f"{item:064}",
            prompt=f"Prompt {item}",
            generations=["".join(draw.choices(letters, k=1200))],
            n_tokens=draw.randrange(200),
            ended=draw.random() < 0.5,
        )
        for item in range(n_prompts)
        for sample in range(n_samples)
    ]


def scored(given: Sequence[Answer]) -> list[Outcome]:
    return [Outcome.of(each, score=each.sample / 4, metrics={"words:toxicity": each.sample / 4}) for each in given]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Of a part of outcomes, and beside it one of answers: 40 prompts, 25 samples of each."""
    given = part_path(tmp_path / "answers" / "plus" / "set", 0)
    write_part(given, Answer, answers(40, 25), PartInfo("abc", {}, 0, 1))
    score_part(given, tmp_path / "outcomes" / "plus" / "set", {"scorer": "s"}, scored)
    return part_path(tmp_path / "outcomes" / "plus" / "set", 0)


def test_the_texts_of_several_samples_stand_in_the_answers_alone_and_are_read_with_the_outcomes(place: Path) -> None:
    assert not set(TEXTS) & set(parquet.read_schema(place).names)
    assert read_part(place, Outcome) == scored(answers(40, 25))
    assert read_columns(place, ["sample", "generations"]).num_columns == 2
    assert set(read_columns(place).column_names) == set(Outcome.SCHEMA.names)
    frame = RunDirectory(place.parents[3]).outcome_frame("plus", "set")
    assert list(frame["generations"]) == [each.generations for each in answers(40, 25)]


def test_what_is_stored_takes_at_most_1_2_times_the_compressed_texts(place: Path) -> None:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as texts:
        for each in answers(40, 25):
            texts.write(str(each.text).encode())
    stored = sum(path.stat().st_size for path in place.parents[3].rglob("*.parquet"))
    assert stored < 1.2 * sink.getvalue().size


def test_outcomes_whose_answers_are_other_ones_or_gone_are_read_without_texts_alone(place: Path) -> None:
    given = part_path(place.parents[3] / "answers" / "plus" / "set", 0)
    write_part(given, Answer, answers(40, 24), PartInfo("abc", {}, 0, 1))
    with pytest.raises(DamagedPartError, match="answers"):
        read_part(place, Outcome)
    write_part(given, Answer, answers(40, 25), PartInfo("another", {}, 0, 1))
    with pytest.raises(DamagedPartError, match="answers"):
        read_part(place, Outcome)
    given.unlink()
    with pytest.raises(DamagedPartError, match="answers"):
        read_part(place, Outcome)
    assert read_columns(place, ["score"])["score"].to_pylist()[:2] == [0.0, 0.25]


@pytest.mark.parametrize("change", ["one sample", "another text", "fewer rows"])
def test_outcomes_that_are_not_row_by_row_their_answers_hold_their_own_texts(tmp_path: Path, change: str) -> None:
    given = part_path(tmp_path / "answers" / "plus" / "set", 0)
    write_part(given, Answer, answers(4, 1 if change == "one sample" else 2), PartInfo("abc", {}, 0, 1))

    def score(rows: Sequence[Answer]) -> list[Outcome]:
        found = scored(rows)
        if change == "another text":
            found[0] = replace(found[0], generations=["otherwise"])
        return found[::2] if change == "fewer rows" else found

    score_part(given, tmp_path / "outcomes" / "plus" / "set", {"scorer": "s"}, score)
    place = part_path(tmp_path / "outcomes" / "plus" / "set", 0)
    assert set(TEXTS) <= set(parquet.read_schema(place).names)
    assert read_part(place, Outcome) == score(read_part(given, Answer))
