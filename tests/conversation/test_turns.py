from __future__ import annotations

from pathlib import Path

from pyarrow import parquet

from mplus_eval.conversation.turns import GradedTurn, JudgedTurn, answers_until, read_texts, stored_turns
from mplus_eval.judges.base import Grade, Judgement
from mplus_eval.store.parts import PartInfo, part_path, read_part, write_part
from tests.conversation.stored import DIALOGUES, run_directory, store_answers

JUDGED = JudgedTurn(item_id="1", category="math", turn=2).judged(
    Judgement(0.5, baseline_first=0.0, model_first=1.0, consistent=False, reasons=("A.", "A."), tokens_in=7, margin=0.1)
)


def test_what_a_model_said_is_read_by_turn_without_what_failed(tmp_path: Path) -> None:
    directory = run_directory(tmp_path)
    store_answers(directory, "plus", lambda dialogue, turn: None if dialogue.item_id == "2" else f"{turn}.")
    assert read_texts(directory, "plus", "dialogues") == {("1", 0): "0.", ("1", 1): "1.", ("3", 0): "0."}


def test_answers_up_to_a_turn_are_all_there_or_none_counts() -> None:
    texts = {("1", 0): "5", ("1", 1): "10", ("2", 1): "Another."}
    assert answers_until(texts, DIALOGUES[0], 0) == ("5",)
    assert answers_until(texts, DIALOGUES[0], 1) == ("5", "10")
    assert answers_until(texts, DIALOGUES[1], 1) is None


def test_a_verdict_is_told_by_whose_answer_came_first_and_keeps_its_columns_on_disk(tmp_path: Path) -> None:
    place = part_path(tmp_path, 0)
    write_part(place, JudgedTurn, [JUDGED], PartInfo("f", {}, 0, 1))
    (row,) = parquet.read_table(place).to_pylist()
    assert (row["in_order"], row["swapped"], row["preference"], row["turn"]) == (1.0, 0.0, 0.5, 2)
    assert read_part(place, JudgedTurn) == [JUDGED]
    assert (JUDGED.model_first, JUDGED.baseline_first, JUDGED.margin, JUDGED.tokens_in) == (1.0, 0.0, 0.1, 7)


def test_only_what_was_said_of_the_same_answers_is_taken_again(tmp_path: Path) -> None:
    place = part_path(tmp_path, 0)
    assert stored_turns(place, JudgedTurn, "f") == {}
    write_part(place, JudgedTurn, [JUDGED], PartInfo("f", {}, 0, 1))
    assert stored_turns(place, JudgedTurn, "f") == {("1", 1): JUDGED}
    assert stored_turns(place, JudgedTurn, "other") == {}


def test_a_grade_is_kept_with_its_reason_or_its_cause() -> None:
    turn = GradedTurn(item_id="1", category="math", turn=1, cause="not graded yet")
    assert turn.graded(Grade(8, None, "Good.", with_reference=True)) == GradedTurn(
        item_id="1", category="math", turn=1, grade=8, with_reference=True, reason="Good."
    )
    assert turn.graded(Grade(None, "timed out")).cause == "timed out"
