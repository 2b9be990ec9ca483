"""benchmarks/published.py: what its table may hold, what agrees, and that a second run finds the same."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from mplus_eval.errors import SpecError
from tests.conftest import TinyModel

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))  # they are not installed

import published as benchmark
from published_values import Published, read_cards

VALUE = (
    "{name: hellaswag, benchmark: HellaSwag, value: 40.9, shots: 10, tasks: [hellaswag], metric: acc_norm, "
    "split: validation, data: Rowan/hellaswag}"
)


def table(folder: Path, *values: str, model: str = "small") -> Path:
    path = folder / "table.yaml"
    lines = "".join(f"    - {value}\n" for value in values)
    path.write_text(f"{model}:\n  source: its card\n  weights: its own\n  values:\n{lines}")
    return path


def value_of(number: str, tmp_path: Path) -> Published:
    return read_cards(table(tmp_path, VALUE.replace("40.9", number)))["small"].values[0]


def test_the_table_can_be_read_and_says_where_every_value_stands():
    cards = read_cards()
    assert set(cards) == {"gemma3-270m", "smollm2-135m-instruct"}
    assert all("card of" in (value.source or card.source) for card in cards.values() for value in card.values)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("shots: 10", "shot: 10", r"small\.values\.0\.shots is missing"),
        ("shots: 10", "shots: 10, by: me", r"unknown key 'small\.values\.0\.by'"),
        ("value: 40.9", "value: 140.9", r"small\.values\.0\.value .*140\.9.*less than or equal to 100"),
        ("tasks: [hellaswag]", "tasks: []", r"small\.values\.0\.tasks \[\]: tuple should have at least 1 item"),
        ("name: hellaswag", "name: a/b", r"small\.values\.0\.name 'a/b'"),
    ],
)
def test_a_fault_of_the_table_is_one_line_with_its_place(tmp_path: Path, old: str, new: str, line: str):
    path = table(tmp_path, VALUE.replace(old, new))
    with pytest.raises(SpecError, match=line) as caught:
        read_cards(path)
    assert all(fault.startswith(f"table {path}: ") for fault in caught.value.faults)


def test_two_values_of_one_name_are_refused(tmp_path: Path):
    with pytest.raises(SpecError, match="two values have the name 'hellaswag'"):
        read_cards(table(tmp_path, VALUE, VALUE))


@pytest.mark.parametrize(
    ("number", "interval", "agrees"),
    [
        ("40.9", (0.38, 0.43), True),
        ("40.9", (0.38, 0.4086), True),  # 40.86 is published as 40.9
        ("40.9", (0.38, 0.4084), False),
        ("40.9", (0.4094, 0.43), True),
        ("40.9", (0.4096, 0.43), False),
        ("29.0", (0.25, 0.2896), True),  # to a tenth, not to a unit
        ("29.0", (0.25, 0.2890), False),
        ("42.99", (0.40, 0.4298), False),
    ],
)
def test_a_value_agrees_where_the_interval_holds_a_number_that_is_rounded_to_it(
    tmp_path: Path, number: str, interval: tuple[float, float], agrees: bool
):
    assert value_of(number, tmp_path).agrees(interval) is agrees


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str]:
    code = benchmark.main([str(argument) for argument in arguments])
    return code, capsys.readouterr().out


def rows(printout: str) -> list[str]:
    """The rows without the seconds that they took."""
    found = re.findall(r"^(?:hellaswag|arc_easy|piqa) .*$", printout, re.MULTILINE)
    return [re.sub(r" +\d+$", "", row) for row in found]


@pytest.fixture
def small_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of one model, of which no value is measured where it was published."""
    common = "shots: 0, metric: acc, value: 100.0, split: test"
    arc = f"name: arc_easy, benchmark: ARC-e, tasks: [arc_easy], data: allenai/ai2_arc, items: 30, {common}"
    path = table(
        tmp_path,
        f"{{{arc}, differs: its weights are random}}",
        f"{{name: hellaswag, benchmark: HellaSwag, tasks: [hellaswag], data: Rowan/hellaswag, items: 20, {common}}}",
        f"{{name: piqa, benchmark: PIQA, tasks: [piqa], data: baber/piqa, {common}}}",
    )
    cards = read_cards(path)
    monkeypatch.setattr(benchmark, "read_cards", lambda: cards)


@pytest.mark.usefixtures("small_table")
def test_a_value_that_lies_elsewhere_is_a_fault_until_the_table_says_why(
    tiny_model: TinyModel, benchmark_data: Path, capsys: pytest.CaptureFixture[str]
):
    model = f"small={tiny_model()}"

    code, printout = run(capsys, model, "--data", benchmark_data)
    assert code == 1
    assert "0 agree, 1 explained, 1 unexplained, 1 not measured" in printout
    assert "why: its weights are random" in printout
    assert "why: not known" in printout
    assert "30 of 2,376" in printout
    assert "not measured: no baber/piqa in the data" in printout

    code, alone = run(capsys, model, "--data", benchmark_data, "--only", "arc_easy")
    assert code == 0
    assert rows(alone) == rows(printout)[:1]


@pytest.mark.usefixtures("small_table")
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["large=."], "model 'large': nothing published of it is in published_values.yaml; known: small"),
        (["small"], "model 'small': NAME=DIR is accepted"),
        (["small=.", "--only", "hellaswga"], "--only 'hellaswga': did you mean hellaswag?"),
    ],
)
def test_what_is_asked_for_wrongly_is_one_line(
    tmp_path: Path, arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
):
    assert benchmark.main([*arguments, "--data", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(line)
