from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.reports.explorer.collection import Choice
from mplus_eval.reports.explorer.dialogues import dialogue_collection
from mplus_eval.store.run_directory import RunDirectory
from tests.reports import build
from tests.reports import build_conversation as talk
from tests.reports.explorer.unpacking import Unpacked, unpacked


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return talk.write_run(tmp_path_factory.mktemp("talk"), talk.talking())


def collected(directory: Path, choice: Choice = "all") -> Unpacked:
    found = dialogue_collection(talk.talking(), RunDirectory(directory), choice)
    assert found is not None
    return unpacked(found.text)


def test_a_dialogue_has_the_mean_preference_of_its_turns(run: Path) -> None:
    columns = collected(run).columns
    assert columns["ids"] == [f"d{n}" for n in range(15)]
    # First turns: won, lost, tied, decided by the order, unjudged; second turns: won. The baseline failed in d0.
    assert columns["score:plus"][:5] == [1, 0.5, 0.75, 0.75, 1]
    assert columns["state:plus"][:5] == "-=ggg"
    assert columns["state:base"][:2] == "f="


def test_dialogues_on_which_two_judges_prefer_different_answers_are_marked(run: Path) -> None:
    found = collected(run)
    for marked, item in zip(found.columns["disagree:plus"], found.items, strict=True):
        judged = [{judge[1]["v"] for judge in turn["j"] if "v" in judge[1]} for turn in item["r"]]
        assert (marked == "1") == any({0.0, 1.0} <= preferences for preferences in judged)
    assert {"0", "1"} == set(found.columns["disagree:plus"])


def test_every_turn_has_all_answers_and_each_judges_words(run: Path) -> None:
    turn = collected(run).items[3]["r"][0]
    assert turn["q"] == "Question 1 of 3?"
    assert turn["a"] == [{"g": ["base says 1 to 3."], "d": False}, {"g": ["plus says 1 to 3."], "d": True}]
    first, second = (judge[1] for judge in turn["j"])
    assert first == {"v": 0.5, "f": 1.0, "b": 0.0, "x": ["A is fuller.", "B is fuller."]}
    assert second == {"v": 0.0, "m": pytest.approx(-0.9)}
    assert [judge[0] for judge in turn["j"]] == [None, None]


def test_a_failed_answer_and_a_missing_verdict_have_their_causes(run: Path) -> None:
    items = collected(run).items
    assert items[0]["r"][0]["a"][0]["e"] == "out of memory"
    assert items[4]["r"][0]["j"][0][1] == {"e": "timed out"}


def test_of_flips_tied_dialogues_are_left_out_unless_judges_disagree(tmp_path: Path) -> None:
    talk.write_run(tmp_path, talk.talking())
    assert "d1" in collected(tmp_path, "flips").columns["ids"]
    talk.store_judgements(tmp_path, 2, "plus", [])
    # Lost in the first turn and won in the second, by the judge that is left.
    tied = {"d1", "d6", "d11"}
    assert collected(tmp_path, "flips").columns["ids"] == [f"d{n}" for n in range(15) if f"d{n}" not in tied]


def test_without_answers_or_without_conversation_there_are_none(tmp_path: Path) -> None:
    assert dialogue_collection(talk.talking(), RunDirectory(tmp_path), "all") is None
    assert dialogue_collection(build.full(), RunDirectory(tmp_path), "all") is None
