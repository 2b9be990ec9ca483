from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from mplus_eval.reports.stored import StoredJudgement
from mplus_eval.reports.tables import ModelLabel
from mplus_eval.reports.transcripts import Transcript, choose, mark_of, transcripts
from mplus_eval.store.run_directory import RunDirectory
from tests.reports import build_conversation as talk

LABELS = {name: ModelLabel(name, f"m-{name}", "") for name in ("base", *talk.RATES)}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Transcript, ...]:
    directory = tmp_path_factory.mktemp("talk")
    talk.write_run(directory, talk.talking())
    return transcripts(talk.talking(), directory, LABELS)


def the_one(shown: tuple[Transcript, ...], kind: str) -> Transcript:
    (item,) = [item for item in shown if item.reasons[0].kind.startswith(kind)]
    return item


def judgement(item: int, *verdicts: float | None, **changed: Any) -> StoredJudgement:
    row = talk.verdict_row(item, 1, *verdicts, **changed)
    return StoredJudgement(**{field.name: row[field.name] for field in fields(StoredJudgement) if field.name in row})


def judged(n: int) -> dict[tuple[str, int], StoredJudgement]:
    """Dialogues of one turn, their verdicts in turn those of `talk.KINDS`."""
    return {(f"d{item}", 1): judgement(item, *talk.KINDS[item % len(talk.KINDS)]) for item in range(n)}


def test_every_kind_of_verdict_is_chosen_and_every_dialogue_once() -> None:
    chosen = choose(judged(50), 2, seed=1)
    assert list(chosen.values()) == [
        "won, random sample", "won, random sample", "lost, random sample", "lost, random sample", "the order decided",
        "tied", "unjudged",
    ]  # fmt: skip
    assert len({item_id for item_id, _ in chosen}) == 7


def test_the_lot_follows_the_seed_and_not_the_order_of_rows() -> None:
    rows = judged(200)
    again = dict(reversed(rows.items()))
    assert choose(rows, 2, seed=1) == choose(again, 2, seed=1)
    assert choose(rows, 2, seed=1) != choose(rows, 2, seed=2)


def test_the_most_decisive_ones_come_first_where_a_margin_is_known() -> None:
    rows = {
        (f"d{item}", 1): judgement(item, None, None, preference=float(item > 5), margin=item - 5.5)
        for item in range(12)
    }
    chosen = choose(rows, 1, seed=1)
    assert list(chosen)[:2] == [("d11", 1), ("d0", 1)]
    assert list(chosen.values())[:2] == ["most decisive win", "most decisive loss"]


@pytest.mark.parametrize(
    ("verdicts", "word"),
    [
        ((1.0, 1.0), "won"),
        ((0.0, 0.0), "lost"),
        ((0.5, 0.5), "tied"),
        ((1.0, 0.5), "tied, the order decided"),
        ((None, None), "unjudged"),
    ],
)
def test_a_judgement_has_a_mark(verdicts: tuple[float | None, float | None], word: str) -> None:
    assert mark_of(judgement(1, *verdicts)).word == word


def test_a_judge_that_sees_no_order_is_never_inconsistent() -> None:
    assert not judgement(1, None, None).is_inconsistent


def test_only_models_with_stored_answers_are_in_the_dialogues(shown: tuple[Transcript, ...]) -> None:
    assert len(shown) == 7
    assert {answer.model for item in shown for turn in item.turns for answer in turn.answers} == {"base", "plus"}


def test_a_dialogue_shows_every_models_answer_to_the_users_words(shown: tuple[Transcript, ...]) -> None:
    item = shown[0]
    assert [len(turn.answers) for turn in item.turns] == [2, 2]
    turn = item.turns[1]
    number = item.title.split("Dialogue d")[1].split(",")[0]
    assert item.anchor == f"dialogue-d{number}"
    assert turn.user == f"Question 2 of {number}?"
    assert [answer.text for answer in turn.answers] == [f"base says 2 to {number}.", f"plus says 2 to {number}."]
    assert [answer.note for answer in item.turns[0].answers] == [
        "plain format, truncated",
        "own template, ended with EOS",
    ]


def test_both_judges_say_who_won_and_why_beside_the_models_answer(shown: tuple[Transcript, ...]) -> None:
    item = the_one(shown, "the order decided")
    assert item.turns[0].answers[0].opinions == ()
    first, second = item.turns[0].answers[1].opinions
    assert first.detail == "(plus shown first: plus preferred; base shown first: base preferred)"
    assert first.reasons == ("A is base: A is fuller.", "A is plus: B is fuller.")
    assert second.detail.startswith("by reward (score ")
    assert item.turns[1].answers[1].opinions[0].detail == "(plus preferred, in both orders)"


def test_an_unjudged_turn_has_its_cause(shown: tuple[Transcript, ...]) -> None:
    assert the_one(shown, "unjudged").turns[0].answers[1].opinions[0].detail == "(timed out)"


def test_a_dialogue_that_is_told_of_two_models_stands_there_once(tmp_path: Path) -> None:
    talk.write_run(tmp_path, talk.talking())
    copytree(tmp_path / "answers" / "plus", tmp_path / "answers" / "sft")
    for judge in (1, 2):
        run = RunDirectory(tmp_path)
        copytree(run.judgements(judge, "plus"), run.judgements(judge, "sft"))
    found = transcripts(talk.talking(), tmp_path, LABELS)
    assert len({item.anchor for item in found}) == len(found) == 7
    assert all([reason.model for reason in item.reasons] == ["sft", "plus"] for item in found)
    assert [answer.model for answer in found[0].turns[0].answers] == ["base", "sft", "plus"]


def test_without_stored_words_of_the_user_the_prompt_stands_for_them(tmp_path: Path) -> None:
    talk.write_run(tmp_path, talk.talking())
    for name in ("base", "plus"):
        talk.store_answers(tmp_path, name, [talk.answer_row(n, 1, "yes", asked=None) for n in range(15)])
    first, *_ = transcripts(talk.talking(), tmp_path, LABELS)
    assert first.turns[0].user.startswith("User: Question 1 of ")


def test_a_failed_answer_says_why(tmp_path: Path) -> None:
    talk.write_run(tmp_path, talk.talking())
    failed = [talk.answer_row(n, 1, "", generations=None, error="out of memory") for n in range(15)]
    talk.store_answers(tmp_path, "plus", failed)
    first, *_ = transcripts(talk.talking(), tmp_path, LABELS)
    assert first.turns[0].answers[1].note == "own template, failed: out of memory"


def test_a_run_whose_answers_were_deleted_shows_no_dialogues(tmp_path: Path) -> None:
    assert transcripts(talk.talking(), tmp_path, LABELS) == ()
