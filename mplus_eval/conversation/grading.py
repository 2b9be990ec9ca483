"""Single answers graded from 1 to 10 by a language model, as in MT-Bench (Zheng et al., arXiv 2306.05685).

judgements/grades/<model>/part-00000.parquet     one row a turn; keyed by the model's answers and the judge

In maths, coding and reasoning the judge sees a reference answer where there is one. A grade compares with nothing, so
it has no order to be biased by, and no baseline: it stands beside the win rate and decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from mplus_eval.conversation.generate import NO_ANSWER, AskedDialogues, Key, read_answers
from mplus_eval.conversation.items import Dialogue
from mplus_eval.judges.base import AnswerGrader, Grade, Question, SingleAnswer
from mplus_eval.records.conversation import Grades, Rate
from mplus_eval.store.hashes import hash_components
from mplus_eval.store.parts import PartInfo, part_info, part_path, read_part, write_part
from mplus_eval.store.run_directory import RunDirectory

Row = dict[str, Any]
LOWEST, HIGHEST = 1, 10
SCHEMA = pa.schema(
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
"""`turn` counts from 1; `grade` is null where there is none, and `cause` says why."""


def grade_all(
    asked: AskedDialogues,
    models: Mapping[str, str],
    judge: AnswerGrader,
    directory: RunDirectory,
    progress: Callable[[str, int, int], None],
) -> None:
    """Grade every answer that has no grade yet, and store what is said.

    Args:
        asked: the dialogues.
        models: by name, the fingerprint of their answers.
        judge: who grades.
        directory: where answers lie and grades are stored.
        progress: called with what is being graded, how much of it is, and of how much.
    """
    for model, fingerprint in models.items():
        components = {"answers": fingerprint, "judge": judge.fingerprint}
        info = PartInfo(hash_components(components), components, 0, 1)
        place = part_path(directory.grades(model), 0)
        known = _known(place, info)
        said = read_answers(directory, model, asked.name)
        rows: dict[Key, Row] = {}
        wanted: list[tuple[Key, SingleAnswer]] = []
        for dialogue in asked.dialogues.dialogues:
            for turn in range(len(dialogue.turns)):
                key = (dialogue.item_id, turn)
                answering = _answering(dialogue, turn, said)
                rows[key] = known.get(key) or _ungraded(dialogue, turn, answering)
                if rows[key]["grade"] is None and answering is not None:
                    wanted.append((key, answering))
        if wanted or not known:
            _grade(wanted, rows, judge, f"{model} · graded by {judge.name}", progress)
            write_part(place, list(rows.values()), SCHEMA, info)


def answerings(asked: AskedDialogues, models: Iterable[str], directory: RunDirectory) -> list[SingleAnswer]:
    """All answers that can be graded."""
    found = [
        _answering(dialogue, turn, said)
        for said in (read_answers(directory, model, asked.name) for model in models)
        for dialogue in asked.dialogues.dialogues
        for turn in range(len(dialogue.turns))
    ]
    return [one for one in found if one is not None]


def read_grades(directory: RunDirectory, model: str) -> list[Row]:
    """What was stored for a model; empty where nothing was graded."""
    return [row for path in sorted(directory.grades(model).glob("part-*.parquet")) for row in read_part(path)]


def conclude_grades(rows: Sequence[Row], judge: str, level: float) -> Grades | None:
    """The mean grade with its interval, clustered by dialogue, also by category and turn; None where none was given."""
    graded = [row for row in rows if row["grade"] is not None]
    if not graded:
        return None
    categories, turns = sorted({row["category"] for row in graded}), sorted({row["turn"] for row in graded})
    return Grades(
        judge=judge,
        mean=_mean(graded, level),
        n_ungraded=len(rows) - len(graded),
        by_category={one: _mean([row for row in graded if row["category"] == one], level) for one in categories},
        by_turn={str(one): _mean([row for row in graded if row["turn"] == one], level) for one in turns},
    )


def _mean(graded: Sequence[Row], level: float) -> Rate:
    from mplus_eval.statistics.design import Design
    from mplus_eval.statistics.scores import mean_score

    width = HIGHEST - LOWEST
    shares = np.array([(row["grade"] - LOWEST) / width for row in graded])
    strata = np.array([row["category"] for row in graded])
    found = mean_score(shares, Design.of(strata, np.array([row["item_id"] for row in graded])))
    low, high = found.interval(level)
    ends = (LOWEST + width * float(low), LOWEST + width * float(high))
    return Rate(value=LOWEST + width * float(found.value), ci=ends, n=len(graded))


def _grade(
    wanted: Sequence[tuple[Key, SingleAnswer]],
    rows: dict[Key, Row],
    judge: AnswerGrader,
    title: str,
    progress: Callable[[str, int, int], None],
) -> None:
    n_done = 0

    def note(at: int, grade: Grade) -> None:
        nonlocal n_done
        n_done += 1
        rows[wanted[at][0]] |= {
            "grade": grade.grade,
            "with_reference": grade.with_reference,
            "reason": grade.reason,
            "cause": grade.cause,
        }
        progress(title, n_done, len(wanted))

    judge.grade([answering for _, answering in wanted], note)


def _answering(dialogue: Dialogue, turn: int, said: Mapping[Key, str]) -> SingleAnswer | None:
    keys = [(dialogue.item_id, number) for number in range(turn + 1)]
    if any(key not in said for key in keys):
        return None
    question = Question(dialogue.item_id, dialogue.category, dialogue.turns, dialogue.references)
    return SingleAnswer(question, turn + 1, tuple(said[key] for key in keys))


def _ungraded(dialogue: Dialogue, turn: int, answering: SingleAnswer | None) -> Row:
    return {
        "item_id": dialogue.item_id,
        "category": dialogue.category,
        "turn": turn + 1,
        "grade": None,
        "cause": NO_ANSWER if answering is None else "not graded yet",
    }


def _known(place: Any, info: PartInfo) -> dict[Key, Row]:
    stored = part_info(place)
    if stored is None or stored.fingerprint != info.fingerprint:
        return {}
    return {(row["item_id"], row["turn"] - 1): row for row in read_part(place)}
