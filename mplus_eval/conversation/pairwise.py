"""Judging of pairs: every model's answers against the baseline's, by every judge.

What is judged is stored under both models' answers and the judge, so that only what is missing is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

from mplus_eval.conversation.grading import grade_model, single_answers
from mplus_eval.conversation.items import DialogueTask
from mplus_eval.conversation.text_statistics import count_words
from mplus_eval.conversation.turns import NO_ANSWER, JudgedTurn, Key, Texts, answers_until, read_texts, stored_turns
from mplus_eval.judges import JudgeContext, load_judge
from mplus_eval.judges.base import AnswerGrader, Judgement, PaidJudge, PairJudge, PairwiseItem
from mplus_eval.judges.cost import CostEstimate
from mplus_eval.store.hashes import hash_components
from mplus_eval.store.parts import PartInfo, part_path, read_cell, write_part
from mplus_eval.store.run_directory import RunDirectory


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
    fingerprints = {pair.baseline: pair.baseline_answers for pair in pairs}
    fingerprints |= {pair.model: pair.answers for pair in pairs}
    texts = {model: read_texts(directory, model, task.name) for model in fingerprints}
    items = [item for pair in pairs for item in pairwise_items(task, texts[pair.baseline], texts[pair.model]).values()]
    context = JudgeContext(directory.path / "judgements" / "cache", items, seed)
    judges: dict[str, str] = {}
    graded = False
    for number, source in enumerate(sources, start=1):
        judge = load_judge(source, context)
        name = judge.name if judge.name not in judges else f"{judge.name} {number}"
        judges[name] = judge.fingerprint
        grades = isinstance(judge, AnswerGrader) and task.settings.grades and not graded
        if isinstance(judge, PaidJudge) and items:
            to_grade = [answer for said in texts.values() for answer in single_answers(task, said).values()]
            say(_cost(name, judge.estimate(items, to_grade if grades else [])))
        if isinstance(judge, AnswerGrader) and grades:
            graded = True
            for model, fingerprint in fingerprints.items():
                place = part_path(directory.grades(model), 0)
                report = partial(progress, f"{model} · graded by {judge.name}")
                grade_model(task, texts[model], fingerprint, judge, place, report)
        for pair in pairs:
            place = part_path(directory.judgements(number, pair.model), 0)
            report = partial(progress, f"{pair.model} · judged by {name}")
            _judge_pair(task, pair, (texts[pair.baseline], texts[pair.model]), judge, place, report)
    return judges


def pairwise_items(task: DialogueTask, baseline: Texts, model: Texts) -> dict[Key, PairwiseItem]:
    """The pairs of answers that there are."""
    items = {}
    for dialogue, turn in task.dialogues.each_turn():
        first, second = (answers_until(texts, dialogue, turn) for texts in (baseline, model))
        if first is not None and second is not None:
            items[dialogue.item_id, turn] = PairwiseItem(dialogue.question, turn + 1, first, second)
    return items


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
        answers = [directory.fingerprints.get((name, task), "") for name in (model, baseline)]
        made_of["answers"] = ModelPair(model, baseline, *answers).fingerprint
    return read_cell(directory.judgements(number, model), JudgedTurn, made_of)


def _cost(name: str, estimate: CostEstimate) -> str:
    money = "" if estimate.cost is None else f", about {estimate.cost:.2f} in the currency of its price"
    known = f" ({estimate.n_cached:,} verdicts are known already)" if estimate.n_cached else ""
    tokens = f"about {estimate.tokens_in:,} tokens in and {estimate.tokens_out:,} out"
    return f"conversation: {name} will be asked {estimate.n_requests:,} times, {tokens}{money}{known}"


def _judge_pair(
    task: DialogueTask,
    pair: ModelPair,
    texts: tuple[Texts, Texts],
    judge: PairJudge,
    place: Path,
    progress: Callable[[int, int], None],
) -> None:
    """Judge what is not judged yet, and store it, also when the judge dies half way.

    Args:
        task: the dialogues.
        pair: who against whom.
        texts: what the baseline and the model said.
        judge: who is asked.
        place: where its judgements of the model are stored.
        progress: called with how many of how many pairs are judged.
    """
    components = {"answers": pair.fingerprint, "judge": judge.fingerprint}
    info = PartInfo(hash_components(components), components, 0, 1)
    stored = stored_turns(place, JudgedTurn, info.fingerprint)
    turns: dict[Key, JudgedTurn] = {}
    for dialogue, turn in task.dialogues.each_turn():
        key = (dialogue.item_id, turn)
        baseline, model = (said.get(key) for said in texts)
        turns[key] = stored.get(key) or JudgedTurn(
            item_id=dialogue.item_id,
            category=dialogue.category,
            turn=turn + 1,
            words_baseline=None if baseline is None else count_words(baseline),
            words_model=None if model is None else count_words(model),
            cause=NO_ANSWER if baseline is None or model is None else "not judged yet",
        )
    wanted = {key: item for key, item in pairwise_items(task, *texts).items() if turns[key].preference is None}
    if stored and not wanted:
        return
    keys, n_judged = list(wanted), count(1)

    def note(at: int, judgement: Judgement) -> None:
        turns[keys[at]] = turns[keys[at]].judged(judgement)
        progress(next(n_judged), len(keys))

    try:
        judge.judge(list(wanted.values()), note)
    finally:
        write_part(place, JudgedTurn, list(turns.values()), info)
