from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from mplus_eval.conversation.grading import aggregate_grades, grade_model, single_answers
from mplus_eval.conversation.turns import GradedTurn
from mplus_eval.judges.base import Grade, SingleAnswer
from mplus_eval.statistics.design import Design
from mplus_eval.statistics.scores import mean_score
from mplus_eval.store.parts import part_path, read_part
from tests.conversation.stored import Say, task, texts


class Grader:
    """Grades by a rule, counts what it was asked, and answers in the reverse order."""

    name, fingerprint = "grader", "of the grader"

    def __init__(self, rule: Callable[[SingleAnswer], int | None]) -> None:
        self.rule = rule
        self.asked: list[tuple[str, int]] = []

    def grade(
        self, answers: Sequence[SingleAnswer], on_graded: Callable[[int, Grade], None] | None = None
    ) -> list[Grade]:
        self.asked += [(answer.question.item_id, answer.turn) for answer in answers]
        grades = [Grade(self.rule(answer), None if self.rule(answer) else "timed out") for answer in answers]
        for place in reversed(range(len(grades))):
            assert on_graded is not None
            on_graded(place, grades[place])
        return grades


def graded(place: Path, judge: Grader, say: Say, fingerprint: str = "f") -> dict[tuple[str, int], GradedTurn]:
    grade_model(task(), texts(say), fingerprint, judge, place, lambda done, total: None)
    return {(turn.item_id, turn.turn): turn for turn in read_part(place, GradedTurn)}


def says_all(dialogue: object, turn: int) -> str:
    return f"answer {turn}"


def fails_at_first(dialogue: object, turn: int) -> str | None:
    return None if turn == 0 and getattr(dialogue, "item_id", "") == "2" else f"answer {turn}"


def by_turn(answer: SingleAnswer) -> int:
    return 4 + 2 * answer.turn


def test_an_answer_is_graded_with_all_that_the_model_said_before() -> None:
    answers = single_answers(task(), texts(says_all))
    assert answers["1", 1].answers == ("answer 0", "answer 1")
    assert (answers["1", 1].turn, answers["1", 1].question.references) == (2, ("5", "10"))
    assert set(single_answers(task(), texts(fails_at_first))) == {("1", 0), ("1", 1), ("3", 0)}


def test_every_turn_is_stored_with_its_grade_or_its_cause(tmp_path: Path) -> None:
    turns = graded(part_path(tmp_path, 0), Grader(by_turn), fails_at_first)
    assert {key: (turn.grade, turn.cause) for key, turn in turns.items()} == {
        ("1", 1): (6, None), ("1", 2): (8, None), ("3", 1): (6, None),
        ("2", 1): (None, "a model has no answer"), ("2", 2): (None, "a model has no answer"),
    }  # fmt: skip


def test_only_what_has_no_grade_is_asked_again(tmp_path: Path) -> None:
    place, first = part_path(tmp_path, 0), Grader(lambda answer: None if answer.question.item_id == "3" else 5)
    assert graded(place, first, says_all)["3", 1].cause == "timed out"
    second, third = Grader(by_turn), Grader(by_turn)
    assert graded(place, second, says_all)["3", 1].grade == 6
    assert graded(place, third, says_all)["1", 1].grade == 5
    assert (len(first.asked), second.asked, third.asked) == (5, [("3", 1)], [])


def test_other_answers_and_another_judge_are_graded_anew(tmp_path: Path) -> None:
    place, other = part_path(tmp_path, 0), Grader(by_turn)
    graded(place, Grader(by_turn), says_all)
    graded(place, other, says_all, fingerprint="of other answers")
    other.fingerprint = "of another judge"
    graded(place, other, says_all, fingerprint="of other answers")
    assert len(other.asked) == 10


def test_progress_counts_what_was_asked(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    grade_model(task(), texts(says_all), "f", Grader(by_turn), part_path(tmp_path, 0), lambda *done: told.append(done))
    assert told == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]


def turn(item: str, category: str, number: int, grade: int | None) -> GradedTurn:
    return GradedTurn(item_id=item, category=category, turn=number, grade=grade)


def test_grades_are_averaged_over_all_by_category_and_by_turn() -> None:
    turns = [turn("1", "math", 1, 10), turn("1", "math", 2, 4), turn("2", "writing", 1, 7), turn("3", "math", 1, None)]
    grades = aggregate_grades(turns, "grader", 0.05)
    assert grades is not None
    assert (grades.judge, grades.mean.value, grades.mean.n, grades.n_ungraded) == ("grader", pytest.approx(7.0), 3, 1)
    assert {name: rate.value for name, rate in grades.by_category.items()} == pytest.approx({"math": 7, "writing": 7})
    assert {number: rate.value for number, rate in grades.by_turn.items()} == pytest.approx({"1": 8.5, "2": 4})


def test_the_interval_is_that_of_shares_of_the_scale_clustered_by_dialogue() -> None:
    numbers = [3, 9, 5, 6, 10, 2, 8, 8]
    turns = [turn(str(n // 2), "all", n % 2 + 1, grade) for n, grade in enumerate(numbers)]
    grades = aggregate_grades(turns, "grader", 0.05)
    design = Design.of(np.zeros(8), np.arange(8) // 2)
    low, high = mean_score((np.array(numbers) - 1) / 9, design).interval(0.05)
    assert grades is not None
    assert grades.mean.ci == pytest.approx((1 + 9 * float(low), 1 + 9 * float(high)))


def test_where_nothing_was_graded_there_are_no_grades() -> None:
    assert aggregate_grades([], "grader", 0.05) is None
    assert aggregate_grades([turn("1", "math", 1, None)], "grader", 0.05) is None
