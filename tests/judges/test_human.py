from __future__ import annotations

import csv
from pathlib import Path

import pytest

from mplus_eval.errors import SpecError, UsageError
from mplus_eval.judges.base import Judgement, PairwiseItem, Question
from mplus_eval.judges.human import COLUMNS, HumanJudge, export_pairs, import_pairs, pair_id

SEED = 7


def pair(number: int, baseline: str = "the old one", model: str = "the new one") -> PairwiseItem:
    return PairwiseItem(Question(str(number), "writing", (f"Question {number}?",)), 1, (baseline,), (model,))


PAIRINGS = [pair(number) for number in range(40)]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def filled_in(path: Path, rows: list[dict[str, str]], delimiter: str = ",", mark: str = "\ufeff") -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(mark)
        writer = csv.DictWriter(file, COLUMNS, delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    path = tmp_path / "out" / "pairs.csv"
    assert export_pairs(PAIRINGS, path, SEED) == 40
    return path


def answered(exported: Path, answer: str) -> list[dict[str, str]]:
    """Every row with the verdict for a certain answer."""
    return [{**row, "verdict": "A" if row["answer_1"] == answer else "B"} for row in rows(exported)]


def test_nothing_in_the_file_names_a_model_or_a_side(exported: Path) -> None:
    assert tuple(rows(exported)[0]) == COLUMNS
    assert all(set(row) - set(COLUMNS) == set() and row["verdict"] == "" for row in rows(exported))
    assert not any(word in exported.read_text(encoding="utf-8") for word in ("baseline", "model", "writing"))


def test_either_side_comes_first_about_as_often(exported: Path) -> None:
    n_old_first = sum(row["answer_1"] == "the old one" for row in rows(exported))
    assert 10 <= n_old_first <= 30


def test_another_seed_draws_other_ids_and_another_order(exported: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    export_pairs(PAIRINGS, other, SEED + 1)
    assert not {row["id"] for row in rows(exported)} & {row["id"] for row in rows(other)}
    order = {row["conversation"]: row["answer_1"] for row in rows(exported)}
    assert order != {row["conversation"]: row["answer_1"] for row in rows(other)}


def test_the_same_seed_writes_the_same_file(exported: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.csv"
    export_pairs(PAIRINGS, again, SEED)
    assert again.read_bytes() == exported.read_bytes()


@pytest.mark.parametrize(("preferred", "preference"), [("the new one", 1.0), ("the old one", 0.0)])
@pytest.mark.parametrize(("delimiter", "mark"), [(",", ""), (";", "\ufeff"), ("\t", "")])
def test_verdicts_come_back_from_the_models_view(
    exported: Path, tmp_path: Path, preferred: str, preference: float, delimiter: str, mark: str
) -> None:
    path = filled_in(tmp_path / "filled.csv", answered(exported, preferred), delimiter, mark)
    judgements = import_pairs(path, PAIRINGS, SEED)
    assert {one.preference for one in judgements.values()} == {preference}
    assert set(judgements) == {pair_id(pairing, SEED) for pairing in PAIRINGS}


def test_only_the_order_that_was_shown_is_told(exported: Path, tmp_path: Path) -> None:
    path = filled_in(tmp_path / "filled.csv", answered(exported, "the new one"))
    for row in rows(path):
        judgement = import_pairs(path, PAIRINGS, SEED)[row["id"]]
        told = (None, 1.0) if row["answer_1"] == "the new one" else (1.0, None)
        assert (judgement.baseline_first, judgement.model_first, judgement.consistent) == (*told, None)


@pytest.mark.parametrize("verdict", ["tie", "Tie", " TIE "])
def test_a_tie_is_half(exported: Path, tmp_path: Path, verdict: str) -> None:
    path = filled_in(tmp_path / "filled.csv", [{**rows(exported)[0], "verdict": verdict}])
    assert [one.preference for one in import_pairs(path, PAIRINGS, SEED).values()] == [0.5]


def test_rows_without_a_verdict_are_left_out(exported: Path) -> None:
    assert import_pairs(exported, PAIRINGS, SEED) == {}


def test_all_faults_are_told_at_once(exported: Path, tmp_path: Path) -> None:
    first, second, *_ = rows(exported)
    wrong = [{**first, "verdict": "C"}, {**second, "verdict": "A"}, {**second, "verdict": "A"}, {**first, "id": "p0"}]
    path = filled_in(tmp_path / "filled.csv", wrong)
    with pytest.raises(SpecError) as caught:
        import_pairs(path, PAIRINGS, SEED)
    assert caught.value.faults == (
        f"{path}, line 2: verdict 'C'; accepted: A, B, tie",
        f"{path}, line 4: the pair {second['id']} stands there twice",
        f"{path}, line 5: no pair of this run has the id 'p0'",
    )


def test_another_seed_knows_none_of_the_ids(exported: Path) -> None:
    with pytest.raises(SpecError, match="no pair of this run has the id"):
        import_pairs(exported, PAIRINGS, SEED + 1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"id,answer\np1,x\n", r"line 1: no column verdict; an export has id, turn"),
        (b"", r"line 1: no column id and verdict"),
        ("id,verdict\np1,\u00e4\n".encode("cp1252"), r"is not UTF-8; save it as CSV in UTF-8"),
    ],
)
def test_a_file_that_is_none_is_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "pairs.csv"
    path.write_bytes(content)
    with pytest.raises(SpecError, match=said):
        import_pairs(path, PAIRINGS, SEED)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"cannot be read \(No such file or directory\)$"):
        import_pairs(tmp_path / "pairs.csv", PAIRINGS, SEED)


def test_a_file_that_may_be_filled_in_is_not_written_over(exported: Path) -> None:
    with pytest.raises(UsageError, match="exists already and may hold verdicts"):
        export_pairs(PAIRINGS, exported, SEED)


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(tmp_path: Path, start: str) -> None:
    path = tmp_path / "pairs.csv"
    export_pairs([pair(1, f"{start} a", f"{start} b")], path, SEED)
    row = rows(path)[0]
    assert {row["answer_1"], row["answer_2"]} == {f"'{start} a", f"'{start} b"}


@pytest.mark.parametrize(
    ("written", "read"), [("'=well said", "=well said"), ("'tis better", "'tis better"), ("- dull", "- dull")]
)
def test_a_comment_loses_only_the_apostrophe_of_a_formula(
    exported: Path, tmp_path: Path, written: str, read: str
) -> None:
    path = filled_in(tmp_path / "filled.csv", [{**rows(exported)[0], "verdict": "A", "comment": written}])
    assert [one.reasons for one in import_pairs(path, PAIRINGS, SEED).values()] == [(read,)]


def test_texts_with_lines_quotes_and_delimiters_come_through(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    texts = ('He said: "no";\nthen, "yes"\u2026', "\u65e5\u672c\u8a9e")
    export_pairs([pair(1, *texts)], path, SEED)
    assert {rows(path)[0]["answer_1"], rows(path)[0]["answer_2"]} == set(texts)


def test_a_second_turn_shows_both_answers_of_a_model(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    question = Question("1", None, ("First?", "Second?", "Third?"))
    export_pairs([PairwiseItem(question, 2, ("a", "b"), ("c", "d"))], path, SEED)
    row = rows(path)[0]
    assert row["conversation"] == "User: First?\nUser: Second?"
    assert {row["answer_1"], row["answer_2"]} == {"(1) a\n\n(2) b", "(1) c\n\n(2) d"}


def test_equal_answers_are_not_asked_and_are_a_tie(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    assert export_pairs([pair(1, "same", "same")], path, SEED) == 0
    assert HumanJudge(path, SEED).judge([pair(1, "same", "same")])[0].preference == 0.5


def test_as_a_judge_people_say_what_they_judged_and_what_not(exported: Path, tmp_path: Path) -> None:
    some = answered(exported, "the new one")[:30]
    path = filled_in(tmp_path / "filled.csv", some)
    seen: dict[int, Judgement] = {}
    judgements = HumanJudge(path, SEED).judge(PAIRINGS, seen.__setitem__)
    assert [one.preference for one in judgements].count(1.0) == 30
    assert {one.cause for one in judgements if one.preference is None} == {"no verdict in filled.csv"}
    assert list(seen.values()) == judgements


def test_the_fingerprint_changes_with_the_verdicts(exported: Path, tmp_path: Path) -> None:
    before = HumanJudge(exported, SEED).fingerprint
    assert HumanJudge(filled_in(tmp_path / "f.csv", answered(exported, "the new one")), SEED).fingerprint != before
