"""Single answers graded from 1 to 10 by a language model, as in MT-Bench (Zheng et al., arXiv 2306.05685).

judgements/grades/<model>/part-00000.parquet     one row a turn; keyed by the model's answers and the judge

In maths, coding and reasoning the judge sees a reference answer where there is one. A grade compares with nothing, so
it has no order to be biased by, and no baseline: it stands beside the win rate and decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pyarrow as pa

from mplus_eval.conversation.generate import NO_ANSWER, Key, read_texts
from mplus_eval.conversation.items import Dialogue, DialogueTask
from mplus_eval.judges.base import AnswerGrader, Grade, Question, SingleAnswer
from mplus_eval.records.conversation import Grades, Rate
from mplus_eval.statistics.design import Design
from mplus_eval.statistics.scores import mean_score
from mplus_eval.store.hashes import hash_components
from mplus_eval.store.parts import PartInfo, fresh, part_path, read_cell, read_part, write_part
from mplus_eval.store.run_directory import RunDirectory

LOWEST, HIGHEST = 1, 10


@dataclass(frozen=True, kw_only=True)
class GradedTurn:
    """What a language model says of one answer, as stored; `turn` counts from 1, `cause` says why there is no grade."""

    item_id: str
    category: str
    turn: int
    grade: int | None = None
    with_reference: bool | None = None
    reason: str | None = None
    cause: str | None = None

    SCHEMA: ClassVar[pa.Schema] = pa.schema(
        [
            pa.field("item_id", pa.string(), nullable=False),
            pa.field("category", pa.string(), nullable=False),
            pa.field("turn", pa.int32(), nullable=False),
            pa.field("grade", pa.int32()),
            pa.field("with_reference", pa.bool_()),
            pa.field("reason", pa.string()),
            pa.field("cause", pa.string()),
        ]
    )


def grade_all(
    task: DialogueTask,
    models: Mapping[str, str],
    judge: AnswerGrader,
    directory: RunDirectory,
    progress: Callable[[str, int, int], None],
) -> None:
    """Grade every answer that has no grade yet, and store what is said.

    Args:
        task: the dialogues.
        models: by name, the fingerprint of their answers.
        judge: who grades.
        directory: where answers lie and grades are stored.
        progress: called with what is being graded, how much of it is, and of how much.
    """
    for model, fingerprint in models.items():
        components = {"answers": fingerprint, "judge": judge.fingerprint}
        info = PartInfo(hash_components(components), components, 0, 1)
        place = part_path(directory.grades(model), 0)
        known: dict[Key, GradedTurn] = {}
        if fresh(place, info.fingerprint):
            known = {(each.item_id, each.turn - 1): each for each in read_part(place, GradedTurn)}
        texts = read_texts(directory, model, task.name)
        turns: dict[Key, GradedTurn] = {}
        wanted: list[tuple[Key, SingleAnswer]] = []
        for dialogue in task.dialogues.dialogues:
            for turn in range(len(dialogue.turns)):
                key = (dialogue.item_id, turn)
                answer = _single_answer(dialogue, turn, texts)
                cause = NO_ANSWER if answer is None else "not graded yet"
                turns[key] = known.get(key) or GradedTurn(
                    item_id=dialogue.item_id, category=dialogue.category, turn=turn + 1, cause=cause
                )
                if turns[key].grade is None and answer is not None:
                    wanted.append((key, answer))
        if wanted or not known:
            _grade(wanted, turns, judge, f"{model} · graded by {judge.name}", progress)
            write_part(place, GradedTurn, list(turns.values()), info)


def answerings(task: DialogueTask, models: Iterable[str], directory: RunDirectory) -> list[SingleAnswer]:
    """All answers that can be graded."""
    answers = [
        _single_answer(dialogue, turn, texts)
        for texts in (read_texts(directory, model, task.name) for model in models)
        for dialogue in task.dialogues.dialogues
        for turn in range(len(dialogue.turns))
    ]
    return [answer for answer in answers if answer is not None]


def read_grades(directory: RunDirectory, model: str, task: str) -> Iterator[GradedTurn]:
    """What was stored for a model; nothing where nothing was graded."""
    return read_cell(directory.grades(model), GradedTurn, directory.made_of(model, task))


def conclude_grades(turns: Sequence[GradedTurn], judge: str, level: float) -> Grades | None:
    """The mean grade with its interval, clustered by dialogue, also by category and turn; None where none was given."""
    graded = [each for each in turns if each.grade is not None]
    if not graded:
        return None
    return Grades(
        judge=judge,
        mean=_mean(graded, level),
        n_ungraded=len(turns) - len(graded),
        by_category={
            name: _mean([each for each in graded if each.category == name], level)
            for name in sorted({each.category for each in graded})
        },
        by_turn={
            str(turn): _mean([each for each in graded if each.turn == turn], level)
            for turn in sorted({each.turn for each in graded})
        },
    )


def _mean(graded: Sequence[GradedTurn], level: float) -> Rate:
    width = HIGHEST - LOWEST
    shares = np.array([((each.grade or LOWEST) - LOWEST) / width for each in graded])
    strata = np.array([each.category for each in graded])
    mean = mean_score(shares, Design.of(strata, np.array([each.item_id for each in graded])))
    low, high = mean.interval(level)
    ends = (LOWEST + width * float(low), LOWEST + width * float(high))
    return Rate(value=LOWEST + width * float(mean.value), ci=ends, n=len(graded))


def _grade(
    wanted: Sequence[tuple[Key, SingleAnswer]],
    turns: dict[Key, GradedTurn],
    judge: AnswerGrader,
    title: str,
    progress: Callable[[str, int, int], None],
) -> None:
    n_done = 0

    def note(at: int, grade: Grade) -> None:
        nonlocal n_done
        n_done += 1
        key = wanted[at][0]
        turns[key] = replace(
            turns[key],
            grade=grade.grade,
            with_reference=grade.with_reference,
            reason=grade.reason,
            cause=grade.cause,
        )
        progress(title, n_done, len(wanted))

    judge.grade([answer for _, answer in wanted], note)


def _single_answer(dialogue: Dialogue, turn: int, texts: Mapping[Key, str]) -> SingleAnswer | None:
    keys = [(dialogue.item_id, number) for number in range(turn + 1)]
    if any(key not in texts for key in keys):
        return None
    question = Question(dialogue.item_id, dialogue.category, dialogue.turns, dialogue.references)
    return SingleAnswer(question, turn + 1, tuple(texts[key] for key in keys))
