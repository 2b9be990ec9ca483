from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.capability import axis as axis_module
from mplus_eval.capability.axis import Capability
from mplus_eval.models.cells import Cell
from mplus_eval.models.locations import ModelLocation
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.records.comparison import ModelEntry
from mplus_eval.spec.limit import Limit
from mplus_eval.spec.model import ModelSpec
from mplus_eval.spec.suite import load_suite
from mplus_eval.store.outcomes import Outcome
from mplus_eval.store.parts import PartInfo, part_path, write_part
from mplus_eval.store.run_directory import RunDirectory
from tests.specs import build_spec
from tests.task_files import write_task, write_yaml
from tests.toy import Bench, RuleBackend, write_tasks


def loaded(folder: Path, n_items: int = 12, **options: Any) -> tuple[Capability | None, list[str]]:
    suite = write_tasks(folder / "tasks", n_items)
    given = {"suite": str(suite), "tasks_dir": folder / "tasks", "output": folder / "run", **options}
    spec = build_spec([f"base={folder}", f"plus={folder}"], options=given)
    return Capability.load(spec, load_suite(spec.suite), None)


def axis(folder: Path, n_items: int = 12, **options: Any) -> Capability:
    found, faults = loaded(folder, n_items, **options)
    assert found is not None
    assert faults == []
    return found


def model(name: str = "base", **changed: Any) -> ResolvedModel:
    spec = ModelSpec(name=name, source=f"./{name}")
    return replace(ResolvedModel(spec, "hf", ModelLocation(Path(name)), "weights", "tokenizer", "plain"), **changed)


def test_a_model_has_a_cell_of_every_task(tmp_path: Path) -> None:
    cells = axis(tmp_path).cells(model())
    assert [(cell.name, cell.axis, cell.kind, cell.n_items) for cell in cells] == [
        ("base × sums", "capability", "choice", 12),
        ("base × words", "capability", "generation", 12),
    ]


def test_items_are_cut_into_parts_within_a_subtask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(axis_module, "PART_ITEMS", 4)
    for name in ("a", "b"):
        write_task(tmp_path / "tasks", name)
    write_yaml(tmp_path / "tasks" / "both.yaml", {"group": "both", "task": ["a", "b"]})
    (cell,) = axis(tmp_path, tasks="both").cells(model())
    assert [(part.index, part.subtask, part.items) for part in cell.parts] == [
        (0, "a", range(4)), (1, "a", range(4, 6)), (2, "b", range(4)), (3, "b", range(4, 6)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "changed",
    [
        {"weights": "other"},
        {"tokenizer": "other"},
        {"chat_template": "own abc"},
        {"spec": ModelSpec(name="base", source="./base", dtype="bfloat16")},
        {"backend": "openai"},
    ],
)
def test_whatever_of_a_model_can_change_a_number_changes_the_fingerprint(
    tmp_path: Path, changed: Mapping[str, Any]
) -> None:
    capability = axis(tmp_path)
    assert capability.cells(model())[0].fingerprint != capability.cells(model(**changed))[0].fingerprint


def test_a_saved_step_is_asked_the_first_items(tmp_path: Path) -> None:
    capability = axis(tmp_path, limit=10)
    capability = replace(capability, spec=capability.spec.model_copy(update={"trajectory_limit": Limit(4)}))
    step = model(spec=ModelSpec(name="plus-10", source="./plus", trajectory="plus"))
    assert [cell.n_items for cell in capability.cells(model())] == [10, 10]
    assert [cell.n_items for cell in capability.cells(step)] == [4, 4]


def test_the_noise_rerun_is_the_baseline_in_batches_of_another_size(tmp_path: Path) -> None:
    assert axis(tmp_path).noise_rerun(model()) == ()
    capability = axis(tmp_path, noise_floor=True)
    own, again = capability.cells(model())[0], capability.noise_rerun(model())[0]
    assert again.name == "base~noise × sums"
    assert again.components == {**own.components, "batch composition": "3/8 of auto"}


def test_without_capability_there_is_nothing_to_ask_and_an_empty_part_of_the_comparison(tmp_path: Path) -> None:
    capability = axis(tmp_path, capability=False)
    assert capability.cells(model()) == ()
    entry = ModelEntry(role="", source="s", fingerprint="f", backend="hf")
    fields = capability.aggregate(RunDirectory(tmp_path / "run"), {"base": entry}, {}, {})
    assert fields["tasks"] == {}


def test_a_task_that_cannot_be_loaded_is_a_fault(tmp_path: Path) -> None:
    write_task(tmp_path / "tasks", "broken", doc_to_text="!function absent.ask.py")
    found, (unknown,) = loaded(tmp_path, tasks="sums,wrods")
    assert found is None
    assert unknown.startswith("unknown task 'wrods'; did you mean words")
    found, (broken,) = loaded(tmp_path, tasks="sums,broken")
    assert found is None
    assert broken.startswith("task 'broken': ")


def outcomes(capability: Capability, cell: Cell, backend: RuleBackend) -> Iterator[list[Outcome]]:
    for part, answers in capability.generate(cell, cell.parts, backend, lambda _: None):
        yield capability.score(cell, part, answers)


def test_items_are_asked_and_scored_part_by_part_and_make_a_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(axis_module, "PART_ITEMS", 5)
    capability, directory = axis(tmp_path, tasks="sums"), RunDirectory(tmp_path / "run")
    scores: dict[str, list[float | None]] = {}
    for name in ("base", "plus"):
        (cell,) = capability.cells(model(name))
        for index, part in enumerate(outcomes(capability, cell, RuleBackend(name))):
            scores.setdefault(name, []).extend(outcome.score for outcome in part)
            components = {**cell.components, "answers": cell.fingerprint}
            info = PartInfo("scored", components, index, len(cell.parts))
            write_part(part_path(directory.outcomes(name, "sums"), index), Outcome, part, info)
    models = {name: ModelEntry(role="", source=name, fingerprint="f", backend="rule") for name in ("base", "plus")}
    fields: Any = capability.aggregate(directory, models, {}, {})
    task = fields["tasks"]["sums"]
    assert (task.metric, task.n_items, task.lm_eval, task.version) == ("acc", 12, "toy_sums", "1.0")
    for name, each in scores.items():
        assert len(each) == 12
        assert task.scores[name].value == pytest.approx(sum(filter(None, each)) / 12)


def test_a_failed_cell_is_not_read(tmp_path: Path) -> None:
    capability = axis(tmp_path, tasks="sums")
    entry = ModelEntry(role="", source="s", fingerprint="f", backend="hf")
    directory = RunDirectory(tmp_path / "run")
    torn = part_path(directory.outcomes("base", "sums"), 0)
    torn.parent.mkdir(parents=True)
    torn.write_bytes(b"half a part")
    fields: Any = capability.aggregate(directory, {"base": entry}, {("base", "sums"): "out of memory"}, {})
    assert fields["summary"]["base"].withheld == "no result on sums"


def test_the_comparison_counts_replaced_examples_and_names_settings_that_are_not_lm_evals(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    sums, words = tmp_path / "tasks" / "toy_sums.yaml", bench.suite
    sums.write_text(sums.read_text() + "fewshot_split: test\ndescription: Add.\n")
    words.write_text(
        words.read_text()
        .replace("sums, shots: 0", "sums, shots: 2")
        .replace("words, shots: 0", "words, shots: 0, until: [stop], max_gen_toks: 4")
    )
    tasks = bench.compare().tasks
    assert 0 < tasks["sums"].n_shots_replaced <= 12
    assert (tasks["sums"].departs, tasks["sums"].has_description) == ((), True)
    assert (tasks["words"].n_shots_replaced, tasks["words"].has_description) == (0, False)
    assert tasks["words"].departs == (r'until ["stop"] instead of ["\n"]', "max_gen_toks 4 instead of 8")
    for outcome in bench.outcomes("base", "sums"):
        number = int(outcome.item_id.rpartition("/")[2])
        asked = [int(part.split(" +")[0]) for part in outcome.prompt.removeprefix("Add.").split("\n\n")]
        assert all(example // 3 != number // 3 for example in asked[:-1])


def test_examples_that_are_the_same_for_every_item_are_another_cell_and_a_departure(tmp_path: Path) -> None:
    components, departs = [], []
    for examples in ("sampled", "fixed"):
        bench = Bench(tmp_path / examples)
        bench.suite.write_text(
            f"shots: {examples}\n" + bench.suite.read_text().replace("sums, shots: 0", "sums, shots: 2")
        )
        comparison = bench.compare()
        departs.append({name: task.departs for name, task in comparison.tasks.items()})
        spec = build_spec([f"base={tmp_path}"], options={"suite": str(bench.suite), "tasks_dir": bench.suite.parent})
        capability, _ = Capability.load(spec, load_suite(spec.suite), None)
        assert capability is not None
        components.append({cell.task: cell.components["shots"] for cell in capability.cells(model())})
    assert components == [{"sums": "2", "words": "0"}, {"sums": "2 fixed", "words": "0"}]
    same = "the same examples for every item instead of examples drawn for each"
    assert departs == [{"sums": (), "words": ()}, {"sums": (same,), "words": ()}]


def test_what_is_asked_of_how_much_is_said(tmp_path: Path) -> None:
    assert list(axis(tmp_path, sequential=True).asked()) == [
        "asked in rounds until verdicts are settled: 200 items of each task, then half as many again as before, "
        "at most all"
    ]
    assert list(axis(tmp_path).asked()) == []
    assert list(axis(tmp_path, limit=5).asked()) == [
        "sums: 12 items → 5 of them",
        "words: 12 items → 5 of them",
        "2 tasks, 24 items → 10 of them, drawn with seed 0",
    ]


def test_a_budget_below_the_least_is_a_fault(tmp_path: Path) -> None:
    found, faults = loaded(tmp_path, budget=3)
    assert found is None
    assert faults == ["--budget 3: 4 or more are accepted, 2 items of each of 2 subtasks"]


def test_the_first_items_are_no_part_of_a_suites_budget(tmp_path: Path) -> None:
    given = axis(tmp_path)
    spec = given.spec.model_copy(update={"trajectory_limit": Limit(5, first=True)})
    found, faults = Capability.load(spec, given.suite.model_copy(update={"budget": 20}), None)
    assert found is None
    assert faults == ["--trajectory-limit first:5: items of the suite's budget of 20 are accepted"]


def test_a_saved_step_is_asked_its_items_as_the_other_models_are(tmp_path: Path) -> None:
    write_task(tmp_path / "tasks", "shown", num_fewshot=2)
    capability = axis(tmp_path, tasks="shown", limit=5)
    capability = replace(capability, spec=capability.spec.model_copy(update={"trajectory_limit": Limit(2)}))
    step = model("plus-10", spec=ModelSpec(name="plus-10", source="./plus", trajectory="plus"))
    prompts = []
    for each in (model(), step):
        (cell,) = capability.cells(each)
        answers = [
            a for _, part in capability.generate(cell, cell.parts, RuleBackend("b"), lambda _: None) for a in part
        ]
        prompts.append({answer.item_id: answer.prompt for answer in answers})
    of_model, of_step = prompts
    assert (len(of_model), len(of_step)) == (5, 2)
    assert of_step.items() <= of_model.items()


def test_a_task_of_which_some_items_were_asked_says_of_how_many(tmp_path: Path) -> None:
    capability, directory = axis(tmp_path, tasks="sums", limit=5), RunDirectory(tmp_path / "run")
    (cell,) = capability.cells(model())
    for part, answers in capability.generate(cell, cell.parts, RuleBackend("base"), lambda _: None):
        rows = capability.score(cell, part, answers)
        info = PartInfo(cell.fingerprint, {**cell.components, "answers": cell.fingerprint}, part.index, len(cell.parts))
        write_part(part_path(directory.outcomes("base", "sums"), part.index), Outcome, rows, info)
    entry = ModelEntry(role="", source="s", fingerprint="f", backend="hf")
    tasks: Any = capability.aggregate(directory, {"base": entry}, {}, {})["tasks"]
    assert (tasks["sums"].n_items, tasks["sums"].n_available) == (5, 12)
