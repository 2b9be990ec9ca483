from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.backends.base import Response
from mplus_eval.conversation import pairwise as judging
from mplus_eval.judges.base import Judgement, PairwiseItem, combined
from mplus_eval.records.conversation import ModelConversation
from mplus_eval.records.verdict import Verdict
from mplus_eval.store.parts import part_info, part_path
from tests.talkers import WORDS, Bench, plain

SOURCE = "function:tests.talkers:n_words"
Verdicts = Callable[[PairwiseItem], tuple[float, float] | str]
"""The model's view with the baseline's answer first and with the model's first; or why there is none."""


class FakeJudge:
    """Says what a rule says, counts what it was asked, and dies at a given pair."""

    def __init__(self, verdicts: Verdicts, *, name: str = "fake", dies_at: int | None = None) -> None:
        self.verdicts, self.name, self.fingerprint, self.dies_at = verdicts, name, f"of {name}", dies_at
        self.asked: list[tuple[str, int]] = []

    def judge(
        self, pairings: Sequence[PairwiseItem], on_judged: Callable[[int, Judgement], None] | None = None
    ) -> list[Judgement]:
        found = []
        for place, pairing in enumerate(pairings):
            if len(self.asked) == self.dies_at:
                raise KeyboardInterrupt
            self.asked.append((pairing.question.item_id, pairing.turn))
            said = self.verdicts(pairing)
            judgement = Judgement(None, cause=said) if isinstance(said, str) else Judgement(combined(*said), *said)
            found.append(judgement)
            if on_judged is not None:
                on_judged(place, judgement)
        return found


def wins(pairing: PairwiseItem) -> tuple[float, float]:
    return 1.0, 1.0


def losing_second_turns(pairing: PairwiseItem) -> tuple[float, float]:
    return (1.0, 1.0) if pairing.turn == 1 else (0.0, 0.0)


def first_shown(pairing: PairwiseItem) -> tuple[float, float]:
    """With the baseline's answer first, the baseline wins; with the model's first, the model."""
    return 0.0, 1.0


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return bench_of(tmp_path, monkeypatch)


def bench_of(path: Path, monkeypatch: pytest.MonkeyPatch, *names: str, n_judges: int = 1) -> Bench:
    """Models that all talk plainly, asked for conversation alone."""
    found = Bench(path, dict.fromkeys(("base", *(names or ("plus",))), plain), judges=[SOURCE] * n_judges)
    del found.suite["harmlessness"]
    return found


def judged(bench: Bench, monkeypatch: pytest.MonkeyPatch, *judges: FakeJudge) -> dict[str, ModelConversation]:
    waiting = iter(judges)
    monkeypatch.setattr(judging, "load_judge", lambda source, context: next(waiting))
    conversation = bench.run(toxicity=False, conversation=True).conversation
    assert conversation is not None
    return conversation.models


def rows(bench: Bench, judge: int = 1, model: str = "plus") -> dict[tuple[str, int], dict[str, Any]]:
    return {(row["item_id"], row["turn"]): row for row in bench.rows("judgements", str(judge), model)}


def test_every_turn_of_every_dialogue_is_judged_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = FakeJudge(losing_second_turns)
    found = judged(bench, monkeypatch, judge)["plus"]
    assert sorted(judge.asked) == sorted((str(number), turn) for number in range(12) for turn in (1, 2))
    assert (found.win_rate.value, found.win_rate.wins, found.win_rate.losses) == (0.5, 12, 12)
    assert {turn: one.value for turn, one in found.by_turn.items()} == {"1": 1.0, "2": 0.0}
    assert set(found.by_category) == {"short", "long"}


def test_a_judge_sees_the_answers_up_to_the_turn_the_baselines_first(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[PairwiseItem] = []
    bench.says["plus"] = lambda prompt, rng: "plus says this"
    bench.says["base"] = lambda prompt, rng: "base says that"
    judged(bench, monkeypatch, FakeJudge(lambda pairing: seen.append(pairing) or (1.0, 1.0)))
    (second,) = [one for one in seen if one.question.item_id == "3" and one.turn == 2]
    assert (second.first, second.second) == (("base says that",) * 2, ("plus says this",) * 2)


def test_a_winner_of_everything_is_improved(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    found = judged(bench, monkeypatch, FakeJudge(wins))["plus"]
    assert (found.win_rate.value, found.verdict, found.reasons) == (1.0, Verdict.IMPROVED, ())


def test_what_is_judged_is_not_judged_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    first = judged(bench, monkeypatch, FakeJudge(wins))
    again = FakeJudge(wins)
    assert judged(bench, monkeypatch, again) == first
    assert again.asked == []


def test_what_a_judge_said_before_it_died_stays(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    dying = FakeJudge(wins, dies_at=7)
    with pytest.raises(KeyboardInterrupt):
        judged(bench, monkeypatch, dying)
    assert sum(row["preference"] is not None for row in rows(bench).values()) == 7

    other = FakeJudge(wins)
    found = judged(bench, monkeypatch, other)["plus"]
    assert bench.backends == []
    assert len(other.asked) == 24 - 7
    assert not set(other.asked) & set(dying.asked)
    assert found.win_rate.n_judged == 24


def test_unjudged_pairs_are_counted_with_their_causes_and_asked_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def some(pairing: PairwiseItem) -> tuple[float, float] | str:
        return "no verdict in the answer" if (pairing.question.item_id, pairing.turn) == ("4", 2) else (1.0, 1.0)

    found = judged(bench, monkeypatch, FakeJudge(some))["plus"]
    assert found.unjudged == {"no verdict in the answer": 1}
    assert (found.win_rate.n_judged, found.win_rate.n_unjudged) == (23, 1)
    assert found.verdict == Verdict.IMPROVED

    again = FakeJudge(wins)
    assert judged(bench, monkeypatch, again)["plus"].unjudged == {}
    assert again.asked == [("4", 2)]


def test_more_than_a_tenth_unjudged_withholds_the_verdict(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def some(pairing: PairwiseItem) -> tuple[float, float] | str:
        return "timed out" if pairing.question.item_id in ("0", "1") else (1.0, 1.0)

    found = judged(bench, monkeypatch, FakeJudge(some))["plus"]
    assert found.verdict == Verdict.NOT_COMPARABLE
    assert found.reasons == ("17 % of pairs have no verdict, more than 10 %",)


def test_a_judge_that_judges_nothing_gives_no_verdict_at_all(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    found = judged(bench, monkeypatch, FakeJudge(lambda pairing: "timed out"))["plus"]
    assert (found.win_rate.value, found.verdict, found.unjudged) == (None, None, {"timed out": 24})


def test_a_judge_that_prefers_what_it_is_shown_first_is_exposed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    found = judged(bench, monkeypatch, FakeJudge(first_shown))["plus"]
    assert found.win_rate.ties == 24
    assert found.verdict == Verdict.NOT_COMPARABLE
    assert found.reasons == ("the order of the answers decides more than half of the judge's verdicts",)
    assert found.bias.order_inconsistency.value == 1.0
    assert found.bias.first_preferred.value == 1.0


def test_a_pair_without_both_answers_is_not_shown_to_a_judge(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def say(prompt: str, rng: random.Random) -> str | Response:
        return Response(error="out of memory") if "a river" in prompt else plain(prompt, rng)

    bench.says["plus"] = say
    judge = FakeJudge(wins)
    found = judged(bench, monkeypatch, judge)["plus"]
    assert found.unjudged == {"a model has no answer": 2}
    assert len(judge.asked) == 22
    assert (found.text.n_answers, found.text.n_failed) == (22, 2)


def test_a_judgement_is_known_by_both_models_answers_and_the_judge(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged(bench, monkeypatch, FakeJudge(wins))
    info = part_info(part_path(bench.directory.judgements(1, "plus"), 0))
    assert info is not None
    assert set(info.components) == {"answers", "judge"}

    other = FakeJudge(wins, name="other")
    judged(bench, monkeypatch, other)
    assert len(other.asked) == 24

    swapped = FakeJudge(wins, name="other")
    monkeypatch.setattr(judging, "load_judge", lambda *_: swapped)
    conversation = bench.run(toxicity=False, conversation=True, baseline="plus").conversation
    assert conversation is not None
    assert list(conversation.models) == ["base"]
    assert len(swapped.asked) == 24


def test_three_models_are_rated_and_two_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def by_model(pairing: PairwiseItem) -> tuple[float, float]:
        better = pairing.second[0].startswith("best")
        return (1.0, 1.0) if better or int(pairing.question.item_id) % 2 else (0.0, 0.0)

    bench = bench_of(tmp_path, monkeypatch, "good", "best")
    bench.says["best"] = lambda prompt, rng: "best of " + plain(prompt, rng)
    found = judged(bench, monkeypatch, FakeJudge(by_model), FakeJudge(by_model))
    ratings = {name: one.rating for name, one in found.items()}
    assert ratings["good"] is not None
    assert ratings["best"] is not None
    assert ratings["good"].value == pytest.approx(0.0, abs=1e-6)
    assert ratings["best"].unbounded

    (tmp_path / "two").mkdir()
    two = bench_of(tmp_path / "two", monkeypatch)
    assert judged(two, monkeypatch, FakeJudge(wins))["plus"].rating is None


def test_two_judges_have_their_own_figures_and_an_agreement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = bench_of(tmp_path, monkeypatch, n_judges=2)
    found = judged(bench, monkeypatch, FakeJudge(losing_second_turns), FakeJudge(losing_second_turns))["plus"]
    assert found.second_judge is not None
    assert (found.judge, found.second_judge.judge) == ("fake", "fake 2")
    assert found.agreement is not None
    assert (found.agreement.kappa, found.agreement.agreement, found.agreement.n_pairs) == (1.0, 1.0, 24)
    assert rows(bench, 1).keys() == rows(bench, 2).keys()


def test_judges_that_disagree_always_agree_less_than_by_chance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def other(pairing: PairwiseItem) -> tuple[float, float]:
        return (0.0, 0.0) if pairing.turn == 1 else (1.0, 1.0)

    bench = bench_of(tmp_path, monkeypatch, n_judges=2)
    found = judged(bench, monkeypatch, FakeJudge(losing_second_turns), FakeJudge(other, name="other"))["plus"]
    assert found.agreement is not None
    assert (found.agreement.kappa, found.agreement.agreement) == (-1.0, 0.0)


def test_a_function_of_ones_own_judges_and_its_liking_of_length_is_shown(bench: Bench) -> None:
    # The baseline says eight words.
    bench.says["plus"] = lambda prompt, rng: " ".join(rng.sample(WORDS, rng.choice((7, *range(9, 16)))))
    conversation = bench.run(toxicity=False, conversation=True).conversation
    assert conversation is not None
    found = conversation.models["plus"]
    assert list(conversation.judges) == ["n_words"]
    assert found.verdict == Verdict.IMPROVED
    assert found.win_rate.losses > 0
    assert found.bias.longer_preferred.value == 1.0
    assert found.length_controlled_win_rate.value == 0.5
    assert found.explained_by_length


def test_a_model_that_answers_nothing_is_missing_with_its_cause(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.says["plus"] = lambda prompt, rng: Response(error="out of memory")
    monkeypatch.setattr(judging, "load_judge", lambda *_: FakeJudge(wins))
    comparison = bench.run(toxicity=False, conversation=True)
    assert comparison.conversation is not None
    assert comparison.conversation.models == {}
    assert comparison.conversation.missing["plus"] in ("out of memory", "an earlier turn failed")
    assert [(one.model, one.task) for one in comparison.missing] == [("plus", "dialogues")]
