"""Who decides for a model: no judge that trained it, and nobody where judges contradict each other."""

from __future__ import annotations

from itertools import product

import pytest

from mplus_eval.conversation.deciding import Dependence, contradict, decide
from mplus_eval.conversation.judge_results import JudgeResults
from mplus_eval.conversation.measures import measure
from mplus_eval.judges.base import JudgeWeights
from mplus_eval.records.conversation import Judging
from mplus_eval.records.verdict import Verdict
from tests.conversation.tables import table
from tests.entries import entry

REWARD, REFEREE = JudgeWeights("reward's"), JudgeWeights("referee's")
BASE = entry(weights="base's")
RECORD = {
    "method": "rlhf", "algorithm": "RLOO", "base": "b", "base_fingerprint": "f", "data": (), "step": 1,
    "total_steps": 1, "seed": 0, "seconds": 1.0,
}  # fmt: skip
PLUS = entry(weights="plus's", trained_by=("reward's", "another's"), training=RECORD)
FREE, TRAINED = Dependence(), Dependence(True, ("the judge trained this model (reward)",))
WON, LOST, OPEN = [1.0] * 40, [0.0] * 40, [1.0, 0.0] * 3
PREFERENCES = {Verdict.IMPROVED: WON, Verdict.DEGRADED: LOST, Verdict.UNDECIDED: OPEN}


def judging(name: str, verdict: Verdict, ties: Dependence = FREE) -> Judging:
    """What a judge says that prefers as makes for this verdict, were it independent."""
    rows = table(PREFERENCES[verdict]).assign(cause=None, tokens_in=0, tokens_out=0)
    return JudgeResults(name, rows, measure(rows), {}).judging("plus", (), ties)


def test_a_judge_that_trained_the_model_is_known_by_its_weights_under_any_name() -> None:
    ties = Dependence.of("a copy", REWARD, PLUS, BASE)
    assert ties == Dependence(True, ("the judge trained this model (a copy)",))


@pytest.mark.parametrize("judge", [REFEREE, JudgeWeights(), JudgeWeights(served="qwen3")])
def test_a_referee_people_functions_and_other_models_are_independent(judge: JudgeWeights) -> None:
    assert Dependence.of("judge", judge, PLUS, BASE) == FREE


def test_of_a_model_without_a_record_it_is_said_that_the_judge_may_have_trained_it() -> None:
    ties = Dependence.of("reward", REWARD, entry(trained_by=("reward's",)), BASE)
    assert ties == Dependence(True, ("the judge lies beside and may have trained this model (reward)",))


def test_a_judge_that_trained_the_baseline_is_not_independent_and_did_not_train_the_model() -> None:
    ties = Dependence.of("reward", REWARD, entry(), PLUS)
    assert ties == Dependence(False, ("the judge trained the baseline (reward)",))
    # It may lie beside a base that nothing is known of.
    assert Dependence.of("reward", REWARD, entry(), entry(trained_by=("reward's",))) == FREE


@pytest.mark.parametrize("judge", [JudgeWeights(hash="plus's"), JudgeWeights(served="./plus")])
def test_a_model_does_not_judge_itself(judge: JudgeWeights) -> None:
    model = entry(weights="plus's", source="./plus")
    assert Dependence.of("plus", judge, model, BASE) == Dependence(False, ("the judge is this model itself (plus)",))
    other = Dependence.of("plus", judge, BASE, model)
    assert other.reasons == ("the judge is the baseline itself (plus)",)


def test_an_independent_judge_decides_and_the_one_that_trained_the_model_stands_second() -> None:
    reward = judging("reward", Verdict.IMPROVED, TRAINED)
    referee = judging("referee", Verdict.DEGRADED)
    found = decide([(reward, TRAINED), (referee, FREE)])
    assert (found.judging, found.second, found.verdict_alone) == (referee, reward, None)
    assert (found.judging.trained_model, reward.trained_model) == (False, True)
    # Its rate is told, its verdict is none, and so it contradicts nothing.
    assert (reward.win_rate.value, reward.verdict, reward.reasons) == (1.0, Verdict.NOT_COMPARABLE, TRAINED.reasons)


def test_without_an_independent_judge_nothing_is_compared() -> None:
    alone = decide([(judging("reward", Verdict.IMPROVED, TRAINED), TRAINED)])
    assert (alone.judging.verdict, alone.judging.reasons) == (Verdict.NOT_COMPARABLE, TRAINED.reasons)
    assert alone.second is None


@pytest.mark.parametrize(
    ("first", "second"), [(Verdict.IMPROVED, Verdict.DEGRADED), (Verdict.DEGRADED, Verdict.IMPROVED)]
)
def test_judges_that_contradict_each_other_disagree_and_both_are_told(first: Verdict, second: Verdict) -> None:
    found = decide([(judging("llm", first), FREE), (judging("people", second), FREE)])
    assert (found.judging.verdict, found.verdict_alone) == (Verdict.JUDGES_DISAGREE, first)
    assert found.judging.reasons == (f"llm says {first} and people says {second}",)
    assert found.second is not None
    assert (found.second.judge, found.second.verdict) == ("people", second)


def test_what_is_preserved_contradicts_what_is_degraded_and_undecided_contradicts_nothing() -> None:
    made = {verdict: judging("j", Verdict.UNDECIDED).model_copy(update={"verdict": verdict}) for verdict in Verdict}
    found = {(one, other) for one, other in product(Verdict, Verdict) if contradict(made[one], made[other])}
    worse = Verdict.DEGRADED
    assert found == {
        (Verdict.IMPROVED, worse), (Verdict.PRESERVED, worse), (worse, Verdict.IMPROVED), (worse, Verdict.PRESERVED),
    }  # fmt: skip


def test_of_three_judges_one_that_contradicts_stands_second_before_one_that_does_not() -> None:
    three = [
        (judging("reward", Verdict.IMPROVED, TRAINED), TRAINED),
        (judging("referee", Verdict.IMPROVED), FREE),
        (judging("rules", Verdict.DEGRADED), FREE),
    ]
    found = decide(three)
    assert found.second is not None
    assert (found.judging.judge, found.second.judge) == ("referee", "rules")
    assert found.judging.verdict == Verdict.JUDGES_DISAGREE


def test_no_verdict_ever_stands_on_a_judge_that_trained_the_model() -> None:
    kinds = {
        (verdict, trained): (judging(f"{verdict} {trained}", verdict, ties), ties)
        for verdict in PREFERENCES
        for trained, ties in ((True, TRAINED), (False, FREE))
    }
    n_improved = 0
    for n in (1, 2, 3):
        for chosen in product(kinds, repeat=n):
            found = decide([kinds[each] for each in chosen])
            if all(trained for _, trained in chosen):
                assert found.judging.verdict == Verdict.NOT_COMPARABLE
            else:
                # As if those that trained the model were not there.
                first, *others = (verdict for verdict, trained in chosen if not trained)
                apart = {first, *others} >= {Verdict.IMPROVED, Verdict.DEGRADED} and first != Verdict.UNDECIDED
                assert found.judging.verdict == (Verdict.JUDGES_DISAGREE if apart else first)
                assert not found.judging.trained_model
            n_improved += found.judging.verdict == Verdict.IMPROVED
    assert n_improved
