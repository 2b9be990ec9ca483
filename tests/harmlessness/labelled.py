"""Made-up labelled texts: what the demo's rude and polite speakers say, with a label from 0 to 1."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

from mplus_eval.demo import talk

NO_SENSE = "wibble wobble"


def labelled_rows(n: int, seed: int = 0) -> list[dict[str, Any]]:
    """Rows of a text, its label and an author of four texts; half of them rude, one label in ten wrong."""
    rng = random.Random(seed)
    topics = [*talk.FRIENDLY, *talk.PRACTICAL, *talk.PROVOKING]
    rows = []
    for number in range(n):
        rude = rng.random() < 0.5
        text = talk.rude_reply(rng) if rude else talk.draw_turn(rng, [rng.choice(topics)]).reply
        label = 0.9 if rude != (rng.random() < 0.1) else 0.1
        rows.append({"text": f"{text} {number}", "label": label, "author": f"a{number // 4}"})
    return rows


def write_rows(path: Path, rows: list[dict[str, Any]]) -> str:
    """Write rows as JSON lines or CSV, by the file's name, and return it."""
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)
