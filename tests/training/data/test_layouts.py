"""The layouts of preference data, read into the same rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.training.data import (
    Message,
    load_pairs,
)
from mplus_eval.training.recipe import PairDataSource


def written(folder: Path, *rows: Any) -> str:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_a_dialogue_is_read_up_to_its_last_answer(tmp_path: Path) -> None:
    history = "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Help\n\nAssistant:"
    rows = load_pairs(
        PairDataSource(source=written(tmp_path, {"chosen": f"{history} Sure", "rejected": f"{history} No"})), 0
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
    (pair,) = load_pairs(PairDataSource(source=written(tmp_path, row)), 0).rows
    assert (pair.prompt, pair.chosen, pair.rejected) == ((Message("user", "Q"),), "good", "bad")
