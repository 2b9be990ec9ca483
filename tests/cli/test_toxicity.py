from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mplus_eval import cli
from mplus_eval.records.comparison import Comparison
from tests.harmlessness.labelled import labelled_rows, write_rows
from tests.tiny_models import SENTENCES

Arguments = Callable[..., list[str]]


@pytest.fixture
def arguments(tmp_path: Path, tiny_model) -> Arguments:  # type: ignore[no-untyped-def]
    """Two tiny models on a suite of a few prompts, with whatever else is given."""
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps({"prompt": text[:25]}) + "\n" for text in SENTENCES))
    (tmp_path / "words.txt").write_text("fox\t0.9\n")
    harmlessness = {
        "scorers": ["words"],
        "samples": 2,
        "fewer": [1],
        "max_new_tokens": 4,
        "primary": "ordinary",
        "sets": [{"name": "ordinary", "source": str(tmp_path / "prompts.jsonl")}],
        "layers": {"prompts": {"name": "layers", "source": str(tmp_path / "prompts.jsonl")}, "words": words(tmp_path)},
    }
    suite = tmp_path / "suite.yaml"
    suite.write_text(json.dumps({"name": "small", "tasks": [], "harmlessness": harmlessness}))

    def given(*further: str) -> list[str]:
        models = [f"base={tiny_model()}", f"plus={tiny_model(seed=1)}"]
        return ["toxicity", *models, "--suite", str(suite), "--output", str(tmp_path / "run"), *further]

    return given


def words(folder: Path) -> str:
    (folder / "bad.txt").write_text("dog\nfox\n")
    return str(folder / "bad.txt")


def test_toxicity_alone_ends_in_a_report_and_is_scored_again(
    arguments: Arguments, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(arguments("--limit", "4")) == 0
    out, _ = capsys.readouterr()
    assert f"Report: {tmp_path / 'run' / 'report.html'}" in out
    before = Comparison.read(tmp_path / "run" / "comparison.json")
    assert before.tasks == {}
    assert before.toxicity is not None
    found = before.toxicity.models["plus"]
    assert found.sets["ordinary"].n_prompts == 4
    assert found.layers is not None
    assert found.layers.n_prompts == 4

    scorer = f"words:{tmp_path / 'words.txt'}"
    assert cli.run(["toxicity", "rescore", str(tmp_path / "run"), "--scorer", scorer]) == 0
    assert "Report: " in capsys.readouterr().out
    after = Comparison.read(tmp_path / "run" / "comparison.json")
    assert after.toxicity is not None
    assert list(after.toxicity.scorers) == [scorer]
    assert after.toxicity.models["plus"].layers == found.layers


@pytest.mark.parametrize(
    ("further", "said"),
    [
        (["--limit", "0"], ["--limit '0'", "a whole number above 0"]),
        (["--scorer", "words:absent.txt"], ["word list absent.txt", "cannot be read"]),
        (["--scorer", "detoxify:absent.ckpt"], ["absent.ckpt"]),
        (["--scorer", "words", "--scorer", "words", "--scorer", "words"], ["one or two names of scorers"]),
        (["--baseline", "sft"], ["'sft'", "not among the models"]),
        (["--data-dir", "absent"], ["--data-dir 'absent'", "no such directory"]),
    ],
)
def test_wrong_usage_is_one_line_and_nothing_is_asked(
    arguments: Arguments, tmp_path: Path, capsys: pytest.CaptureFixture[str], further: list[str], said: list[str]
) -> None:
    assert cli.run(arguments(*further)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert all(word in err for word in said), err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_suite_without_harmlessness_is_refused(
    arguments: Arguments, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = arguments()
    (tmp_path / "suite.yaml").write_text(json.dumps({"name": "small", "tasks": [{"name": "a", "lm_eval": "arc_easy"}]}))
    assert cli.run(given) == 2
    assert "suite 'small' has no settings of harmlessness" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ([], "toxicity rescore: name a scorer"),
        (["--scorer", "words"], "holds no comparison.json"),
    ],
)
def test_scoring_again_needs_a_scorer_and_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rest: list[str], said: str
) -> None:
    assert cli.run(["toxicity", "rescore", str(tmp_path), *rest]) == 2
    _, err = capsys.readouterr()
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_help_names_both_commands_and_their_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["toxicity", "--help"]) == 0
    assert "rescore" in capsys.readouterr().out
    assert cli.run(["toxicity", "compare", "--help"]) == 0
    assert "--scorer" in capsys.readouterr().out


def test_compare_without_toxicity_asks_for_none(
    arguments: Arguments, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["compare", *arguments()[1:]]
    assert cli.run([*given, "--no-toxicity"]) == 2
    assert "nothing is left to evaluate" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_scorer_is_fitted_used_and_compared(
    arguments: Arguments, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, place = write_rows(tmp_path / "mine.csv", labelled_rows(400)), tmp_path / "scorer"
    fit = ["toxicity", "fit-scorer", "--data", data, "--group", "author", "--output", str(place)]
    assert cli.run(fit) == 0
    out, _ = capsys.readouterr()
    assert "mine.csv: a text is toxic where label is 0.5 or more" in out
    assert "fitted on " in out
    assert f"scorer: ngram:{place}" in out
    assert cli.run(fit) == 2
    assert "holds something already" in capsys.readouterr().err

    scorer = f"ngram:{place}"
    assert cli.run(arguments("--limit", "4", "--scorer", scorer)) == 0
    found = Comparison.read(tmp_path / "run" / "comparison.json").toxicity
    assert found is not None
    assert list(found.scorers) == [scorer]
    assert found.models["plus"].sets["ordinary"].expected_maximum_toxicity.value is not None

    capsys.readouterr()
    for source in (str(tmp_path / "run"), data):
        assert cli.run(["toxicity", "agree", source, "--scorer", scorer, "--scorer", "words"]) == 0
        out, _ = capsys.readouterr()
        assert "Spearman's correlation" in out
        assert f"AUC of {scorer}, where words says toxic" in out


def test_a_suite_names_a_fitted_scorer(arguments: Arguments, tmp_path: Path, ngrams: Path) -> None:
    given = arguments("--limit", "4")
    suite = json.loads((tmp_path / "suite.yaml").read_text())
    suite["harmlessness"]["scorers"] = [f"ngram:{ngrams}", "words"]
    (tmp_path / "suite.yaml").write_text(json.dumps(suite))
    assert cli.run(given) == 0
    found = Comparison.read(tmp_path / "run" / "comparison.json").toxicity
    assert found is not None
    assert list(found.scorers) == [f"ngram:{ngrams}", "words"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["fit-scorer"], ["--output"]),
        (["fit-scorer", "--output", "o", "--data", "absent.csv"], ["absent.csv: no such file or folder"]),
        (["fit-scorer", "--output", "o", "--text", "a,b", "--label", "c"], ["as many labels as texts"]),
        (["fit-scorer", "--output", "o", "--held-out", "0"], ["--held-out 0", "above 0 and up to 0.5"]),
        (["agree", "absent.csv", "--scorer", "words"], ["two scorers are expected, 1 given"]),
        (["agree", "absent.csv", "--scorer", "words", "--scorer", "ngram:absent"], ["no such directory"]),
        (["compare", "--scorer", "ngram:absent"], ["scorer 'ngram:absent': no such directory"]),
    ],
)
def test_wrong_usage_of_scorers_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: list[str],
    said: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.run(["toxicity", *given]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert all(words in err for words in said), err
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())
