"""Stored results compared: equal to the same models asked here, and refused or restricted by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import mplus_eval
from mplus_eval.cli import run
from mplus_eval.errors import SpecError, UsageError
from mplus_eval.records.comparison import Comparison
from mplus_eval.records.verdict import Verdict
from mplus_eval.store.run_directory import RunDirectory
from tests.importers.outputs import change_results, change_samples, copied, run_lm_eval
from tests.toy import Bench


def compare(folder: Path, output: Path, suite: Path, **options: Any) -> mplus_eval.Run:
    sources = {name: str(folder / name) for name in ("base", "plus")}
    return mplus_eval.compare(sources, results="lm-eval", suite=str(suite), output=output, **options)


@pytest.fixture(scope="module")
def suite(toy_tasks: Path) -> Path:
    return toy_tasks / "toy.suite.yaml"


@pytest.fixture(scope="module")
def imported(lm_eval_outputs: Path, suite: Path, tmp_path_factory: pytest.TempPathFactory) -> mplus_eval.Run:
    return compare(lm_eval_outputs, tmp_path_factory.mktemp("imported"), suite)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, Comparison]:
    bench = Bench(tmp_path_factory.mktemp("here"))
    return bench, bench.compare()


def test_tasks_and_summaries_are_those_of_the_same_models_asked_here(
    imported: mplus_eval.Run, here: tuple[Bench, Comparison]
) -> None:
    stored, asked = imported.comparison, here[1]

    assert stored.tasks.keys() == asked.tasks.keys() == {"sums", "words"}
    for name, task in asked.tasks.items():
        assert stored.tasks[name].scores == task.scores
        assert stored.tasks[name].model_dump(exclude={"lm_eval"}) == task.model_dump(exclude={"lm_eval"})
    assert stored.summary == asked.summary
    assert stored.missing == ()


def test_every_item_is_stored_as_if_it_had_been_asked_here(
    imported: mplus_eval.Run, here: tuple[Bench, Comparison]
) -> None:
    columns = ["stratum", "cluster", "prompt", "prompt_hash", "choices", "log_probabilities", "generations", "target"]
    for model in ("base", "plus"):
        for task in ("sums", "words"):
            stored = RunDirectory(imported.path).outcome_frame(model, task).set_index("item_id").sort_index()
            asked = {outcome.item_id: outcome for outcome in here[0].outcomes(model, task)}
            assert list(stored.index) == sorted(asked)
            for item, row in stored.iterrows():
                for column in [*columns, "answer", "score"]:
                    own, other = row[column], getattr(asked[str(item)], column)
                    assert (None if own is None else list(own) if isinstance(other, list) else own) == other, column


def test_models_are_named_with_the_tool_that_asked_them(imported: mplus_eval.Run) -> None:
    entry = imported.comparison.models["base"]

    assert entry.backend.startswith("lm-eval")
    assert entry.source.endswith("base")
    assert entry.chat_template == "plain"


def test_a_report_is_written(imported: mplus_eval.Run) -> None:
    assert "sums" in (imported.path / "report.html").read_text()


def test_other_items_are_left_out_and_counted(
    lm_eval_outputs: Path, toy_tasks: Path, suite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "lm-eval"
    copied(lm_eval_outputs / "base", folder / "base")
    run_lm_eval(toy_tasks, folder / "plus", "plus", limit=9)

    code = run(
        [
            *("compare", "--from", "lm-eval", f"base={folder / 'base'}", f"plus={folder / 'plus'}"),
            *("--suite", str(suite), "--output", str(tmp_path / "run")),
        ]
    )

    assert code == 0
    task = mplus_eval.load(tmp_path / "run").comparison.tasks["sums"]
    assert (task.n_items, task.n_available) == (9, 12)
    assert {name: score.n_scored for name, score in task.scores.items()} == {"base": 9, "plus": 9}
    assert "sums: 9 items are compared, which all models have; left out: 3 of base" in capsys.readouterr().err


def shots(row: dict[str, Any]) -> None:
    row["n-shot"]["toy_sums"] = 5


def version(row: dict[str, Any]) -> None:
    row["versions"]["toy_sums"] = 2.0


def value(row: dict[str, Any]) -> None:
    row["results"]["toy_sums"]["acc,none"] += 0.01


def count(row: dict[str, Any]) -> None:
    row["n-samples"]["toy_sums"]["effective"] = 13


def metric(row: dict[str, Any]) -> None:
    row["configs"]["toy_sums"]["metric_list"] = [{"metric": "acc_norm"}]


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (shots, "shots of toy_sums is 5, and of base 0"),
        (version, "version of toy_sums is 2.0, and of base 1.0"),
        (count, "toy_sums has 12 items, and its results say 13"),
        (metric, "metric 'acc' is not stored; did you mean acc_norm?"),
    ],
    ids=lambda each: getattr(each, "__name__", "") or None,
)
def test_a_task_that_was_asked_otherwise_is_refused_for_that_model(
    lm_eval_outputs: Path, suite: Path, tmp_path: Path, change: Any, cause: str
) -> None:
    folder = copied(lm_eval_outputs, tmp_path / "changed")
    change_results(folder / "plus", change)

    comparison = compare(folder, tmp_path / "run", suite).comparison

    assert [(each.model, each.task, each.cause) for each in comparison.missing] == [("plus", "sums", cause)]
    assert set(comparison.tasks["sums"].scores) == {"base"}
    assert "plus" in comparison.tasks["words"].contrasts
    assert comparison.summary["plus"].withheld == "no result on sums"


def test_a_value_that_the_samples_do_not_give_is_told_by_name(
    lm_eval_outputs: Path, suite: Path, tmp_path: Path
) -> None:
    folder = copied(lm_eval_outputs, tmp_path / "changed")
    change_results(folder / "plus", value)

    cause = compare(folder, tmp_path / "run", suite).comparison.missing[0].cause

    assert cause.startswith("acc,none of toy_sums: its samples give ")
    assert ", and its results say " in cause


def test_items_are_paired_by_document_and_not_by_number(lm_eval_outputs: Path, suite: Path, tmp_path: Path) -> None:
    def turned(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for row in rows:
            row["doc_id"] = len(rows) - 1 - row["doc_id"]
        return rows[::-1]

    folder = copied(lm_eval_outputs, tmp_path / "changed")
    for task in ("toy_sums", "toy_words"):
        change_samples(folder / "plus", task, turned)

    whole = compare(lm_eval_outputs, tmp_path / "whole", suite).comparison

    assert compare(folder, tmp_path / "turned", suite).comparison.tasks == whole.tasks


def test_another_chat_template_flags_the_contrast(lm_eval_outputs: Path, suite: Path, tmp_path: Path) -> None:
    folder = copied(lm_eval_outputs, tmp_path / "changed")
    change_results(folder / "plus", lambda row: row.update(chat_template="{{x}}", chat_template_sha="a" * 64))

    contrast = compare(folder, tmp_path / "run", suite).comparison.tasks["sums"].contrasts["plus"]

    assert "chat templates differ" in contrast.flags


def test_texts_that_were_generated_in_another_way_are_not_compared(
    lm_eval_outputs: Path, suite: Path, tmp_path: Path
) -> None:
    def warm(row: dict[str, Any]) -> None:
        row["configs"]["toy_words"]["generation_kwargs"]["temperature"] = 0.7

    folder = copied(lm_eval_outputs, tmp_path / "changed")
    change_results(folder / "plus", warm)

    (missing,) = compare(folder, tmp_path / "run", suite).comparison.missing

    assert missing.cause.startswith("generation of toy_words is {")
    assert '"temperature": 0.7' in missing.cause


def test_a_second_run_reads_what_is_stored_and_changed_files_are_refused(
    lm_eval_outputs: Path, suite: Path, tmp_path: Path
) -> None:
    folder = copied(lm_eval_outputs, tmp_path / "changed")
    first = compare(folder, tmp_path / "run", suite)
    parts = {path: path.stat().st_mtime_ns for path in first.path.rglob("part-*.parquet")}

    assert compare(folder, tmp_path / "run", suite).comparison == first.comparison
    assert {path: path.stat().st_mtime_ns for path in parts} == parts

    change_samples(folder / "plus", "toy_words", lambda rows: [{**row, "resps": [["other"]]} for row in rows])
    with pytest.raises(SpecError, match=r"holds another run, with different results of plus × words"):
        compare(folder, tmp_path / "run", suite)


def test_tasks_are_restricted_by_any_of_their_names(lm_eval_outputs: Path, suite: Path, tmp_path: Path) -> None:
    assert set(compare(lm_eval_outputs, tmp_path / "a", suite, tasks="sums").comparison.tasks) == {"sums"}
    assert set(compare(lm_eval_outputs, tmp_path / "b", suite, tasks="toy_words").comparison.tasks) == {"words"}
    with pytest.raises(SpecError, match=r"--tasks 'worts': no results of it are stored; did you mean words\?"):
        compare(lm_eval_outputs, tmp_path / "c", suite, tasks="worts")


def test_without_a_suite_tasks_have_the_names_and_the_first_metric_of_the_tool(
    lm_eval_outputs: Path, tmp_path: Path
) -> None:
    sources = {name: str(lm_eval_outputs / name) for name in ("base", "plus")}

    tasks = mplus_eval.compare(sources, results="lm-eval", output=tmp_path / "run").comparison.tasks

    assert {name: task.metric for name, task in tasks.items()} == {"toy_sums": "acc", "toy_words": "exact_match"}


def test_a_suite_that_has_none_of_the_tasks_is_refused(lm_eval_outputs: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="suite 'mplus': no results of its tasks are stored, but of toy_sums"):
        compare(lm_eval_outputs, tmp_path / "run", Path("mplus"))


def test_a_model_that_is_run_here_is_asked_the_same_documents(
    lm_eval_outputs: Path, toy_tasks: Path, suite: Path, here: tuple[Bench, Comparison], tmp_path: Path
) -> None:
    base = run_lm_eval(toy_tasks, tmp_path / "stored", "base", limit=8)
    bench = Bench(tmp_path / "bench")

    mixed = bench.compare_with([f"base={base},results=lm-eval"], ["plus"])

    assert mixed.models["base"].backend.startswith("lm-eval")
    assert mixed.models["plus"].backend == "rule"
    assert mixed.missing == ()
    for name, task in mixed.tasks.items():
        assert (task.n_items, task.contrasts["plus"].verdict) == (8, Verdict.UNDECIDED)
        own = {outcome.item_id: outcome for outcome in bench.outcomes("plus", name)}
        of_base = {outcome.item_id: outcome for outcome in bench.outcomes("base", name)}
        assert own.keys() == of_base.keys()
        for item, outcome in own.items():
            assert outcome.prompt_hash == of_base[item].prompt_hash
            assert outcome.score == {o.item_id: o.score for o in here[0].outcomes("plus", name)}[item]


def test_a_model_that_is_run_here_would_be_asked_another_version(
    lm_eval_outputs: Path, here: tuple[Bench, Comparison], tmp_path: Path
) -> None:
    base = copied(lm_eval_outputs / "base", tmp_path / "stored")
    change_results(base, version)

    mixed = Bench(tmp_path / "bench").compare_with([f"base={base},results=lm-eval"], ["plus"])

    assert [(each.model, each.task, each.cause) for each in mixed.missing] == [
        ("plus", "sums", "version of toy_sums is 1.0, and of base 2.0")
    ]


@pytest.mark.parametrize("name", ["base", "plus"])
def test_a_log_probability_that_is_no_number_fails_its_item(
    lm_eval_outputs: Path, suite: Path, tmp_path: Path, name: str
) -> None:
    def broken(rows: list[dict[str, Any]]) -> None:
        rows[3]["resps"][0][0][0] = "nan"

    folder = copied(lm_eval_outputs, tmp_path / "changed")
    change_samples(folder / name, "toy_sums", broken)

    comparison = compare(folder, tmp_path / "run", suite).comparison

    assert comparison.tasks["sums"].scores[name].n_failed == 1
    assert comparison.tasks["sums"].contrasts["plus"].verdict == Verdict.NOT_COMPARABLE


def test_what_a_model_wrote_changes_nothing_but_the_text_shown(
    lm_eval_outputs: Path, suite: Path, tmp_path: Path
) -> None:
    def hostile(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            text = "<script>alert(1)</script>\x1b[31m\u202e\x00" + "x" * 100_000
            row["resps"], row["filtered_resps"] = [[text]], [text]

    folder = copied(lm_eval_outputs, tmp_path / "changed")
    change_samples(folder / "plus", "toy_words", hostile)
    for path in folder.rglob("samples_toy_words_*.jsonl"):
        # JSON can write half a surrogate pair.
        path.write_text(path.read_text().replace("alert(1)", "alert(\\ud83d)"))

    finished = compare(folder, tmp_path / "run", suite)

    assert finished.comparison.missing == ()
    assert "<script>alert(" not in (finished.path / "report.html").read_text()


def test_nothing_more_can_be_asked_of_stored_results(lm_eval_outputs: Path, suite: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        compare(lm_eval_outputs, tmp_path / "run", suite, limit=3, sequential=True, conversation=True)

    lines = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["--limit", "--sequential", "--conversation"]


def test_a_missing_folder_and_a_checkpoint_are_told_apart(lm_eval_outputs: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint"
    checkpoint.mkdir()
    (checkpoint / "config.json").write_text(json.dumps({}))

    with pytest.raises(UsageError) as caught:
        mplus_eval.compare(
            {"base": str(lm_eval_outputs / "base"), "sft": str(tmp_path / "nowhere"), "plus": str(checkpoint)},
            results="lm-eval",
            output=tmp_path / "run",
        )

    first, second = str(caught.value).splitlines()
    assert first.startswith(f"model 'sft': {tmp_path / 'nowhere'}: no such file or directory")
    assert second.endswith("it looks like a checkpoint, and results=none has it run here")


def test_a_damaged_line_ends_the_command_with_one_line_and_2(
    lm_eval_outputs: Path, suite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied(lm_eval_outputs, tmp_path / "changed")
    (path,) = (folder / "plus").rglob("samples_toy_sums_*.jsonl")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:4], lines[4][:50], *lines[5:]]))

    code = run(
        [
            *("compare", "--from", "lm-eval", f"base={folder / 'base'}", f"plus={folder / 'plus'}"),
            *("--suite", str(suite), "--output", str(tmp_path / "run")),
        ]
    )

    assert code == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("mplus-eval: ")]
    assert f"model 'plus': {path}, line 5: no JSON" in line
    assert not (tmp_path / "run").exists()


def test_from_without_folders_says_how(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", "--from", "lm-eval"]) == 2
    assert "--from lm-eval: name the folders, as NAME=DIR NAME=DIR" in capsys.readouterr().err
