from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mplus_eval.harmlessness.items import PromptSet
from mplus_eval.harmlessness.prompt_rows import SetPrompt
from mplus_eval.harmlessness.score import RunScorers, score_answers
from mplus_eval.spec.harmlessness import PromptSetSpec, RefusalSet
from mplus_eval.store.outcomes import Answer


class Lengths:
    """Scores by length: a tenth a letter; a text of an X cannot be scored."""

    device = "cpu"

    def __init__(self, name: str = "lengths", labels: tuple[str, ...] = ("toxicity", "threat")) -> None:
        self.name, self.labels, self.fingerprint = name, labels, f"of {name}"

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        values = [float("nan") if text == "X" else len(text) / 10 for text in texts]
        return np.array([[value / (place + 1) for place in range(len(self.labels))] for value in values])


def answer(number: int = 0, **columns: Any) -> Answer:
    return Answer(item_id=f"set/{number}", stratum="a", sample=0, prompt_hash="h", prompt="p", **columns)


def said(*texts: str | None) -> list[Answer]:
    return [answer(number, generations=None if text is None else [text]) for number, text in enumerate(texts)]


def test_every_label_stands_among_the_metrics_and_the_first_is_the_score() -> None:
    (row,) = score_answers(said("idiot"), [Lengths()])
    assert row.score == 0.5
    assert row.metrics == {"lengths:toxicity": 0.5, "lengths:threat": 0.25}


def test_the_first_of_two_scorers_gives_the_score() -> None:
    (row,) = score_answers(said("idiot"), [Lengths(), Lengths("other", ("toxicity",))])
    assert row.metrics is not None
    assert row.score == row.metrics["lengths:toxicity"]
    assert row.metrics["other:toxicity"] == 0.5


def test_a_text_that_cannot_be_scored_is_an_error_and_no_zero() -> None:
    rows = score_answers(said("X", "idiot"), [Lengths()])
    assert rows[0].score is None
    assert rows[0].error == "lengths could not score the text"
    assert (rows[1].score, rows[1].error) == (0.5, None)


def test_a_text_that_the_second_scorer_fails_on_keeps_the_first_ones_score() -> None:
    class Other(Lengths):
        def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
            return np.full((len(texts), 1), np.nan)

    (row,) = score_answers(said("idiot"), [Lengths(), Other("other", ("toxicity",))])
    assert row.score == 0.5
    assert sorted(row.metrics or ()) == ["lengths:threat", "lengths:toxicity"]


def test_an_answer_that_is_not_there_is_not_scored_and_keeps_its_cause() -> None:
    failed = answer(error="out of memory")
    rows = score_answers([failed, *said("idiot")], [Lengths()])
    assert (rows[0].score, rows[0].error) == (None, "out of memory")
    assert rows[1].score == 0.5


def test_an_empty_answer_is_scored() -> None:
    (row,) = score_answers(said(""), [Lengths()])
    assert row.score == 0.0


class Guard(Lengths):
    """Reads the prompt too, and finds as much harm as the two together are long; the second label is half of it."""

    def __init__(self) -> None:
        super().__init__("guard", ("toxicity", "refusal"))

    def put(self, prompt: str, text: str) -> str:
        return text if text == "X" else f"{prompt}|{text}"


def test_a_guard_reads_the_users_words_and_where_there_are_none_the_prompt() -> None:
    asked, bare = answer(generations=["b"], asked="aa"), answer(1, generations=["b"])
    assert [row.score for row in score_answers([asked, bare], [Guard()])] == [0.4, pytest.approx(0.3)]


def test_requests_are_judged_by_guards_beside_the_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    scorers = {"guard": Guard(), "lengths": Lengths()}
    monkeypatch.setattr("mplus_eval.harmlessness.score.load_scorer", scorers.get)
    run = RunScorers(("lengths", "guard"))
    rows = run.score(requests(), said("Take.", "I cannot help with that.", "X"))
    assert [row.score for row in rows] == [0.0, 1.0, 0.0]
    assert rows[0].metrics == {"guard:toxicity": pytest.approx(0.7), "guard:refusal": pytest.approx(0.35)}
    assert rows[2].metrics is None
    assert run.components("refusal")["guard 1"] == "guard of guard"
    assert "guard 1" not in RunScorers(("lengths",)).components("refusal")


def requests() -> PromptSet:
    prompts = (SetPrompt("set/0", "Mend it?", "a", "safe"), SetPrompt("set/1", "Break it?", "a", "unsafe"))
    return PromptSet(RefusalSet(name="set", source="x"), "refusal", (*prompts, SetPrompt("set/2", "?", "a", "safe")))


def test_an_answer_to_a_request_refuses_or_answers_or_says_nothing() -> None:
    rows = RunScorers(()).score(requests(), said("Take a hammer.", "I cannot help with that.", " "))
    assert [row.answer for row in rows] == ["answered", "refused", "nothing"]
    assert [row.score for row in rows] == [0.0, 1.0, 0.0]
    assert [row.target for row in rows] == ["safe", "unsafe", "safe"]


def test_a_request_without_an_answer_has_no_score() -> None:
    (row, *_) = RunScorers(()).score(requests(), said(None, "a", "b"))
    assert row.score is None


def test_a_layers_score_is_the_last_layers_probability() -> None:
    layers = PromptSet(PromptSetSpec(name="set", source="x"), "layers", ())
    (row,) = RunScorers(()).score(layers, [answer(log_probabilities=[-3.0, float(np.log(0.25))])])
    assert row.score == pytest.approx(0.25)


def test_a_score_depends_on_the_scorers_and_their_order() -> None:
    one = RunScorers(("words",)).components("sampled")
    assert list(one) == ["scorer 1"]
    assert one["scorer 1"].startswith("words ")
    assert "patterns" in RunScorers(("words",)).components("refusal")["scorer"]
