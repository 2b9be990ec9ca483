"""Judging: every model's answers against the baseline's, by every judge, stored so that only what is missing is asked.

judgements/<n>/<model>/part-00000.parquet     one row a turn, by the n-th judge; keyed by both models' answers and judge
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mplus_eval.conversation.generate import NO_ANSWER, AskedDialogues, Key, read_answers
from mplus_eval.conversation.grading import answerings, grade_all
from mplus_eval.conversation.items import Dialogue
from mplus_eval.conversation.text_statistics import count_words
from mplus_eval.judges import JudgeContext, load_judge
from mplus_eval.judges.base import AnswerGrader, Judgement, PaidJudge, PairJudge, PairwiseItem, Question
from mplus_eval.judges.usage import CostEstimate
from mplus_eval.store.hashes import hash_components
from mplus_eval.store.parts import PartInfo, part_info, part_path, read_part, write_part
from mplus_eval.store.run_directory import RunDirectory

if TYPE_CHECKING:
    from mplus_eval.pipeline.plan import Plan

Row = dict[str, Any]

SCHEMA = pa.schema(
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
"""`turn` counts from 1; preferences are the model's view: 1 a win, 0.5 a tie, 0 a loss, null unjudged."""


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
    asked: AskedDialogues,
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
        asked: the dialogues.
        pairs: who against whom.
        sources: of the judges.
        directory: where answers lie and judgements are stored.
        seed: the run's.
        progress: called with what is being judged, the pairs judged, and of how many.
        say: told beforehand what a language model will cost.

    Returns:
        The judges' fingerprints by name, in their order.
    """
    dialogues = asked.dialogues.dialogues
    every = [pairing for judged in pairs for pairing in pairings(judged, asked.name, dialogues, directory)]
    context = JudgeContext(directory.path / "judgements" / "cache", every, seed)
    found: dict[str, str] = {}
    graded = False
    for number, source in enumerate(sources, start=1):
        judge = load_judge(source, context)
        name = judge.name if judge.name not in found else f"{judge.name} {number}"
        found[name] = judge.fingerprint
        grades = isinstance(judge, AnswerGrader) and asked.spec.grades and not graded
        if isinstance(judge, PaidJudge) and every:
            single = answerings(asked, answered(pairs), directory) if grades else []
            say(_cost(name, judge.estimate(every, single)))
        if isinstance(judge, AnswerGrader) and grades:
            graded = True
            grade_all(asked, answered(pairs), judge, directory, progress)
        for judged in pairs:
            title = f"{judged.model} · judged by {name}"
            judge_model(judged, asked.name, dialogues, directory, judge, number, partial(progress, title))
    return found


def answered(pairs: Sequence[ModelPair]) -> dict[str, str]:
    """The fingerprints of the answers of all models in the pairs."""
    return {one.baseline: one.baseline_answers for one in pairs} | {one.model: one.answers for one in pairs}


def _cost(name: str, estimate: CostEstimate) -> str:
    money = "" if estimate.cost is None else f", about {estimate.cost:.2f} in the currency of its price"
    known = f" ({estimate.n_cached:,} verdicts are known already)" if estimate.n_cached else ""
    tokens = f"about {estimate.tokens_in:,} tokens in and {estimate.tokens_out:,} out"
    return f"conversation: {name} will be asked {estimate.n_requests:,} times, {tokens}{money}{known}"


def judged_pairs(plan: Plan, failures: Mapping[tuple[str, str], str]) -> list[ModelPair]:
    """Every model with answers against the baseline, if that has any."""
    assert plan.dialogues is not None
    name = plan.dialogues.name
    cells = {cell.model.spec.name: cell for cell in plan.cells if cell.task is plan.dialogues}
    whole = {model: cell for model, cell in cells.items() if (model, name) not in failures}
    baseline = whole.pop(plan.spec.baseline, None)
    if baseline is None:
        return []
    return [
        ModelPair(model, plan.spec.baseline, cell.fingerprint, baseline.fingerprint) for model, cell in whole.items()
    ]


def pairings(
    judged: ModelPair, name: str, dialogues: Sequence[Dialogue], directory: RunDirectory
) -> list[PairwiseItem]:
    """The pairs of answers that there are."""
    said = [read_answers(directory, model, name) for model in (judged.baseline, judged.model)]
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
    known = _known(place, info)
    said = [read_answers(directory, model, name) for model in (judged.baseline, judged.model)]
    rows: dict[Key, Row] = {}
    wanted: list[tuple[Key, PairwiseItem]] = []
    for dialogue in dialogues:
        for turn in range(len(dialogue.turns)):
            key = (dialogue.item_id, turn)
            rows[key] = known.get(key) or _unjudged(dialogue, turn, said)
            if rows[key]["preference"] is None and (pairing := _pairing(dialogue, turn, said)) is not None:
                wanted.append((key, pairing))
    if not wanted and known:
        return

    n_judged = 0

    def note(at: int, judgement: Judgement) -> None:
        nonlocal n_judged
        n_judged += 1
        rows[wanted[at][0]].update(_verdict(judgement))
        on_judged(n_judged, len(wanted))

    try:
        judge.judge([pairing for _, pairing in wanted], note)
    finally:
        write_part(place, list(rows.values()), SCHEMA, info)


def _known(place: Any, info: PartInfo) -> dict[Key, Row]:
    stored = part_info(place)
    if stored is None or stored.fingerprint != info.fingerprint:
        return {}
    return {(row["item_id"], row["turn"] - 1): row for row in read_part(place)}


def _pairing(dialogue: Dialogue, turn: int, said: Sequence[Mapping[Key, str]]) -> PairwiseItem | None:
    keys = [(dialogue.item_id, number) for number in range(turn + 1)]
    if any(key not in one for one in said for key in keys):
        return None
    question = Question(dialogue.item_id, dialogue.category, dialogue.turns, dialogue.references)
    first, second = (tuple(one[key] for key in keys) for one in said)
    return PairwiseItem(question, turn + 1, first, second)


def _unjudged(dialogue: Dialogue, turn: int, said: Sequence[Mapping[Key, str]]) -> Row:
    texts = [one.get((dialogue.item_id, turn)) for one in said]
    words = [None if text is None else count_words(text) for text in texts]
    return {
        "item_id": dialogue.item_id,
        "category": dialogue.category,
        "turn": turn + 1,
        "preference": None,
        "words_baseline": words[0],
        "words_model": words[1],
        "cause": NO_ANSWER if None in texts else "not judged yet",
    }


def _verdict(judgement: Judgement) -> Row:
    return {
        "preference": judgement.preference,
        "in_order": judgement.model_first,
        "swapped": judgement.baseline_first,
        "margin": judgement.margin,
        "n_truncated": judgement.n_truncated,
        "reasons": list(judgement.reasons),
        "cause": judgement.cause,
        "tokens_in": judgement.tokens_in,
        "tokens_out": judgement.tokens_out,
    }
