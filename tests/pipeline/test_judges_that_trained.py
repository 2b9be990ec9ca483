"""A real reward model judges models by rule, one of which it trained: from the training record to the verdict."""

from __future__ import annotations

import shutil

import pytest

from mplus_eval.pipeline.rejudge import rejudge
from mplus_eval.records.comparison import Comparison
from mplus_eval.records.conversation import ModelConversation
from mplus_eval.records.verdict import Verdict
from mplus_eval.store.hashes import weights_hash
from tests.conftest import TinyModel
from tests.judges.test_reward import save_reward_model
from tests.spec.test_trajectory import record
from tests.talkers import Bench, plain


@pytest.fixture(scope="module")
def run(tiny_model: TinyModel, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A model trained by the reward model beside it and one that was not; judged by a copy of it, and by a referee."""
    path = tmp_path_factory.mktemp("trained")
    reward = save_reward_model(path / "reward", tiny_model())
    record(9, name="reward", method="reward model").write(reward)
    copy = shutil.copytree(reward, path / "elsewhere" / "impartial")
    referee = save_reward_model(path / "referee", tiny_model(seed=1))
    for name, method, reward_models in (("plus", "rlhf", (weights_hash(reward),)), ("sft", "sft", ())):
        (path / name).mkdir()
        record(9, name=name, method=method, reward_models=reward_models).write(path / name)
    says = {"base": plain, "plus": plain, "sft": plain}
    bench = Bench(path, says, judges=[f"reward:{copy}", f"reward:{referee}"])
    bench.run(toxicity=False)
    return bench


def models(comparison: Comparison) -> dict[str, ModelConversation]:
    assert comparison.conversation is not None
    return comparison.conversation.models


def test_a_copy_of_the_reward_under_another_name_is_caught_and_a_referee_beside_the_model_is_not(run: Bench) -> None:
    comparison = Comparison.read(run.directory.comparison)
    found = models(comparison)
    plus, sft = found["plus"], found["sft"]
    assert (plus.judge, plus.trained_model) == ("referee", False)
    assert plus.verdict != Verdict.NOT_COMPARABLE
    assert plus.second_judge is not None
    assert (plus.second_judge.judge, plus.second_judge.trained_model) == ("impartial", True)
    assert plus.second_judge.reasons == ("the judge trained this model (impartial)",)
    assert sft.judge == "impartial"
    assert sft.verdict != Verdict.NOT_COMPARABLE
    trained_by = {name: entry.trained_by for name, entry in comparison.models.items() if name != "base"}
    assert trained_by == {"plus": (weights_hash(run.path / "reward"),), "sft": ()}


def test_judged_again_by_its_own_reward_alone_it_is_not_comparable(run: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mplus_eval.reports.write_report", lambda path: None)
    plus = models(rejudge(run.directory.path, ["reward"]).comparison)["plus"]
    assert (plus.verdict, plus.trained_model) == (Verdict.NOT_COMPARABLE, True)
    assert plus.reasons == ("the judge trained this model (reward)",)
    assert plus.second_judge is None


def test_a_run_of_an_earlier_version_judged_again_looks_for_what_trained_its_models(
    run: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mplus_eval.reports.write_report", lambda path: None)
    stored = Comparison.read(run.directory.comparison)
    plus = stored.models["plus"].model_copy(update={"trained_by": ()})
    stored.model_copy(update={"models": {**stored.models, "plus": plus}}).write(run.directory.comparison)
    assert models(rejudge(run.directory.path, ["reward"]).comparison)["plus"].trained_model
