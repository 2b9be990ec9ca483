"""Single items and turns of stored runs: flips by hand, dialogues as they were had, and no part opened in vain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import mplus_eval
from mplus_eval.errors import UsageError
from mplus_eval.pipeline import frames
from mplus_eval.store import checksummed
from tests.reports import build
from tests.talkers import Bench, plain

LONGER = "function:tests.talkers:n_words"
SCORES = {"base": [1.0, 1.0, 0.0, 0.0, 0.0, None], "plus": [1.0, 0.0, 1.0, 0.0, 0.0, 1.0]}
ANSWERS = {"base": ["A", "A", "B", "B", "B", None], "plus": ["A", "C", "A", "C", "B", "A"]}


@pytest.fixture
def scored(tmp_path: Path) -> mplus_eval.Run:
    """Two models on two tasks; of the first: kept, lost, gained, another wrong answer, the same, and failed."""
    comparison = build.of_size(2, 2)
    path = build.write_run(tmp_path, comparison)
    base, plus = comparison.models
    for task in comparison.tasks:
        for model, of in ((base, "base"), (plus, "plus")):
            rows = [
                build.outcome(item, score, answer=answer)
                for item, (score, answer) in enumerate(zip(SCORES[of], ANSWERS[of], strict=True))
            ]
            build.write_outcomes(path, model, task, rows)
    return mplus_eval.load(path)


def names(run: mplus_eval.Run) -> tuple[str, str, str]:
    base, plus = run.comparison.models
    return base, plus, next(iter(run.comparison.tasks))


def test_flips_are_the_items_lost_gained_and_wrong_otherwise_with_both_answers(scored: mplus_eval.Run) -> None:
    _, plus, task = names(scored)
    found = scored.flips(plus, task)
    assert list(found["kind"]) == ["lost", "gained", "wrong to other wrong"]
    assert list(zip(found["score_baseline"], found["score_model"], strict=True)) == [(1, 0), (0, 1), (0, 0)]
    assert list(found["answer_baseline"]) == ["A", "B", "B"]
    assert list(found["answer_model"]) == ["C", "A", "C"]
    assert {"item_id", "stratum", "target", "prompt"} <= set(found.columns)
    assert found["prompt"].notna().all()


def test_of_a_task_of_which_less_is_better_a_rise_is_a_loss(scored: mplus_eval.Run) -> None:
    _, plus, task = names(scored)
    turned = scored.comparison.tasks[task].model_copy(update={"higher_is_better": False})
    comparison = scored.comparison.model_copy(update={"tasks": {task: turned}})
    found = mplus_eval.Run(scored.path, comparison).flips(plus, task)
    # Wrong is 1 then: nothing is wrong on both sides.
    assert list(found["kind"]) == ["gained", "lost"]


def test_outcomes_of_one_cell_open_no_other_part(scored: mplus_eval.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    _, plus, task = names(scored)
    opened: list[Path] = []
    read = checksummed._checked

    def checked(path: Path) -> bytes:
        opened.append(path)
        return read(path)

    monkeypatch.setattr(checksummed, "_checked", checked)
    found = scored.outcomes(model=plus, task=task)
    assert {path.parent for path in opened} == {scored.path / "outcomes" / plus / task}
    assert (len(found), set(found["model"]), set(found["task"])) == (6, {plus}, {task})
    # Of all, which are four cells, those of the cell are these.
    everything = scored.outcomes()
    assert len(everything) == 24
    same = everything.query("model == @plus and task == @task").reset_index(drop=True)
    pd.testing.assert_frame_equal(found, same[found.columns], check_dtype=False)
    assert len(scored.outcomes(model=plus)) == len(scored.outcomes(task=task)) == 12


def test_a_name_that_is_none_of_the_runs_is_told_with_those_that_are(scored: mplus_eval.Run) -> None:
    base, plus, task = names(scored)
    with pytest.raises(UsageError, match=f"model 'chosen': this run has {base}, {plus}$"):
        scored.outcomes(model="chosen")
    with pytest.raises(UsageError, match=f"task 'gsm8k': this run has {task}"):
        scored.flips(plus, "gsm8k")
    with pytest.raises(UsageError, match=f"model '{base}': this run has {plus}$"):
        scored.flips(base, task)


def test_dialogues_have_a_row_a_turn_and_model_with_what_each_judge_prefers(tmp_path: Path) -> None:
    says: dict[str, Any] = {"base": plain, "plus": lambda prompt, rng: plain(prompt, rng) + " river"}
    shorter = "function:tests.pipeline.test_rejudge:fewer_words"
    bench = Bench(tmp_path, says, judges=[LONGER, shorter])
    bench.suite["harmlessness"]["sets"] = bench.suite["harmlessness"]["sets"][:1]
    bench.run(toxicity=False)
    found = mplus_eval.load(bench.directory.path).dialogues
    # Twelve dialogues of two turns.
    assert found.groupby("model").size().to_dict() == {"base": 24, "plus": 24}
    assert set(found["turn"]) == {1, 2}
    plus, base = (found[found["model"] == model] for model in ("plus", "base"))
    assert (plus["preference_n_words"] == 1.0).all()
    assert (plus["preference_fewer_words"] == 0.0).all()
    assert base[["preference_n_words", "preference_fewer_words"]].isna().all(axis=None)
    assert plus["answer"].str.endswith(" river").all()
    assert set(plus[plus["turn"] == 2]["asked"]) == {"And then?"}
    assert plus["ended"].all()


def test_a_run_without_conversation_has_no_dialogues(scored: mplus_eval.Run) -> None:
    assert scored.dialogues.empty


def test_a_prompt_set_is_read_like_a_task(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"base": plain, "plus": plain})
    bench.run()
    run = mplus_eval.load(bench.directory.path)
    assert set(run.outcomes("plus", "requests")["answer"]) == {"answered"}
    assert run.outcomes().empty


@pytest.mark.parametrize(
    "name", ["scores", "contrasts", "subjects", "summary", "toxicity", "conversation", "trajectory"]
)
def test_a_run_has_the_frames_of_its_comparison(scored: mplus_eval.Run, name: str) -> None:
    expected = getattr(frames, name)(scored.comparison)
    pd.testing.assert_frame_equal(getattr(scored, name), expected)
