"""Which axes a run evaluates, of which models, what is refused before anything is asked, and that another may come."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import mplus_eval
from mplus_eval.conversation.axis import Conversation
from mplus_eval.errors import SpecError
from mplus_eval.harmlessness.axis import Harmlessness
from mplus_eval.pipeline import validate as validate_module
from mplus_eval.pipeline.axis import AXES
from mplus_eval.pipeline.executors import worker as worker_module
from mplus_eval.pipeline.plan import Plan, make_plan
from mplus_eval.pipeline.progress import RunProgress
from mplus_eval.pipeline.validate import validate
from mplus_eval.spec.model import ModelSpec
from mplus_eval.store.run_directory import RunDirectory
from tests.pipeline.fourth_axis import Manners
from tests.spec.test_trajectory import record
from tests.specs import build_spec
from tests.talkers import Bench, functions_of_tests, plain, rude
from tests.toy import SUITE, RuleBackend, write_checkpoint, write_tasks

JUDGE = "function:tests.talkers:n_words"


class Axes(Bench):
    """A suite of two tasks, harmlessness and conversation."""

    def __init__(self, path: Path, *, judges: tuple[str, ...] = (JUDGE,)) -> None:
        """Write tasks and files."""
        import yaml

        super().__init__(path, {"base": rude, "plus": plain}, judges=[JUDGE])
        write_tasks(path / "tasks")
        self.suite["tasks"] = yaml.safe_load(SUITE)["tasks"]
        self.suite["conversation"]["judges"] = list(judges)

    def named(self, **options: Any) -> list[str]:
        """What the models are asked; the same of each."""
        plan = self.plan(**{"capability": True, "tasks_dir": self.path / "tasks", **options})
        cells = {model.spec.name: [cell.task for cell in plan.of_model(model)] for model in plan.models}
        assert cells["base"] == cells["plus"]
        return cells["base"]

    def faults(self, **options: Any) -> tuple[str, ...]:
        """Why a plan is refused."""
        with pytest.raises(SpecError) as caught:
            self.named(**options)
        return caught.value.faults


TASKS, SETS, TALK = ["sums", "words"], ["provoking", "ordinary", "requests"], ["dialogues"]


@pytest.fixture
def axes(tmp_path: Path) -> Axes:
    return Axes(tmp_path)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [*TASKS, *SETS, *TALK]),
        ({"toxicity": False}, [*TASKS, *TALK]),
        ({"conversation": False}, [*TASKS, *SETS]),
        ({"capability": False, "toxicity": True}, [*SETS, *TALK]),
        ({"capability": False, "toxicity": False}, TALK),
        ({"tasks": "sums"}, ["sums"]),
        ({"tasks": "sums", "toxicity": True}, ["sums", *SETS]),
        ({"tasks": "sums", "conversation": True}, ["sums", *TALK]),
        ({"tasks": "sums", "judges": [JUDGE]}, ["sums", *TALK]),
    ],
)
def test_the_axes_of_a_run(axes: Axes, options: dict[str, Any], expected: list[str]) -> None:
    assert axes.named(**options) == expected


def test_without_a_judge_conversation_is_left_out(tmp_path: Path) -> None:
    assert Axes(tmp_path, judges=()).named() == [*TASKS, *SETS]


def test_without_a_judge_conversation_that_was_asked_for_is_refused_in_one_line(tmp_path: Path) -> None:
    (fault,) = Axes(tmp_path, judges=()).faults(conversation=True)
    assert fault.startswith("conversation: no judge is named, and no reward model lies beside a model; accepted: ")


def test_a_reward_model_beside_a_model_judges_without_being_named(tmp_path: Path) -> None:
    axes = Axes(tmp_path, judges=())
    (tmp_path / "reward").mkdir()
    record(9, name="reward", method="reward model").write(tmp_path / "reward")
    (axis,) = (axis for axis in axes.plan().axes if isinstance(axis, Conversation))
    assert axis.judges == ("reward",)
    assert axes.named() == [*TASKS, *SETS, *TALK]


def test_a_reward_model_that_is_named_and_not_there_is_one_line(axes: Axes) -> None:
    (fault,) = axes.faults(judges=["reward"])
    assert fault.startswith("judge 'reward': no reward model of mplus-eval train lies beside a model")


def test_faults_of_scorers_and_judges_are_told_before_prompts_and_dialogues_are_looked_for(axes: Axes) -> None:
    for name in ("ordinary", "dialogues"):
        (axes.path / f"{name}.jsonl").write_text("")
    first, second = axes.faults(scorers=["words:absent.txt"], judges=["gpt"])
    assert first.startswith("word list absent.txt")
    assert second.startswith("judge 'gpt'")
    first, second = axes.faults()
    assert first.startswith("prompt set 'ordinary'")
    assert second.startswith("dialogues: ")
    assert all("it is empty, one row at least is expected" in fault for fault in (first, second))


@pytest.mark.parametrize(
    ("key", "options"), [("harmlessness", {"toxicity": True}), ("conversation", {"conversation": True})]
)
def test_an_axis_that_a_suite_lacks_is_refused_where_it_is_asked_for(
    axes: Axes, key: str, options: dict[str, Any]
) -> None:
    del axes.suite[key]
    assert axes.faults(**options) == (f"suite 'talk' has no settings of {key}",)


def test_a_run_of_nothing_is_refused(axes: Axes) -> None:
    (fault,) = axes.faults(capability=False, toxicity=False, conversation=False)
    assert "nothing is left to evaluate" in fault


def test_a_limit_is_one_of_prompts_of_a_set_and_of_dialogues(axes: Axes) -> None:
    plan = axes.plan(limit=3)
    assert [(cell.task, cell.n_items) for cell in plan.of_model(plan.models[0])] == [
        *((name, 3) for name in SETS), ("dialogues", 3),
    ]  # fmt: skip


def test_scorers_and_judges_change_no_cell(axes: Axes) -> None:
    one, other = axes.plan(), axes.plan(scorers=["words", "words:" + words(axes.path)], judges=[JUDGE, JUDGE])
    assert [cell.fingerprint for cell in one.cells] == [cell.fingerprint for cell in other.cells]


def words(folder: Path) -> str:
    (folder / "words.txt").write_text("idiot\n")
    return str(folder / "words.txt")


def test_a_seed_draws_other_prompts_and_other_answers(axes: Axes) -> None:
    one, other = axes.plan(), axes.plan(seed=1)
    different = {a.name for a, b in zip(one.cells, other.cells, strict=True) if a.fingerprint != b.fingerprint}
    assert {f"plus × {name}" for name in (*SETS, *TALK)} <= different


def test_the_baseline_comes_last_only_where_it_is_asked_of_the_others(axes: Axes) -> None:
    assert [model.spec.name for model in axes.plan().passes] == ["plus", "base"]
    assert [model.spec.name for model in axes.plan(toxicity=False).passes] == ["base", "plus"]


def trained(axes: Axes, **options: Any) -> Plan:
    """A base, and a training of two saved steps."""
    import json

    base = write_checkpoint(axes.path / "base")
    folder = axes.path / "run" / "plus"
    for step, place in ((10, folder / "checkpoint-10"), (20, folder / "checkpoint-20"), (30, folder)):
        write_checkpoint(place, step)
        record(step, base=str(base)).write(place)
    axes.plan()  # writes the suite
    (axes.path / "talk.yaml").write_text(json.dumps(axes.suite))
    given = {"suite": str(axes.path / "talk.yaml"), "output": axes.path / "steps", "trajectory": folder}
    spec = build_spec([f"base={base}"], options={"capability": False, **given, **options})
    with functions_of_tests():
        return make_plan(validate(spec), RunDirectory(axes.path / "steps"))


def test_saved_steps_answer_the_primary_set_alone(axes: Axes) -> None:
    plan = trained(axes, trajectory_limit=5)
    steps = [model for model in plan.models if model.spec.trajectory is not None]
    assert len(steps) == 2
    for model in steps:
        assert [(cell.task, cell.n_items) for cell in plan.of_model(model)] == [("provoking", 5)]
    whole = next(model for model in plan.models if model.spec.name == "plus")
    assert [cell.task for cell in plan.of_model(whole)] == [*SETS, *TALK]


def test_a_server_is_not_looked_into(axes: Axes) -> None:
    from mplus_eval.harmlessness.items import load_prompt_set
    from mplus_eval.models.resolved import ResolvedModel
    from mplus_eval.spec.harmlessness import LayerSettings, PromptSetSpec

    plan = axes.plan()
    layers = load_prompt_set(PromptSetSpec(name="layers", source="package:eliciting"), "layers", seed=0)
    here = plan.models[0]
    served = ResolvedModel(here.spec, "openai", here.location, "w", "t", "plain")
    (axis,) = (axis for axis in plan.axes if isinstance(axis, Harmlessness))
    looking = replace(axis, settings=axis.settings.model_copy(update={"layers": LayerSettings(prompts=layers.spec)}))
    looking = replace(looking, sets={"layers": layers})
    assert [[cell.task for cell in looking.cells(model)] for model in (here, served)] == [["layers"], []]


def test_a_fourth_axis_goes_through_the_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validate_module, "AXES", (*AXES, Manners))
    loaded: list[str] = []

    def load(_backend: str, model: ModelSpec, _location: Any) -> RuleBackend:
        loaded.append(model.name)
        return RuleBackend(model.name)

    monkeypatch.setattr(worker_module, "load_backend", load)
    said: list[str] = []
    progress = RunProgress()
    monkeypatch.setattr(progress, "say", said.append)

    def compare() -> mplus_eval.Run:
        suite = write_tasks(tmp_path / "tasks")
        models = {name: str(write_checkpoint(tmp_path / name, seed)) for seed, name in enumerate(("base", "plus"))}
        given: dict[str, Any] = {"tasks_dir": tmp_path / "tasks", "output": tmp_path / "run", "noise_floor": True}
        return mplus_eval.compare(models, suite=str(suite), progress=progress, **given)

    run = compare()
    assert loaded == ["base", "plus", "base~noise"]
    assert run.comparison.missing == ()
    assert list(run.comparison.tasks) == ["sums", "words"]
    assert [said[0], said[-1]] == ["please: four requests", "Politeness costs nothing."]
    # Twelve sums with three choices, twelve words and four requests of each model; the base's once more.
    n_items, n_requests = 2 * (12 + 12 + 4) + 24, 2 * (36 + 12 + 4) + 48
    assert said[1] == f"plan: 8 cells, {n_items} items, {n_requests} requests"
    for model, share in Manners.shares.items():
        scores = [outcome.score for outcome in RunDirectory(run.path).read_outcomes(model, "please")]
        assert len(scores) == 4
        assert share == sum(filter(None, scores)) / 4
    assert Manners.shares.keys() == {"base", "plus"}
    manifest = json.loads((run.path / "manifest.json").read_text())
    assert [cell["task"] for cell in manifest["cells"]] == ["sums", "words", "please"] * 2
    assert (run.path / "report.html").is_file()

    again = compare()
    assert again.comparison == run.comparison
    assert len(loaded) == 3
