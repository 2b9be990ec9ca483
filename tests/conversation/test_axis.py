from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.conversation.axis import Conversation
from mplus_eval.conversation.items import Dialogue, DialogueSet, DialogueTask
from mplus_eval.errors import SpecError
from mplus_eval.models.locations import ModelLocation
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.spec.conversation import ConversationSettings
from mplus_eval.spec.model import ModelSpec
from mplus_eval.spec.suite import Suite
from mplus_eval.store.run_directory import RunDirectory
from tests.spec.test_trajectory import record
from tests.specs import build_spec

JUDGE = "function:tests.talkers:n_words"


def axis(n: int = 3, options: Mapping[str, Any] | None = None, **settings: Any) -> Conversation:
    dialogues = tuple(Dialogue(str(number), "talk", (f"Question {number}?",), (None,)) for number in range(n))
    asked = ConversationSettings(dialogues="x", **settings)
    suite = Suite(name="talk", tasks=(), conversation=asked)
    return Conversation(
        build_spec(["base=./base"], options=options), suite, DialogueTask(asked, DialogueSet("x", dialogues, n))
    )


def model(name: str = "base", **changed: Any) -> ResolvedModel:
    spec = ModelSpec(name=name, source=f"./{name}")
    return replace(ResolvedModel(spec, "hf", ModelLocation(Path(name)), "weights", "tokenizer", "plain"), **changed)


def test_dialogues_are_one_cell_of_parts_of_eighty() -> None:
    (cell,) = axis(170).cells(model())
    assert (cell.name, cell.axis, cell.kind, cell.n_items) == ("base × dialogues", "conversation", "dialogues", 170)
    assert [(part.index, part.subtask, part.items) for part in cell.parts] == [
        (0, "dialogues", range(80)), (1, "dialogues", range(80, 160)), (2, "dialogues", range(160, 170)),
    ]  # fmt: skip


@pytest.mark.parametrize("as_adapter", [True, False], ids=["adapter", "whole"])
def test_the_referee_beside_a_trained_model_judges_also_where_that_is_an_adapter(
    tmp_path: Path, as_adapter: bool
) -> None:
    (tmp_path / "run" / "referee").mkdir(parents=True)
    record(9, name="referee", method="reward model").write(tmp_path / "run" / "referee")
    base, plus = tmp_path / "elsewhere" / "base", tmp_path / "run" / "plus"
    location = ModelLocation(base, adapter=plus) if as_adapter else ModelLocation(plus)
    models = [model(location=ModelLocation(base)), model("plus", location=location)]
    found = axis(judges=("referee", JUDGE)).for_models(models)
    assert found is not None
    assert found.judges == ("referee", JUDGE)
    assert list(found.asked()) == []


def test_a_judge_of_the_suite_that_is_not_there_is_left_out_and_that_is_said(tmp_path: Path) -> None:
    models = [model(name, location=ModelLocation(tmp_path / name)) for name in ("base", "plus")]
    found = axis(judges=("referee", JUDGE)).for_models(models)
    assert found is not None
    assert found.judges == (JUDGE,)
    assert list(found.asked()) == [
        "dialogues: the suite's judge 'referee' is left out, since no held-out reward model of mplus-eval train lies "
        "beside a model"
    ]


def test_a_saved_step_of_a_training_is_not_asked() -> None:
    step = model(spec=ModelSpec(name="plus-10", source="./plus", trajectory="plus"))
    assert axis().cells(step) == ()


@pytest.mark.parametrize(
    "other",
    [
        axis(4).cells(model()),
        axis(temperature=0.5).cells(model()),
        axis(max_new_tokens=9).cells(model()),
        axis(options={"seed": 1}).cells(model()),
        axis().cells(model(weights="other")),
        axis().cells(model(tokenizer="other")),
        axis().cells(model(talk_format="own template")),
        axis().cells(model(spec=ModelSpec(name="base", source="./base", dtype="bfloat16"))),
    ],
)
def test_what_can_change_an_answer_is_in_the_fingerprint(other: tuple[Any, ...]) -> None:
    (cell,) = axis().cells(model())
    assert other[0].fingerprint != cell.fingerprint


@pytest.mark.parametrize(
    "other",
    [
        axis(judges=(JUDGE,), grades=False, margin=0.1).cells(model()),
        axis(options={"judges": [JUDGE]}).cells(model()),
        axis().cells(model(chat_template="a template of capability prompts")),
        axis().cells(model("another name")),
    ],
)
def test_what_judges_and_other_axes_are_told_is_not(other: tuple[Any, ...]) -> None:
    (cell,) = axis().cells(model())
    assert other[0].fingerprint == cell.fingerprint


def test_judges_and_the_folders_beside_which_a_reward_model_lies_are_those_of_the_models() -> None:
    found = axis(judges=(JUDGE,)).for_models([model(), model("plus", location=ModelLocation(None))])
    assert found is not None
    assert (found.judges, found.directories) == ((JUDGE,), (Path("base"), None))


@pytest.mark.parametrize("options", [{"conversation": True}, {"judges": [JUDGE]}])
def test_one_model_alone_has_nobody_to_be_judged_against(options: dict[str, Any]) -> None:
    assert axis(judges=(JUDGE,)).for_models([model()]) is None
    with pytest.raises(SpecError, match="answers are judged against a baseline's, so two models at least are needed"):
        axis(options=options).for_models([model()])


def test_without_anybody_who_judges_there_is_nothing_to_tell(tmp_path: Path) -> None:
    assert axis().aggregate(RunDirectory(tmp_path), {}, {}, judges={}) == {}


def test_a_cell_knows_the_files_of_its_dialogues_which_are_not_in_its_fingerprint() -> None:
    plain = axis()
    dialogues = replace(plain.task.dialogues, files={"d.jsonl": "1"})
    (cell,) = replace(plain, task=replace(plain.task, dialogues=dialogues)).cells(model())
    assert cell.sources == {"d.jsonl": "1"}
    assert cell.fingerprint == plain.cells(model())[0].fingerprint
