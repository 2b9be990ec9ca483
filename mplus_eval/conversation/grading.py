"""Single answers graded from 1 to 10 by a language model, as in MT-Bench (Zheng et al., arXiv 2306.05685).

In maths, coding and reasoning the judge sees a reference answer where there is one. A grade compares with nothing, so
it has no order to be biased by, and no baseline: it stands beside the win rate and decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

import numpy as np

from mplus_eval.conversation.items import DialogueTask
from mplus_eval.conversation.turns import NO_ANSWER, GradedTurn, Key, Texts, answers_until, stored_turns
from mplus_eval.judges.base import AnswerGrader, Grade, SingleAnswer
from mplus_eval.records.conversation import Grades, Rate
from mplus_eval.statistics.design import Design
from mplus_eval.statistics.scores import mean_score
from mplus_eval.store.hashes import hash_components
from mplus_eval.store.parts import PartInfo, write_part

LOWEST, HIGHEST = 1, 10


def single_answers(task: DialogueTask, texts: Texts) -> dict[Key, SingleAnswer]:
    """A model's answers that can be graded: those before which none failed."""
    return {
        (dialogue.item_id, turn): SingleAnswer(dialogue.question, turn + 1, answers)
        for dialogue, turn in task.dialogues.each_turn()
        if (answers := answers_until(texts, dialogue, turn)) is not None
    }


def grade_model(
    task: DialogueTask,
    texts: Texts,
    fingerprint: str,
    judge: AnswerGrader,
    place: Path,
    progress: Callable[[int, int], None],
) -> None:
    """Grade every answer of a model that has no grade yet, and store what is said.

    Args:
        task: the dialogues.
        texts: what the model said.
        fingerprint: of its answers.
        judge: who grades.
        place: where its grades are stored.
        progress: called with how many of how many answers are graded.
    """
    components = {"answers": fingerprint, "judge": judge.fingerprint}
    info = PartInfo(hash_components(components), components, 0, 1)
    stored = stored_turns(place, GradedTurn, info.fingerprint)
    answers = single_answers(task, texts)
    turns: dict[Key, GradedTurn] = {}
    for dialogue, turn in task.dialogues.each_turn():
        key = (dialogue.item_id, turn)
        turns[key] = stored.get(key) or GradedTurn(
            item_id=dialogue.item_id,
            category=dialogue.category,
            turn=turn + 1,
            cause="not graded yet" if key in answers else NO_ANSWER,
        )
    wanted = {key: answer for key, answer in answers.items() if turns[key].grade is None}
    if stored and not wanted:
        return
    keys, n_graded = list(wanted), count(1)

    def note(at: int, grade: Grade) -> None:
        turns[keys[at]] = turns[keys[at]].graded(grade)
        progress(next(n_graded), len(keys))

    judge.grade(list(wanted.values()), note)
    write_part(place, GradedTurn, list(turns.values()), info)


def aggregate_grades(turns: Sequence[GradedTurn], judge: str, level: float) -> Grades | None:
    """The mean grade with its interval, clustered by dialogue, also by category and turn; None where none was given."""
    graded = [turn for turn in turns if turn.grade is not None]
    if not graded:
        return None
    categories, numbers = sorted({turn.category for turn in graded}), sorted({turn.turn for turn in graded})
    return Grades(
        judge=judge,
        mean=_mean(graded, level),
        n_ungraded=len(turns) - len(graded),
        by_category={name: _mean([turn for turn in graded if turn.category == name], level) for name in categories},
        by_turn={str(number): _mean([turn for turn in graded if turn.turn == number], level) for number in numbers},
    )


def _mean(graded: Sequence[GradedTurn], level: float) -> Rate:
    width = HIGHEST - LOWEST
    shares = np.array([((turn.grade or LOWEST) - LOWEST) / width for turn in graded])
    strata = np.array([turn.category for turn in graded])
    mean = mean_score(shares, Design.of(strata, np.array([turn.item_id for turn in graded])))
    low, high = mean.interval(level)
    ends = (LOWEST + width * float(low), LOWEST + width * float(high))
    return Rate(value=LOWEST + width * float(mean.value), ci=ends, n=len(graded))
