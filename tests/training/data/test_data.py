"""Reading pairs, demonstrations and prompts in every layout, and what is left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.errors import SpecError
from mplus_eval.training.data import (
    Message,
    Prompt,
    halves,
    load_demonstrations,
    load_pairs,
    load_prompts,
    split_held_out,
    without_evaluated,
)
from mplus_eval.training.recipe import PairSource, PromptSource, Source


def written(folder: Path, *rows: Any) -> str:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def asked(text: str) -> Prompt:
    return Prompt((Message("user", text),))


def test_a_dialogue_is_read_up_to_its_last_answer(tmp_path: Path) -> None:
    history = "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Help\n\nAssistant:"
    rows = load_pairs(
        PairSource(source=written(tmp_path, {"chosen": f"{history} Sure", "rejected": f"{history} No"})), 0
    )
    (pair,) = rows.rows
    assert [(message.role, message.content) for message in pair.prompt] == [
        ("user", "Hi"),
        ("assistant", "Hello"),
        ("user", "Help"),
    ]
    assert (pair.chosen, pair.rejected) == ("Sure", "No")


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Q", "chosen": "good", "rejected": "bad"},
        {"prompt": "Q", "response_0": "bad", "response_1": "good", "safer_response_id": 1, "better_response_id": 0},
        {
            "prompt": "Q",
            "chosen": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "good"}],
            "rejected": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "bad"}],
        },
    ],
)
def test_every_layout_gives_the_same_pair(tmp_path: Path, row: dict[str, Any]) -> None:
    (pair,) = load_pairs(PairSource(source=written(tmp_path, row)), 0).rows
    assert (pair.prompt, pair.chosen, pair.rejected) == ((Message("user", "Q"),), "good", "bad")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": "Q", "chosen": "same", "rejected": "same "}, "line 2: chosen and rejected are equal"),
        ({"prompt": " ", "chosen": "a", "rejected": "b"}, "line 2: an empty prompt"),
        ({"prompt": "Q", "chosen": "", "rejected": "b"}, "line 2: an empty answer"),
        ({"prompt": "Q", "answer": "a"}, "line 2: no chosen and rejected; its columns are prompt, answer"),
    ],
)
def test_a_bad_row_of_ones_own_is_named_and_a_public_datasets_is_counted(
    tmp_path: Path, row: dict[str, Any], reason: str
) -> None:
    source = written(tmp_path, {"prompt": "Q", "chosen": "a", "rejected": "b"}, row)
    with pytest.raises(SpecError, match=reason):
        load_pairs(PairSource(source=source), 0)
    rows = load_pairs(PairSource(source=source, on_bad_row="skip"), 0)
    assert (len(rows.rows), rows.n_malformed) == (1, 1)


def test_a_line_that_is_not_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "Q"}\n{"prompt"\n')
    with pytest.raises(SpecError, match="line 2: not JSON"):
        load_prompts(PromptSource(source=str(path)), 0)


def test_parquet_is_read_as_json_lines_are(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"prompt": ["Q"], "completion": ["A"]}), path)
    (row,) = load_demonstrations(Source(source=str(path)), 0).rows
    assert (row.prompt, row.answer) == ((Message("user", "Q"),), "A")


def test_a_source_that_is_nowhere_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no such file or folder"):
        load_pairs(PairSource(source=str(tmp_path / "none.jsonl")), 0)
    with pytest.raises(SpecError, match="give --data-dir with a folder org/name, or unset HF_HUB_OFFLINE"):
        load_pairs(PairSource(source="org/name"), 0)
    with pytest.raises(SpecError, match="no such demo data; there are demo:pairs"):
        load_pairs(PairSource(source="demo:other"), 0)


def test_evaluated_prompts_are_dropped_whatever_their_case_or_by_thirteen_words() -> None:
    long = "one two three four five six seven eight nine ten eleven twelve thirteen"
    evaluated = [asked("How are you, Ann?"), asked(f"Say: {long}!")]
    prompts = [asked("how are  you ann"), asked("How are you?"), asked(f"{long} again"), asked("one two three")]
    kept, n_removed = without_evaluated(prompts, evaluated)
    assert [prompt.messages[0].content for prompt in kept] == ["How are you?", "one two three"]
    assert n_removed == 2


def test_splits_share_no_first_message_and_lose_no_pair() -> None:
    pairs = load_pairs(PairSource(source="demo:pairs", n=400), 0).rows
    kept, held_out = split_held_out(pairs, 0.25, 0)
    assert len(kept) + len(held_out) == 400
    assert 80 <= len(held_out) <= 100
    assert not {pair.prompt for pair in kept} & {pair.prompt for pair in held_out}
    first, second = halves(kept, 0)
    assert not {pair.prompt for pair in first} & {pair.prompt for pair in second}
    assert split_held_out(pairs, 0.25, 0) == (kept, held_out)


def test_the_real_hh_rlhf_is_read_with_its_malformed_rows_counted(benchmark_data: Path) -> None:
    for subset, n_rows in (("harmless-base", 1800), ("helpful-base", 1800)):
        rows = load_pairs(PairSource(source="Anthropic/hh-rlhf", subset=subset), 0, benchmark_data)
        assert len(rows.rows) + rows.n_malformed == n_rows
        assert 0 < rows.n_malformed < 20
        assert all(pair.prompt[-1].role == "user" and "\n\nHuman:" not in pair.chosen for pair in rows.rows)
