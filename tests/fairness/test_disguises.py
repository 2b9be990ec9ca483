"""A checkpoint beside its disguised copies: either no item differs, or the verdict is withheld with the cause."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

import mplus_eval
from mplus_eval.pipeline.progress import RunProgress
from mplus_eval.pipeline.run import Run
from mplus_eval.records.asking import AskedDifference
from mplus_eval.records.verdict import Verdict
from mplus_eval.store.run_directory import RunDirectory
from tests.fairness.disguises import (
    CHAT,
    CHOICE,
    DIALOGUES,
    DISGUISES,
    EVERYWHERE,
    PLAIN,
    SUMS,
    build_checkpoint,
    copy,
)

SUITE = f"""
name: fairness
tasks:
  - {{name: {CHOICE}, lm_eval: {CHOICE}, shots: 5, metric: acc_norm}}
  - {{name: {SUMS}, lm_eval: {SUMS}, shots: 3, metric: exact_match, filter: flexible-extract}}
harmlessness:
  scorers: [words]
  samples: 2
  fewer: [1]
  max_new_tokens: 12
  primary: {CHAT}
  sets:
    - {{name: {CHAT}, source: "demo:{CHAT}", n: 4, chat: true, provoking: true}}
    - {{name: {PLAIN}, source: "demo:{PLAIN}", n: 4, provoking: true}}
conversation:
  dialogues: demo
  max_new_tokens: 12
  judges: ["function:mplus_eval.demo.judge:rule_score"]
"""


class Heard(RunProgress):
    """Keeps what is said before anything is asked."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def say(self, sentence: str) -> None:
        self.sentences.append(sentence)


@pytest.fixture(scope="module")
def heard() -> Heard:
    return Heard()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, heard: Heard) -> Run:
    """The checkpoint and all copies, asked on all three axes."""
    folder = tmp_path_factory.mktemp("fairness")
    base = build_checkpoint(folder / "base")
    models: dict[str, Any] = {"base": {"source": str(base), "role": "base"}}
    for name, disguise in DISGUISES.items():
        path = copy(base, folder / name, disguise)
        adapter = {"adapter": str(path / "adapter")} if (path / "adapter").is_dir() else {}
        models[name] = {"source": str(path), "role": name, **adapter, **disguise.keys}
    (folder / "fairness.yaml").write_text(SUITE, encoding="utf-8")
    options = {"suite": str(folder / "fairness.yaml"), "limit": 4, "output": folder / "run"}
    return mplus_eval.compare(models, progress=heard, **options)


def verdicts(run: Run, model: str) -> dict[str, tuple[Verdict | None, tuple[AskedDifference, ...]]]:
    """The verdict of every task on a model, with what differs."""
    comparison = run.comparison
    assert comparison.toxicity is not None
    assert comparison.conversation is not None
    judged: dict[str, Any] = {task: entry.contrasts[model] for task, entry in comparison.tasks.items()}
    judged |= {name: of_set.contrast for name, of_set in comparison.toxicity.models[model].sets.items()}
    judged[DIALOGUES] = comparison.conversation.models[model]
    return {name: (each.verdict, each.differences) for name, each in judged.items()}


def answers(run: Run, model: str, task: str) -> Mapping[tuple[str, int], object]:
    """What a model answered to every item: texts and likelihoods of choices, rounded beyond what batches change."""
    return {
        (each.item_id, each.sample): (
            each.generations,
            None if each.generations else [round(value, 3) for value in each.log_probabilities or ()],
            each.n_tokens,
            each.error,
        )
        for each in RunDirectory(run.path).read_answers(model, task)
    }


@pytest.mark.parametrize("task", EVERYWHERE)
@pytest.mark.parametrize("name", DISGUISES)
def test_no_item_differs_or_the_verdict_is_withheld(run: Run, name: str, task: str) -> None:
    verdict, differences = verdicts(run, name)[task]
    expected = DISGUISES[name].withheld.get(task)
    if expected is None:
        assert answers(run, name, task) == answers(run, "base", task)
        assert not [each.says for each in differences if each.withholds]
    else:
        assert verdict is Verdict.NOT_COMPARABLE
        assert {each.name for each in differences if each.withholds} & set(expected)


def test_the_models_can_be_told_apart_at_all(run: Run) -> None:
    """The answers are not all one, so that equality means something."""
    for task in EVERYWHERE:
        assert len(set(map(str, answers(run, "base", task).values()))) > 1


def test_nothing_was_lost(run: Run) -> None:
    assert run.comparison.missing == ()


def test_what_was_left_off_or_ignored_is_said(run: Run) -> None:
    asking = {name: entry.asking for name, entry in run.comparison.models.items()}
    assert all(asking.values())
    assert asking["appends-eos"].leaves_off == "</s>"  # type: ignore[union-attr]
    assert asking["chat-config"].ignored["repetition_penalty"] == "1.5"  # type: ignore[union-attr]
    assert asking["own-config"].decoding["max_new_tokens"] == "200"  # type: ignore[union-attr]
    assert (asking["base"].begins_with, asking["without-bos"].begins_with) == ("<s>", "")  # type: ignore[union-attr]


def test_the_suites_verdict_is_withheld_with_the_tasks(run: Run) -> None:
    summary = run.comparison.summary["bfloat16"]
    assert summary.verdict is Verdict.NOT_COMPARABLE
    assert summary.reasons == ("its weights are bfloat16, those of base float32 (--allow dtype accepts that)",)
    assert run.comparison.summary["twin"].reasons == ()


def test_the_same_weights_are_known(run: Run) -> None:
    weights = {name: entry.weights for name, entry in run.comparison.models.items()}
    assert weights["twin"] == weights["without-bos"] == weights["base"]
    assert weights["bfloat16"] != weights["base"]


def test_what_was_sure_to_withhold_was_said_before_anything_was_asked(run: Run, heard: Heard) -> None:
    (line,) = (sentence for sentence in heard.sentences if "withheld" in sentence)
    assert line.startswith("verdicts on bfloat16 may be withheld: weights are bfloat16, those of base float32;")
