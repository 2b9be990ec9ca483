"""Judging: every model's answers against the baseline's, by every judge, stored so that only what is missing is asked.

judgements/<n>/<model>/part-00000.parquet     one row a turn, by the n-th judge; keyed by both models' answers and judge
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import pyarrow as pa

from mplus_eval.conversation.generate import NO_ANSWER, Key, read_texts
from mplus_eval.conversation.grading import answerings, grade_all
from mplus_eval.conversation.items import Dialogue, DialogueTask
from mplus_eval.conversation.text_statistics import count_words
from mplus_eval.judges import JudgeContext, load_judge
from mplus_eval.judges.base import AnswerGrader, Judgement, PaidJudge, PairJudge, PairwiseItem, Question
from mplus_eval.judges.usage import CostEstimate
from mplus_eval.store.hashes import hash_components
from mplus_eval.store.parts import PartInfo, fresh, part_path, read_cell, read_part, write_part
from mplus_eval.store.run_directory import RunDirectory


@dataclass(frozen=True, kw_only=True)
class JudgedTurn:
    """What one judge says of a turn, as it is stored.

    `turn` counts from 1; preferences are the model's view: 1 a win, 0.5 a tie, 0 a loss, None unjudged. `in_order` is
    the preference when the model's answer was shown first, `swapped` when the baseline's was.
    """

    item_id: str
    category: str
    turn: int
    preference: float | None = None
    in_order: float | None = None
    swapped: float | None = None
    words_model: int | None = None
    words_baseline: int | None = None
    margin: float | None = None
    n_truncated: int | None = None
    reasons: Sequence[str] | None = None
    cause: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None

    SCHEMA: ClassVar[pa.Schema] = pa.schema(
        [
            pa.field("item_id", pa.string(), nullable=False),
            pa.field("category", pa.string(), nullable=False),
            pa.field("turn", pa.int32(), nullable=False),
            pa.field("preference", pa.float64()),
            pa.field("in_order", pa.float64()),
            pa.field("swapped", pa.float64()),
            pa.field("words_model", pa.int32()),
            pa.field("words_baseline", pa.int32()),
            pa.field("margin", pa.float64()),
            pa.field("n_truncated", pa.int32()),
            pa.field("reasons", pa.list_(pa.string())),
            pa.field("cause", pa.string()),
            pa.field("tokens_in", pa.int64()),
            pa.field("tokens_out", pa.int64()),
        ]
    )

    def judged(self, judgement: Judgement) -> JudgedTurn:
        """The turn with what a judge says of it."""
        return replace(
            self,
            preference=judgement.preference,
            in_order=judgement.model_first,
            swapped=judgement.baseline_first,
            margin=judgement.margin,
            n_truncated=judgement.n_truncated,
            reasons=list(judgement.reasons),
            cause=judgement.cause,
            tokens_in=judgement.tokens_in,
            tokens_out=judgement.tokens_out,
        )


@dataclass(frozen=True)
class ModelPair:
    """One model to be judged against the baseline, with the fingerprints of both cells of answers."""

    model: str
    baseline: str
    answers: str
    baseline_answers: str

    @property
    def fingerprint(self) -> str:
        """Of both."""
        return hash_components({"model": self.answers, "baseline": self.baseline_answers})


def judge_all(
    task: DialogueTask,
    pairs: Sequence[ModelPair],
    sources: Sequence[str],
    directory: RunDirectory,
    *,
    seed: int,
    progress: Callable[[str, int, int], None],
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, str]:
    """Have every judge judge every model, as far as it is not judged yet.

    Args:
        task: the dialogues.
        pairs: who against whom.
        sources: of the judges.
        directory: where answers lie and judgements are stored.
        seed: the run's.
        progress: called with what is being judged, the pairs judged, and of how many.
        say: told beforehand what a language model will cost.

    Returns:
        The judges' fingerprints by name, in their order.
    """
    dialogues = task.dialogues.dialogues
    every = [pairing for judged in pairs for pairing in pairings(judged, task.name, dialogues, directory)]
    context = JudgeContext(directory.path / "judgements" / "cache", every, seed)
    found: dict[str, str] = {}
    graded = False
    for number, source in enumerate(sources, start=1):
        judge = load_judge(source, context)
        name = judge.name if judge.name not in found else f"{judge.name} {number}"
        found[name] = judge.fingerprint
        grades = isinstance(judge, AnswerGrader) and task.settings.grades and not graded
        if isinstance(judge, PaidJudge) and every:
            single = answerings(task, answered(pairs), directory) if grades else []
            say(_cost(name, judge.estimate(every, single)))
        if isinstance(judge, AnswerGrader) and grades:
            graded = True
            grade_all(task, answered(pairs), judge, directory, progress)
        for judged in pairs:
            title = f"{judged.model} · judged by {name}"
            judge_model(judged, task.name, dialogues, directory, judge, number, partial(progress, title))
    return found


def answered(pairs: Sequence[ModelPair]) -> dict[str, str]:
    """The fingerprints of the answers of all models in the pairs."""
    return {one.baseline: one.baseline_answers for one in pairs} | {one.model: one.answers for one in pairs}


def _cost(name: str, estimate: CostEstimate) -> str:
    money = "" if estimate.cost is None else f", about {estimate.cost:.2f} in the currency of its price"
    known = f" ({estimate.n_cached:,} verdicts are known already)" if estimate.n_cached else ""
    tokens = f"about {estimate.tokens_in:,} tokens in and {estimate.tokens_out:,} out"
    return f"conversation: {name} will be asked {estimate.n_requests:,} times, {tokens}{money}{known}"


def pairings(
    judged: ModelPair, name: str, dialogues: Sequence[Dialogue], directory: RunDirectory
) -> list[PairwiseItem]:
    """The pairs of answers that there are."""
    said = [read_texts(directory, model, name) for model in (judged.baseline, judged.model)]
    found = (_pairing(dialogue, turn, said) for dialogue in dialogues for turn in range(len(dialogue.turns)))
    return [pairing for pairing in found if pairing is not None]


def judge_model(
    judged: ModelPair,
    name: str,
    dialogues: Sequence[Dialogue],
    directory: RunDirectory,
    judge: PairJudge,
    number: int,
    on_judged: Callable[[int, int], None],
) -> None:
    """Judge what is not judged yet, and store it.

    Args:
        judged: who against whom.
        name: of the set of dialogues.
        dialogues: the set.
        directory: where answers lie and judgements are stored.
        judge: who is asked.
        number: the judge's place, from 1.
        on_judged: called with how many of how many pairs are judged.
    """
    components = {"answers": judged.fingerprint, "judge": judge.fingerprint}
    info = PartInfo(hash_components(components), components, 0, 1)
    place = part_path(directory.judgements(number, judged.model), 0)
    known: dict[Key, JudgedTurn] = {}
    if fresh(place, info.fingerprint):
        known = {(each.item_id, each.turn - 1): each for each in read_part(place, JudgedTurn)}
    texts = [read_texts(directory, model, name) for model in (judged.baseline, judged.model)]
    turns: dict[Key, JudgedTurn] = {}
    wanted: list[tuple[Key, PairwiseItem]] = []
    for dialogue in dialogues:
        for turn in range(len(dialogue.turns)):
            key = (dialogue.item_id, turn)
            turns[key] = known.get(key) or _unjudged(dialogue, turn, texts)
            if turns[key].preference is None and (pairing := _pairing(dialogue, turn, texts)) is not None:
                wanted.append((key, pairing))
    if not wanted and known:
        return

    n_judged = 0

    def note(at: int, judgement: Judgement) -> None:
        nonlocal n_judged
        n_judged += 1
        key = wanted[at][0]
        turns[key] = turns[key].judged(judgement)
        on_judged(n_judged, len(wanted))

    try:
        judge.judge([pairing for _, pairing in wanted], note)
    finally:
        write_part(place, JudgedTurn, list(turns.values()), info)


def read_judgements(
    directory: RunDirectory, number: int, model: str, names: tuple[str, str], judge: str
) -> Iterator[JudgedTurn]:
    """What a judge says of a model; nothing where it was not this judge, or these answers.

    Args:
        directory: of the run.
        number: the judge's place, from 1.
        model: who was judged.
        names: of the baseline and of the dialogues.
        judge: its fingerprint.
    """
    baseline, task = names
    made_of = {"judge": judge}
    if directory.fingerprints is not None:
        answers = [directory.fingerprints.get((each, task), "") for each in (model, baseline)]
        made_of["answers"] = ModelPair(model, baseline, *answers).fingerprint
    return read_cell(directory.judgements(number, model), JudgedTurn, made_of)


def _pairing(dialogue: Dialogue, turn: int, said: Sequence[Mapping[Key, str]]) -> PairwiseItem | None:
    keys = [(dialogue.item_id, number) for number in range(turn + 1)]
    if any(key not in one for one in said for key in keys):
        return None
    question = Question(dialogue.item_id, dialogue.category, dialogue.turns, dialogue.references)
    first, second = (tuple(one[key] for key in keys) for one in said)
    return PairwiseItem(question, turn + 1, first, second)


def _unjudged(dialogue: Dialogue, turn: int, texts: Sequence[Mapping[Key, str]]) -> JudgedTurn:
    baseline, model = (each.get((dialogue.item_id, turn)) for each in texts)
    return JudgedTurn(
        item_id=dialogue.item_id,
        category=dialogue.category,
        turn=turn + 1,
        words_baseline=None if baseline is None else count_words(baseline),
        words_model=None if model is None else count_words(model),
        cause=NO_ANSWER if baseline is None or model is None else "not judged yet",
    )
