"""The mini suite's items: made from the world, committed as JSON lines beside their task definitions.

    python -m mplus_eval.demo.mini_suite --output tasks/mini/data

One small task for each task of the suite `mplus`, of the same kind. Texts are those that the pre-training text was not
given (`questions.is_held_out`); facts are those of entities that no demonstration names. Rows are shuffled, so that the
first of a file are like the others: no kind of question, and no passage, stands at the front.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from mplus_eval.demo import arithmetic, everyday, passages, reasoning
from mplus_eval.demo.questions import Question, draw, is_held_out
from mplus_eval.demo.world import Fact, make_world

SEED = 11
T = TypeVar("T")
Row = dict[str, object]
Files = Iterator[tuple[str, list[Row]]]
Maker = Callable[[random.Random], Question]
PassageMaker = Callable[[random.Random], passages.Passage]

_NATURE = ("habitat", "diet", "trait")
_N_SHOWN_SITUATIONS = 3

SUBJECTS = {"geography": "capital", "trade": "good", "professions": "job", "cooking": "food", "residence": "home"}
"""The subjects of `mini_mmlu` and the relation that each asks about."""
EXAMS: dict[str, tuple[Maker, int]] = {
    "series": (arithmetic.series, 90),
    "numbers": (arithmetic.largest, 150),
    "syllogisms": (reasoning.syllogism, 150),
    "equations": (arithmetic.equation, 150),
}
"""The exams of `mini_agieval`, each with its number of questions; of series hardly more are held out."""


def make_items() -> dict[str, list[Row]]:
    """All items and few-shot examples by file name; the same on every machine."""
    files: dict[str, list[Row]] = {}
    for name, make in _TASKS.items():
        files.update(make(random.Random(f"{SEED} {name}")))
    for name, rows in files.items():
        if not name.endswith(".shots"):
            random.Random(f"{SEED} order of {name}").shuffle(rows)
    return files


def _mmlu(rng: random.Random) -> Files:
    for subject, relation in SUBJECTS.items():
        yield f"mini_mmlu_{subject}", _asked(rng, _facts(relation), lambda fact: fact.question(rng), 2)
        yield f"mini_mmlu_{subject}.shots", _taught_rows(rng, (relation,), 5)


def _agieval(rng: random.Random) -> Files:
    for exam, (make, n) in EXAMS.items():
        yield f"mini_agieval_{exam}", [_choice_row(rng, question) for question in _distinct(rng, make, n)]


def _worked_out(makers: dict[str, Maker], n: int, rng: random.Random) -> Files:
    """Puzzles that are worked out in steps, by the task's name."""
    for name, make in makers.items():
        yield name, [_solution_row(question) for question in _distinct(rng, make, n)]
        yield f"{name}.shots", [_solution_row(draw(make, rng)) for _ in range(3)]


def _arc_easy(rng: random.Random) -> Files:
    tools = _asked(rng, range(len(everyday.TOOLS)), lambda number: everyday.tool(rng, number), 5)
    yield "mini_arc_easy", tools + _asked(rng, _facts(*_NATURE), lambda fact: fact.question(rng), 2)
    yield "mini_arc_easy.shots", _taught_rows(rng, _NATURE, 5)


def _arc_challenge(rng: random.Random) -> Files:
    yield "mini_arc_challenge", _asked(rng, _facts(*_NATURE), lambda fact: _near_miss(rng, fact), 3)
    yield "mini_arc_challenge.shots", _taught_rows(rng, _NATURE, 5)


def _hellaswag(rng: random.Random) -> Files:
    rows = [
        row | {"situation": number}
        for number in range(_N_SHOWN_SITUATIONS, len(everyday.SITUATIONS))
        for row in _asked(rng, [number], lambda number: everyday.situation(rng, number), 14)
    ]
    yield "mini_hellaswag", rows
    yield "mini_hellaswag.shots", [_choice_row(rng, everyday.situation(rng, n)) for n in range(_N_SHOWN_SITUATIONS)]


def _winogrande(rng: random.Random) -> Files:
    numbers = {everyday.referent_of_things: 70, everyday.referent_of_names: 530}
    yield "mini_winogrande", [row for make, n in numbers.items() for row in _referent_rows(rng, make, n, held_out=True)]
    yield "mini_winogrande.shots", [row for make in numbers for row in _referent_rows(rng, make, 2, held_out=False)]


def _race(name: str, make: PassageMaker, rng: random.Random) -> Files:
    yield name, [_choice_row(rng, question) for question in _of_passages(rng, make, 600, held_out=True)]


def _drop(rng: random.Random) -> Files:
    for name, n, held_out in (("mini_drop", 300, True), ("mini_drop.shots", 2, False)):
        questions = _of_passages(rng, passages.contest, n, held_out=held_out)
        yield name, [{"prompt": question.prompt, "answers": [[question.answer]]} for question in questions]


_TASKS: dict[str, Callable[[random.Random], Files]] = {
    "mini_mmlu": _mmlu,
    "mini_agieval": _agieval,
    "mini_bbh": partial(_worked_out, {f"mini_bbh_{chain}": make for chain, make in reasoning.CHAINS.items()}, 32),
    "mini_arc_easy": _arc_easy,
    "mini_arc_challenge": _arc_challenge,
    "mini_hellaswag": _hellaswag,
    "mini_winogrande": _winogrande,
    "mini_race_high": partial(_race, "mini_race_high", passages.journey),
    "mini_race_middle": partial(_race, "mini_race_middle", passages.day_out),
    "mini_drop": _drop,
    "mini_gsm8k": partial(_worked_out, {"mini_gsm8k": arithmetic.word_problem}, 150),
}


def _facts(*relations: str) -> list[Fact]:
    """All facts of these relations about entities that are not taught: a third each common, occasional and rare."""
    return [fact for relation in relations for fact in make_world().of(relation, taught=False)]


def _asked(rng: random.Random, subjects: Iterable[T], ask: Callable[[T], Question], times: int) -> list[Row]:
    """Each subject asked so many times, every time with other wrong answers."""
    rows = []
    for subject in subjects:
        questions: dict[tuple[str, frozenset[str]], Question] = {}
        while len(questions) < times:
            question = ask(subject)
            questions[question.prompt, frozenset(question.distractors)] = question
        rows += [_choice_row(rng, question) for question in questions.values()]
    return rows


def _of_passages(rng: random.Random, make: PassageMaker, n: int, *, held_out: bool) -> list[Question]:
    """One question about each of `n` passages: questions of one passage would not be independent."""
    drawn = (passages.draw_passage(make, rng, held_out=held_out) for _ in range(n))
    return [rng.choice(passage.questions) for passage in drawn]


def _taught_rows(rng: random.Random, relations: Sequence[str], n: int) -> list[Row]:
    """Examples for prompts, about taught entities."""
    facts = [fact for relation in relations for fact in make_world().of(relation, taught=True)]
    return [_choice_row(rng, fact.question(rng)) for fact in rng.sample(facts, n)]


def _near_miss(rng: random.Random, fact: Fact) -> Question:
    """The fact asked, with two wrong answers that share a word with the right one where there are such, and another."""
    words = set(fact.answer.split()) - {"in", "the"}
    near = [answer for answer in fact.relation.answers if answer != fact.answer and words & set(answer.split())]
    far = [answer for answer in fact.relation.answers if answer != fact.answer and answer not in near]
    question = fact.question(rng)
    wrong = [*rng.sample(near, min(2, len(near))), *rng.sample(far, 3)][:3]
    return Question(question.prompt, question.answer, tuple(wrong))


def _choice_row(rng: random.Random, question: Question) -> Row:
    choices = [question.answer, *question.distractors]
    rng.shuffle(choices)
    return {"prompt": question.prompt, "choices": choices, "label": choices.index(question.answer)}


def _solution_row(question: Question) -> Row:
    target = arithmetic.final_answer(question.answer)
    return {"prompt": question.prompt, "solution": question.answer, "target": target}


def _distinct(rng: random.Random, make: Maker, n: int) -> list[Question]:
    """Questions that the text was not given, no two with the same prompt."""
    questions: dict[str, Question] = {}
    while len(questions) < n:
        question = draw(make, rng, held_out=True)
        questions[question.prompt] = question
    return list(questions.values())


def _referent_rows(
    rng: random.Random, make: Callable[[random.Random], everyday.Referent], n: int, *, held_out: bool
) -> list[Row]:
    """Rows in the manner of winogrande: the same clause after the sentence with one filling and with the other."""
    rows: dict[str, Row] = {}
    while len(rows) < n:
        referent = make(rng)
        right = referent.question.prompt
        if is_held_out(right) == held_out:
            contexts = [right, f"{referent.before} {referent.other}"]
            rng.shuffle(contexts)
            rows[right] = {"label": contexts.index(right), "contexts": contexts, "clause": referent.clause}
    return list(rows.values())


def main() -> None:
    """Write the items, one row a line."""
    parser = argparse.ArgumentParser(description="Write the items of the mini suite.")
    parser.add_argument("--output", type=Path, required=True)
    directory = parser.parse_args().output
    directory.mkdir(parents=True, exist_ok=True)
    for name, rows in make_items().items():
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        (directory / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
