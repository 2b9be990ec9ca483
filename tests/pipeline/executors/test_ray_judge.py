"""Who judges in a run on a cluster; an actor's judging, in this very process."""

from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.pipeline.axis import Axis
from mplus_eval.pipeline.executors.ray_judge import _files, is_judged_there
from mplus_eval.pipeline.executors.ray_worker import RayWorker, versions_here
from mplus_eval.pipeline.plan import Plan
from mplus_eval.spec.judges import KINDS
from tests.pipeline.executors.test_ray_worker import Heard, briefing
from tests.talkers import Bench, functions_of_tests, plain

SOURCE = "function:tests.talkers:n_words"


def talk(plan: Plan) -> Axis:
    """The axis that judges."""
    return next(axis for axis in plan.axes if axis.name == "conversation")


@pytest.fixture
def answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Bench, Plan]:
    """Dialogues of two models, all answered and none judged."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    bench = Bench(tmp_path, {"base": plain, "plus": plain}, judges=[SOURCE])
    del bench.suite["harmlessness"]
    return bench, bench.evaluate(toxicity=False, conversation=True)[0]


def test_an_actor_judges_answers_that_were_sent_and_sends_the_judgements(answered: tuple[Bench, Plan]) -> None:
    bench, plan = answered
    axis = talk(plan)
    worker = RayWorker({})
    try:
        with functions_of_tests():
            assert worker.begin(versions_here(), briefing(plan), Heard()).refusal is None
        judges, made = worker.judge(
            axis.name, [cell.key for cell in plan.cells], dict(_files(bench.directory, plan.cells))
        )
        assert list(made) == ["judgements/1/plus/part-00000.parquet"]
        again = {**dict(_files(bench.directory, plan.cells)), **made}
        assert worker.judge(axis.name, [cell.key for cell in plan.cells], again) == (judges, {})
    finally:
        worker.close()
    here = axis.judge(plan.cells, bench.directory, lambda *_: None, lambda _: None)
    assert judges == here
    (name, content), *_ = made.items()
    assert (bench.directory.path / name).read_bytes() == content


@pytest.mark.parametrize(
    ("executor", "address", "loads_model", "there"),
    [
        ("ray", "head:6379", True, True),
        ("ray", None, True, False),
        ("ray", "head:6379", False, False),
        ("local", None, True, False),
    ],
)
def test_only_a_judge_that_loads_a_model_judges_on_a_cluster_that_was_there_before(
    answered: tuple[Bench, Plan],
    monkeypatch: pytest.MonkeyPatch,
    executor: str,
    address: str | None,
    *,
    loads_model: bool,
    there: bool,
) -> None:
    bench, _ = answered
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    plan = bench.plan(toxicity=False, conversation=True, executor=executor, address=address)
    kind = next(kind for kind in KINDS if kind.loads_model is loads_model)
    monkeypatch.setattr("mplus_eval.pipeline.executors.ray_judge.judge_kind", lambda _: kind)
    assert is_judged_there(plan, talk(plan), plan.cells) is there
