"""A language model as a judge: pairs in both orders, or single answers with a grade of 1 to 10.

In the manner of MT-Bench (Zheng et al., arXiv 2306.05685). Every pair is asked twice, once with each answer in first
place; verdicts that change with the order are a tie, and are marked as inconsistent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TypeVar

from mplus_eval.judges.base import (
    LOSS,
    TIE,
    WIN,
    Grade,
    JudgeContext,
    Judgement,
    JudgeWeights,
    OnJudged,
    PairwiseItem,
    RefusalVerdict,
    SingleAnswer,
    combined,
)
from mplus_eval.judges.cache import JudgeVerdict, VerdictCache
from mplus_eval.judges.client import JudgeClient
from mplus_eval.judges.cost import CostEstimate
from mplus_eval.judges.endpoint import Endpoint, endpoint_faults
from mplus_eval.judges.errors import UnansweredError
from mplus_eval.judges.prompt import (
    JudgePrompt,
    grade_prompt,
    pairwise_prompt,
    prompts_hash,
    reference_for,
    refusal_prompt,
)
from mplus_eval.servers.usage import UsageTracker
from mplus_eval.store.hashes import hash_components, weights_hash

_PREFERENCE_OF_A = {"A": WIN, "B": LOSS, "C": TIE}
_SAME = "The two answers are the same."
# Rough figures for an estimate: English text, and a reply of three sentences.
_CHARACTERS_PER_TOKEN = 4
_TOKENS_PER_REPLY = 120

Item = TypeVar("Item")
Result = TypeVar("Result")


def faults(detail: str, where: str) -> list[str]:
    """Return what stands in the way of asking MODEL@URL."""
    return endpoint_faults(_endpoint(detail), where)


def load(detail: str, context: JudgeContext) -> LlmJudge:
    """The judge MODEL@URL."""
    return LlmJudge(_endpoint(detail), context.cache)


def weights(detail: str) -> JudgeWeights:
    """The model that is asked for; with the hash of its weights where a server calls it by a directory that is here."""
    served = _endpoint(detail).model
    return JudgeWeights(weights_hash(Path(served)) if Path(served).is_dir() else "", served)


def _endpoint(detail: str) -> Endpoint:
    model, _, url = detail.partition("@")
    return Endpoint(base_url=url, model=model)


class LlmJudge:
    """A judge behind an OpenAI-compatible endpoint."""

    def __init__(
        self, endpoint: Endpoint, cache: Path | None = None, sleep: Callable[[float], None] | None = None
    ) -> None:
        """Connect; nothing is sent yet.

        Args:
            endpoint: the model, where it is, and how patiently it is asked.
            cache: directory of verdicts, made when the first is kept; None keeps none.
            sleep: waits between tries, in place of the clock.
        """
        self.endpoint = endpoint
        self.name = endpoint.model
        self.concurrency = endpoint.concurrency
        self.usage = UsageTracker(endpoint.price)
        # Which judge, where, and what it is told; neither its key nor how patiently it is asked.
        identity = {"base_url": endpoint.base_url, "model": endpoint.model, "max_tokens": str(endpoint.max_tokens)}
        self.fingerprint = hash_components({**identity, "prompts": prompts_hash()})
        self._cache = VerdictCache(cache)
        self._client = JudgeClient(endpoint, self.usage, sleep)

    def judge(self, items: Sequence[PairwiseItem], on_judged: OnJudged | None = None) -> list[Judgement]:
        """Judge pairs in both orders; those whose answers are the same are a tie without being asked."""
        return self._spread(self._judge, items, on_judged)

    def grade(
        self, answers: Sequence[SingleAnswer], on_graded: Callable[[int, Grade], None] | None = None
    ) -> list[Grade]:
        """Grade answers, against a reference answer in maths, coding and reasoning where there is one."""
        return self._spread(self._grade, answers, on_graded)

    def refusals(self, answered: Sequence[tuple[str, str]]) -> list[RefusalVerdict]:
        """Tell of requests and their answers whether these refuse."""
        return self._spread(self._refusal, answered, None)

    def estimate(self, pairs: Sequence[PairwiseItem] = (), answers: Sequence[SingleAnswer] = ()) -> CostEstimate:
        """Estimate what these will cost, from the prompts themselves; nothing is sent."""
        asked = [pair for pair in pairs if pair.first != pair.second]
        prompts = [pairwise_prompt(shown) for pair in asked for shown in (pair, pair.swapped)]
        prompts += [grade_prompt(answer) for answer in answers]
        missing = [prompt for prompt in prompts if self._cache.get(self._key(prompt)) is None]
        tokens_in = sum(math.ceil(len(prompt.text(structured=True)) / _CHARACTERS_PER_TOKEN) for prompt in missing)
        tokens_out = min(_TOKENS_PER_REPLY, self.endpoint.max_tokens) * len(missing)
        cost = self.endpoint.price.of(tokens_in, tokens_out) if self.endpoint.price else None
        return CostEstimate(len(missing), len(prompts) - len(missing), tokens_in, tokens_out, cost)

    def _judge(self, item: PairwiseItem) -> Judgement:
        if item.first == item.second:
            return Judgement(TIE, reasons=(_SAME,))
        verdicts: list[JudgeVerdict] = []
        try:
            for shown in (item, item.swapped):
                verdicts.append(self._verdict(pairwise_prompt(shown)))
        except UnansweredError as error:
            return _judgement(verdicts, error.cause)
        return _judgement(verdicts)

    def _grade(self, answer: SingleAnswer) -> Grade:
        with_reference = reference_for(answer.question, answer.turn) is not None
        try:
            verdict = self._verdict(grade_prompt(answer))
        except UnansweredError as error:
            return Grade(None, error.cause, with_reference=with_reference)
        tokens = (verdict.tokens_in, verdict.tokens_out)
        return Grade(int(verdict.value), None, verdict.reason, with_reference, *tokens)

    def _refusal(self, answered: tuple[str, str]) -> RefusalVerdict:
        try:
            verdict = self._verdict(refusal_prompt(*answered))
        except UnansweredError as error:
            return RefusalVerdict(None, error.cause)
        return RefusalVerdict(verdict.value == "A", None, verdict.reason)

    def _verdict(self, prompt: JudgePrompt) -> JudgeVerdict:
        key = self._key(prompt)
        cached = self._cache.get(key)
        if cached is not None and cached.value in prompt.kind.choices:
            self.usage.cached()
            return cached
        verdict = self._client.ask(prompt)
        self._cache.put(key, verdict)
        return verdict

    def _spread(
        self,
        work: Callable[[Item], Result],
        items: Sequence[Item],
        on_done: Callable[[int, Result], None] | None,
    ) -> list[Result]:
        """Work on items in several threads; when one fails, or the run is stopped, what has not begun is left."""
        results: dict[int, Result] = {}
        self._client.stopping.clear()
        with ThreadPoolExecutor(self.endpoint.concurrency) as pool:
            places = {pool.submit(work, item): place for place, item in enumerate(items)}
            try:
                for future in as_completed(places):
                    place = places[future]
                    results[place] = future.result()
                    if on_done is not None:
                        on_done(place, results[place])
            except BaseException:  # Ctrl-C too: what waits is given up, and it goes on its way
                self._client.stopping.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return [results[place] for place in range(len(items))]

    def _key(self, prompt: JudgePrompt) -> str:
        """What a verdict is kept under: the judge and the texts in their order, however the reply was put."""
        return hash_components({"judge": self.fingerprint, "kind": prompt.kind.name, "body": prompt.body})


def _judgement(verdicts: Sequence[JudgeVerdict], cause: str | None = None) -> Judgement:
    """A judgement from the verdicts of one order or both; A is the baseline in the first, the model in the second."""
    of_a = [_PREFERENCE_OF_A[str(verdict.value)] for verdict in verdicts]
    baseline_first = WIN - of_a[0] if of_a else None
    model_first = of_a[1] if len(of_a) > 1 else None
    preference = None
    if baseline_first is not None and model_first is not None:
        preference = combined(baseline_first, model_first)
    return Judgement(
        preference,
        baseline_first,
        model_first,
        consistent=None if preference is None else baseline_first == model_first,
        cause=cause,
        reasons=tuple(verdict.reason for verdict in verdicts),
        tokens_in=sum(verdict.tokens_in for verdict in verdicts),
        tokens_out=sum(verdict.tokens_out for verdict in verdicts),
    )
