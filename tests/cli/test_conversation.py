from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mplus_eval import cli
from mplus_eval.records.comparison import Comparison
from mplus_eval.records.conversation import Conversation
from mplus_eval.records.verdict import Verdict
from tests.judges.server import NAME, Body, ChatServer, asked_text, grade, serving, verdict
from tests.tiny_models import SENTENCES

Run = Callable[..., int]
LONGER = "function:tests.talkers:n_words"


@pytest.fixture
def run(tmp_path: Path, tiny_model) -> Run:  # type: ignore[no-untyped-def]
    """`mplus-eval conversation` on two tiny models and a few dialogues of two turns."""
    rows = [
        {"prompt": [text[:12], "And then?"], "category": "talk", "id": number} for number, text in enumerate(SENTENCES)
    ]
    (tmp_path / "dialogues.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    talk = {"dialogues": str(tmp_path / "dialogues.jsonl"), "max_new_tokens": 4}
    suite = tmp_path / "suite.yaml"
    suite.write_text(json.dumps({"name": "small", "tasks": [], "conversation": talk}))

    def given(*further: str) -> int:
        models = [f"base={tiny_model()}", f"plus={tiny_model(seed=1)}"]
        output = ["--suite", str(suite), "--output", str(tmp_path / "run")]
        return cli.run(["conversation", *models, *output, *further])

    return given


def conversation(tmp_path: Path) -> Conversation:
    found = Comparison.read(tmp_path / "run" / "comparison.json").conversation
    assert found is not None
    return found


@pytest.mark.parametrize("limit", ["3", "first:3"])
def test_conversation_alone_ends_in_a_report_and_is_judged_again(run: Run, tmp_path: Path, limit: str) -> None:
    assert run("--judge", LONGER, "--limit", limit) == 0
    before = conversation(tmp_path)
    assert (before.n_dialogues, before.n_turns, list(before.judges)) == (3, 6, ["n_words"])
    answers = {path: path.stat().st_mtime_ns for path in (tmp_path / "run" / "answers").rglob("*.parquet")}
    shorter = "function:tests.cli.test_conversation:fewer_words"
    assert cli.run(["conversation", "rejudge", str(tmp_path / "run"), "--judge", shorter, "--judge", LONGER]) == 0
    after = conversation(tmp_path)
    assert list(after.judges) == ["fewer_words", "n_words"]
    wins, losses = before.models["plus"].win_rate.wins, before.models["plus"].win_rate.losses
    assert (after.models["plus"].win_rate.losses, after.models["plus"].win_rate.wins) == (wins, losses)
    assert answers == {path: path.stat().st_mtime_ns for path in answers}


def fewer_words(prompt: str, answer: str, ended: bool) -> float:
    """A judge that prefers the shorter answer."""
    return -len(answer.split())


def replies(body: Body) -> str:
    """A judge that prefers the first answer, and grades by whether a reference stands there."""
    text = asked_text(body)
    if "Grade that answer" not in text:
        return verdict("A")
    return grade(9) if "Reference answer" in text else grade(4)


def test_a_language_model_judges_in_both_orders_and_grades_single_answers(run: Run, tmp_path: Path) -> None:
    rows = [
        {"prompt": ["What is 1 + 1?"], "reference": ["2"], "category": "math", "id": 1},
        {"prompt": ["Name a tree.", "Another?"], "category": "talk", "id": 2},
    ]
    with serving(ChatServer(replies)) as server:
        (tmp_path / "dialogues.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        assert run("--judge", f"llm:{NAME}@{server.url}") == 0
        found = conversation(tmp_path)
        plus, n_asked = found.models["plus"], len(server.asked)
        assert (plus.win_rate.ties, plus.bias.first_preferred.value) == (3, 1.0)
        assert (plus.verdict, plus.bias.order_inconsistency.value) == (Verdict.UNDECIDED, 1.0)
        for graded in (plus.grades, found.baseline.grades):
            assert graded is not None
            assert (graded.mean.n, graded.n_ungraded) == (3, 0)
            assert graded.mean.value == pytest.approx((9 + 4 + 4) / 3)
            assert {name: one.value for name, one in graded.by_category.items()} == {
                "math": pytest.approx(9),
                "talk": pytest.approx(4),
            }
        # Nothing is asked a second time: two orders of three pairs, and three answers of two models.
        assert run("--judge", f"llm:{NAME}@{server.url}") == 0
        assert len(server.asked) == n_asked == 2 * 3 + 3 * 2
    assert "### Grades" in (tmp_path / "run" / "report.md").read_text()


def silent(prompt: str, answer: str, ended: bool) -> float:
    """A judge that gives no number."""
    return float("nan")


def test_an_axis_that_nobody_judged_ends_in_exit_3_and_the_last_line_says_why(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = "function:tests.cli.test_conversation:silent"
    assert run("--judge", nobody, "--limit", "3") == 3
    (found,) = conversation(tmp_path).unjudged
    assert (found.judge, found.n_asked, found.n_unjudged, found.models) == ("silent", 6, 6, ("plus",))
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("conversation: silent left 100.0 % of 6 unjudged, of plus everything (")
    assert next(iter(found.causes)) in last
    # Judged again by somebody who decides, nothing is left open; by the silent one, all is.
    assert cli.run(["conversation", "rejudge", str(tmp_path / "run"), "--judge", LONGER]) == 0
    assert conversation(tmp_path).unjudged == ()
    assert cli.run(["conversation", "rejudge", str(tmp_path / "run"), "--judge", LONGER, "--judge", nobody]) == 3


def fill_in(path: Path, verdict: str) -> int:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows([{**row, "verdict": verdict} for row in rows])
    return len(rows)


def test_peoples_verdicts_come_in_beside_the_judge_or_before_it(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--judge", LONGER) == 0
    pairs = tmp_path / "pairs.csv"
    assert cli.run(["conversation", "export", str(tmp_path / "run"), str(pairs)]) == 0
    n_pairs = fill_in(pairs, "tie")
    assert f"{n_pairs} pairs: {pairs}" in capsys.readouterr().out
    assert not {"plus", "base"} & set(pairs.read_text().split())

    assert cli.run(["conversation", "import", str(tmp_path / "run"), str(pairs), "--judge", LONGER]) == 0
    found = conversation(tmp_path)
    assert list(found.judges) == ["n_words", "human"]
    second = found.models["plus"].second_judge
    assert second is not None
    assert (second.win_rate.value, second.win_rate.ties) == (0.5, found.n_turns)

    assert cli.run(["conversation", "import", str(tmp_path / "run"), str(pairs), "--decide", "--judge", LONGER]) == 0
    assert list(conversation(tmp_path).judges) == ["human", "n_words"]


@pytest.mark.parametrize("verdict", ["", "maybe"])
def test_a_wrong_file_changes_nothing(
    run: Run, tmp_path: Path, verdict: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--judge", LONGER) == 0
    pairs = tmp_path / "pairs.csv"
    cli.run(["conversation", "export", str(tmp_path / "run"), str(pairs)])
    fill_in(pairs, "tie")
    if verdict:
        fill_in(pairs, verdict)
    else:
        pairs.write_text("id,verdict\np0,A\n")
    before = (tmp_path / "run" / "comparison.json").read_bytes()
    assert cli.run(["conversation", "import", str(tmp_path / "run"), str(pairs), "--judge", LONGER]) == 2
    assert "mplus-eval: " in capsys.readouterr().err
    assert (tmp_path / "run" / "comparison.json").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--judge", "gpt"], "judge 'gpt': accepted: referee, reward, reward:PATH, llm:MODEL@http://HOST:PORT/v1"),
        (["--judge", "reward"], "judge 'reward': no reward model of mplus-eval train lies beside a model"),
        (["--judge", "reward:nowhere"], "judge 'reward:nowhere': no such directory"),
        (["--judge", "llm:x@http://127.0.0.1:9/v1"], "cannot reach the server http://127.0.0.1:9/v1"),
        ([], "conversation: no judge is named"),
    ],
)
def test_what_cannot_be_judged_is_said_before_any_answer(
    run: Run, tmp_path: Path, arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    *_, said = capsys.readouterr().err.splitlines()
    assert line in said
    assert not (tmp_path / "run" / "answers").exists()


def test_a_run_without_conversation_cannot_be_judged_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["conversation", "rejudge", str(tmp_path), "--judge", LONGER]) == 2
    assert f"{tmp_path} holds no comparison.json" in capsys.readouterr().err
    assert cli.run(["conversation", "rejudge", str(tmp_path)]) == 2
    assert "conversation rejudge: name a judge" in capsys.readouterr().err
