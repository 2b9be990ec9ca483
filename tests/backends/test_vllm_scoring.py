from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.backends import load_backend
from mplus_eval.backends.vllm_scoring import VllmScorer, _parts, cut
from mplus_eval.models.locations import ModelLocation
from mplus_eval.spec.model import ModelSpec
from tests.backends.requests import texts
from tests.backends.vllm_stand_in import BLOCK, Abilities, install, log_probabilities
from tests.conftest import TinyModel

CONTEXT = tuple(range(20, 50))
Pair = tuple[Sequence[int], Sequence[int]]


def load(source: Path, monkeypatch: pytest.MonkeyPatch, abilities: Abilities | None = None) -> tuple[Any, Any]:
    """A backend and its engine."""
    able = install(monkeypatch, abilities)
    backend = load_backend("vllm", ModelSpec(name="m", source=str(source)), ModelLocation(source))
    engine = able.engines[-1]
    engine.asked.clear()
    engine.n_computed = 0
    return backend, engine


def greedy_after(source: Path, context: Sequence[int], n: int) -> list[int]:
    ids = list(context)
    for _ in range(n):
        ids.append(int(log_probabilities(str(source), tuple(ids))[-1].argmax()))
    return ids[len(context) :]


def expected(source: Path, context: Sequence[int], continuation: Sequence[int]) -> tuple[float, bool]:
    ids = (*context, *continuation)
    logs = log_probabilities(str(source), ids)
    rows = range(len(context) - 1, len(ids) - 1)
    value = sum(float(logs[row, ids[row + 1]]) for row in rows)
    return value, all(int(logs[row].argmax()) == ids[row + 1] for row in rows)


LACKING = {
    "prefix cache": Abilities(),
    "prompt rows": Abilities(lacking=frozenset({"prompt_logprob_token_ids"})),
    "one token": Abilities(lacking=frozenset({"skip_reading_prefix_cache"})),
    "plain": Abilities(lacking=frozenset({"logprob_token_ids"})),
}


@pytest.mark.parametrize("tier", LACKING)
def test_every_tier_says_what_the_model_says(tier: str, tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tiny_model()
    backend, _ = load(source, monkeypatch, Abilities(LACKING[tier].lacking))
    assert backend.facts.scoring.name == tier
    best = greedy_after(source, CONTEXT, 6)
    pairs: list[Pair] = [
        (CONTEXT, answer)
        for answer in ([5], best[:1], [5, 6], best[:2], [5, 6, 7], best[:5], [*best[:4], 9], best, [*best[:2], 9, 11])
    ]
    pairs += [(CONTEXT[:7], [8, 9, 10, 11]), ([20], [30, 40, 50])]
    scores = backend.scorer.score(pairs)
    assert len(scores) == len(pairs)
    for (value, greedy), (context, continuation) in zip(scores, pairs, strict=True):
        wanted = expected(source, context, continuation)
        assert value == pytest.approx(wanted[0], abs=1e-4)
        assert greedy is wanted[1]


@pytest.mark.parametrize(
    ("abilities", "tier", "why"),
    [
        (Abilities(scores_ids=False), "prompt rows", "prefix cache: prompt_logprob_token_ids requires another runner"),
        (Abilities(error=1.0), "prompt rows", "prefix cache: off by 0.67 nats a token, where 0.0002 is accepted"),
        (Abilities(error=float("nan")), "prompt rows", "prefix cache: off by nan nats a token, where 0.0002"),
        (LACKING["prompt rows"], "prompt rows", "prefix cache: unexpected keyword argument 'prompt_logprob_token_ids'"),
        (LACKING["plain"], "plain", "one token: unexpected keyword argument 'logprob_token_ids'"),
    ],
)
def test_an_engine_that_cannot_or_is_off_is_asked_otherwise(
    abilities: Abilities, tier: str, why: str, tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    scoring = load(tiny_model(), monkeypatch, abilities)[0].facts.scoring
    assert scoring.name == tier
    assert why in scoring.why


def test_choices_of_one_token_are_one_request_that_reads_the_cache(
    tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, engine = load(tiny_model(), monkeypatch)
    questions = [(*CONTEXT, 60 + number) for number in range(3)]
    backend.scorer.score([(question, [letter]) for question in questions for letter in (5, 6, 7, 8)])
    assert [ids for ids, _ in engine.asked] == questions
    for _, params in engine.asked:
        assert params.logprob_token_ids == [5, 6, 7, 8]
        assert params.prompt_logprobs is params.prompt_logprob_token_ids is None
    shared = len(CONTEXT) // BLOCK * BLOCK
    assert engine.n_computed == 3 * len(questions[0]) - 2 * shared


def test_of_longer_ones_the_tokens_between_first_and_last_are_asked_of_a_prompt(
    tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, engine = load(tiny_model(), monkeypatch)
    backend.scorer.score([(CONTEXT, [5, 6, 7, 8])], greedy=False)
    (first, first_params), (rest, rest_params) = engine.asked
    assert (first, first_params.logprob_token_ids) == (CONTEXT, [5])
    assert (rest, rest_params.logprob_token_ids) == ((*CONTEXT, 5, 6, 7), [8])
    # Place 30 of the prompt is 5, which is looked from at 6.
    assert (rest_params.prompt_logprob_start, rest_params.prompt_logprob_token_ids) == (30, [[6], [7]])
    assert rest_params.skip_reading_prefix_cache is False


@pytest.mark.parametrize("tier", ["prefix cache", "prompt rows"])
def test_what_was_cached_beyond_the_context_is_asked_again_without_the_cache(
    tier: str, tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tiny_model()
    backend, engine = load(source, monkeypatch, Abilities(LACKING[tier].lacking))
    answer = list(range(60, 60 + 3 * BLOCK))
    before = backend.scorer.score([(CONTEXT, answer)])
    engine.asked.clear()
    assert backend.scorer.score([(CONTEXT, answer)]) == before
    whole = (*CONTEXT, *answer[:-1])
    assert [params.skip_reading_prefix_cache for ids, params in engine.asked if ids == whole] == [False, True]
    assert before[0][0] == pytest.approx(expected(source, CONTEXT, answer)[0], abs=1e-4)


def test_only_what_may_be_greedy_is_asked_whether_it_is(tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tiny_model()
    backend, engine = load(source, monkeypatch)
    best = greedy_after(source, CONTEXT, 5)
    others = [token for token in (90, 91) if token != best[0]]
    backend.scorer.score([(CONTEXT, [other, *best[1:]]) for other in others])
    # Their first tokens are told beside the likeliest one.
    assert len(engine.asked) == 1 + len(others)
    engine.asked.clear()
    backend.scorer.score([(CONTEXT, best)], greedy=False)
    assert len(engine.asked) == 2


def test_windows_of_whole_texts_are_not_asked_whether_they_are_greedy(
    tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, engine = load(tiny_model(), monkeypatch)
    asked: list[bool] = []
    score = VllmScorer.score

    def noted(self: VllmScorer, pairs: Any, *, greedy: bool = True) -> Any:
        asked.append(greedy)
        return score(self, pairs, greedy=greedy)

    monkeypatch.setattr(VllmScorer, "score", noted)
    backend.respond(texts())
    assert asked == [False]
    assert engine.asked


def test_contexts_are_parted_by_what_the_cache_holds() -> None:
    """Of 24 tokens: the two that share a context of 10 stand together, the third shares 8 of it."""
    shared, near, other = tuple(range(10)), (*range(8), 90, 91), tuple(range(50, 60))
    pairs: list[Pair] = [(other, [1, 2]), (shared, [1]), (near, [3, 4]), (shared, [5])]
    assert _parts(pairs, range(4), 24) == [[1, 3, 2], [0]]
    assert _parts(pairs, range(4), 1000) == [[1, 3, 2, 0]]
    # One that is too long for it stands alone.
    assert _parts(pairs, range(4), 5) == [[1, 3], [2], [0]]


@pytest.mark.parametrize(
    ("context", "continuation", "left"),
    [(range(5), [1], range(5)), (range(8), [1], range(8)), (range(9), [1, 2], range(2, 9)), (range(3), [1] * 9, [])],
)
def test_one_token_of_the_length_is_left_for_what_follows(
    context: Sequence[int], continuation: list[int], left: Sequence[int]
) -> None:
    assert list(cut(context, continuation, 10)) == list(left)
