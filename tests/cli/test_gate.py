from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mplus_eval import cli
from tests.gate import build

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a model that kept what the base knew, one that forgot it, and one of which there is not enough data."""
    folder = tmp_path_factory.mktemp("gated")
    build.three_models().write(folder / "comparison.json")
    return folder


@pytest.mark.parametrize(
    ("models", "exit_code"),
    [((), 1), (("kept",), 0), (("forgetful",), 1), (("few",), 4), (("kept", "few"), 4), (("few", "forgetful"), 1)],
)
def test_the_exit_code_is_the_gate(
    run: Path, models: tuple[str, ...], exit_code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [word for name in models for word in ("--model", name)]
    assert cli.run(["gate", str(run), *options]) == exit_code
    assert capsys.readouterr().err == ""


def test_help_says_which_exit_codes_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["gate", "--help"]) == 0
    assert "exit code 0 when all blocking rules pass" in capsys.readouterr().out


def test_files_are_written_whatever_the_outcome(run: Path, tmp_path: Path) -> None:
    junit, document = tmp_path / "gate.xml", tmp_path / "gate.json"
    assert cli.run(["gate", str(run), "--junit", str(junit), "--json", str(document)]) == 1
    suites = {suite.get("name"): suite for suite in ElementTree.parse(junit).getroot()}
    counts = {name: (suite.get("failures"), suite.get("errors")) for name, suite in suites.items()}
    assert counts == {"kept": ("0", "0"), "forgetful": ("2", "0"), "few": ("0", "1")}
    assert json.loads(document.read_text())["models"] == {"kept": "pass", "forgetful": "fail", "few": "inconclusive"}


def test_summary_prints_one_line(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["gate", str(run), "--summary", "--model", "kept"]) == 0
    assert capsys.readouterr().out == "mplus-eval gate, policy default: pass. kept passes.\n"


def test_links_lead_to_where_the_report_is(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.run(["gate", str(run), "--model", "forgetful"])
    assert f"      {run}/report.html#items?task=facts&model=forgetful&show=lost" in capsys.readouterr().out.splitlines()
    cli.run(["gate", str(run), "--model", "forgetful", "--report-url", "https://ci/7/report.html"])
    assert (
        "      https://ci/7/report.html#items?task=facts&model=forgetful&show=lost"
        in capsys.readouterr().out.splitlines()
    )


def test_github_prints_annotations_and_adds_to_the_job(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    assert cli.run(["gate", str(run), "--github"]) == 1
    out = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("::error title=") for line in out) == 2
    assert sum(line.startswith("::warning title=suite-kept%2C few") for line in out) == 1
    assert "| forgetful | suite-kept |" in (tmp_path / "summary").read_text("utf-8")
    assert (tmp_path / "output").read_text("utf-8").startswith("outcome=fail\nsummary=")


def test_explain_needs_no_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["gate", "--explain", "--policy", "strict"]) == 0
    assert capsys.readouterr().out.startswith("Policy strict. Every task")


def test_explain_with_a_run_goes_on_to_the_gate(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["gate", str(run), "--explain", "--model", "few"]) == 4
    out = capsys.readouterr().out
    assert out.startswith("Policy default.")
    assert "model few: inconclusive" in out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "RUN_DIR is missing: a run directory of `compare` is expected"),
        (["RUN", "--policy", "defualt"], "policy 'defualt': no such file or shipped policy; did you mean default?"),
        (["RUN", "--model", "kep"], "--model 'kep': no model that can be gated; did you mean kept?"),
        (
            ["RUN", "--report-url", "javascript:x"],
            "--report-url 'javascript:x': a URL that begins with https:// or http",
        ),
        (["RUN", "--junit", "RUN"], "--junit RUN: cannot be written (Is a directory)"),
        (["RUN", "--json", "RUN/no/such/folder.json"], "cannot be written (No such file or directory)"),
        (
            ["RUN/nowhere"],
            "RUN/nowhere: no comparison.json here; a run directory that `compare` has finished is expected",
        ),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    run: Path, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["gate", *(word.replace("RUN", str(run)) for word in arguments)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told.replace("RUN/", f"{run}/").replace("--junit RUN", f"--junit {run}") in line


def test_all_faults_of_a_policy_are_told(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = tmp_path / "own.yaml"
    policy.write_text("rules:\n  a: {measure: task, max_los: 0.1}\n  b: {measure: suite, verdicts: [degraded]}\n")
    assert cli.run(["gate", str(run), "--policy", str(policy)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition("own.yaml: ")[2] for line in lines] == [
        "rule 'a': unknown key 'max_los'; did you mean max_loss or max_count or at_most?",
        "rule 'b': verdicts.0 'degraded': improved, preserved, undecided or not informative is accepted",
    ]


def test_a_damaged_run_is_one_line_and_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "comparison.json").write_text('{"schema_version": 1, "baseline": "base", "suite"')
    assert cli.run(["gate", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "is not a comparison of schema version 1" in line


def test_the_gate_of_the_sample_report_is_what_its_verdicts_say(capsys: pytest.CaptureFixture[str]) -> None:
    """Of no model is the suite undecided and the gate passed; whoever degraded a task fails."""
    from mplus_eval.records.comparison import Comparison
    from mplus_eval.records.verdict import Verdict

    sample = Comparison.read(ROOT / "reports" / "sample" / "comparison.json")
    for name, summary in sample.summary.items():
        if name == sample.baseline:
            continue
        contrasts = [task.contrasts.get(name) for task in sample.tasks.values()]
        verdicts = {summary.verdict, *(contrast.verdict if contrast else None for contrast in contrasts)}
        settled = summary.verdict in (Verdict.IMPROVED, Verdict.PRESERVED)
        expected = 1 if verdicts & {Verdict.DEGRADED, Verdict.NOT_COMPARABLE, None} else 0 if settled else 4
        code = cli.run(["gate", str(ROOT / "reports" / "sample"), "--policy", "capability", "--model", name])
        assert code == expected, (name, capsys.readouterr().out)


def test_the_gate_of_the_sample_report_fails_what_forgot_and_passes_what_was_kept(tmp_path: Path) -> None:
    from mplus_eval.records.comparison import Comparison

    sample = ROOT / "reports" / "sample"
    summaries = Comparison.read(sample / "comparison.json").summary
    if "forgetful" not in summaries:
        pytest.skip("the sample is of a demo without the model that forgets")
    junit = tmp_path / "gate.xml"
    assert cli.run(["gate", str(sample), "--policy", "capability", "--junit", str(junit)]) == 1
    failed = {
        suite.get("name"): {case.get("name") for case in suite if case.find("failure") is not None}
        for suite in ElementTree.parse(junit).getroot()
    }
    assert {"suite-kept", "no-task-degraded"} <= failed["forgetful"]
    kept = [name for name, summary in summaries.items() if summary.verdict == "preserved"]
    assert kept
    assert [name for name in kept if "suite-kept" in failed[name]] == []


def test_a_gate_is_quick_and_loads_no_heavy_library(run: Path) -> None:
    code = (
        f"import sys\nfrom mplus_eval import cli\nleft = cli.run(['gate', {str(run)!r}, '--summary'])\n"
        "heavy = {'torch', 'transformers', 'lm_eval', 'pandas', 'scipy', 'matplotlib', 'trl', 'datasets'}\n"
        "print(left, sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "1 []"
