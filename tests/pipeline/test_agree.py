from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.errors import SpecError, UsageError
from mplus_eval.harmlessness.labelled_texts import OF_REAL_TOXICITY, TextColumns
from mplus_eval.pipeline.agree import agree
from mplus_eval.pipeline.progress import RunProgress
from mplus_eval.records.comparison import Comparison
from mplus_eval.store.run_directory import RunDirectory
from tests.harmlessness.labelled import labelled_rows, write_rows
from tests.talkers import Bench, plain, rude

QUIET = RunProgress()
COLUMNS = TextColumns(("text",), (), None)


def words(folder: Path, *lines: str) -> str:
    path = folder / "words.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return f"words:{path}"


def test_the_texts_of_a_run_are_those_of_its_sampled_prompts_by_all_models(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"base": rude, "plus": plain})
    bench.run()
    toxicity = Comparison.read(bench.directory.comparison).toxicity
    assert toxicity is not None
    sampled = [name for name, facts in toxicity.sets.items() if facts.kind == "sampled"]
    answers = [
        answer
        for model in ("base", "plus")
        for name in sampled
        for answer in RunDirectory(bench.directory.path).read_answers(model, name)
    ]
    found = agree(str(bench.directory.path), ["words", words(tmp_path, "idiot\t0.9")], COLUMNS, 0.5, QUIET)
    assert found.n_texts == len({answer.text for answer in answers if (answer.text or "").strip()})
    assert found.n_groups <= len({answer.item_id for answer in answers})
    assert found.kappa.value == pytest.approx(1.0)
    assert found.toxic[0].value is not None
    assert 0.0 < found.toxic[0].value < 1.0


def test_a_run_without_toxicity_is_one_line(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"base": rude, "plus": plain})
    bench.run()
    whole = Comparison.read(bench.directory.comparison)
    bench.directory.comparison.write_text(whole.model_copy(update={"toxicity": None}).model_dump_json())
    with pytest.raises(UsageError, match="toxicity was not evaluated in this run"):
        agree(str(bench.directory.path), ["words", words(tmp_path, "idiot")], COLUMNS, 0.5, QUIET)


def test_texts_of_a_file_are_grouped_by_a_column(ngrams: Path, tmp_path: Path) -> None:
    source = write_rows(tmp_path / "texts.csv", labelled_rows(120, seed=3))
    found = agree(source, [f"ngram:{ngrams}", "words"], TextColumns(("text",), (), "author"), 0.5, QUIET)
    assert (found.n_texts, found.n_groups) == (120, 30)
    # Every rude text of the demo holds a word of the list, and one label in ten of the fit was wrong.
    assert found.auc[0].value is not None
    assert found.auc[0].value > 0.9


def test_real_prompts_are_scored_by_both(benchmark_data: Path, ngrams: Path) -> None:
    columns = TextColumns(OF_REAL_TOXICITY.texts, (), OF_REAL_TOXICITY.group)
    source = "allenai/real-toxicity-prompts"
    found = agree(source, [f"ngram:{ngrams}", "words"], columns, 0.5, QUIET, data_dir=benchmark_data)
    assert found.n_texts > 4000
    assert found.english is not None
    assert found.english > 0.8


@pytest.mark.parametrize(
    ("scorers", "threshold", "told"),
    [
        ([], 0.5, "two scorers are expected, 0 given"),
        (["words"], 0.5, "two scorers are expected, 1 given"),
        (["words", "words", "words"], 0.5, "two scorers are expected, 3 given"),
        (["words", "ngram:absent"], 0.5, "scorer 'ngram:absent': no such directory"),
        (["words", "words"], 0.0, "--threshold 0: a number above 0"),
    ],
)
def test_wrong_usage_is_one_line(tmp_path: Path, scorers: list[str], threshold: float, told: str) -> None:
    source = write_rows(tmp_path / "texts.jsonl", [{"text": "Hm."}])
    with pytest.raises(UsageError, match=told):
        agree(source, scorers, COLUMNS, threshold, QUIET)


def test_a_source_that_is_not_there_is_one_line() -> None:
    with pytest.raises(SpecError, match=r"absent\.jsonl: no such file or folder"):
        agree("absent.jsonl", ["words", "words"], COLUMNS, 0.5, QUIET)
