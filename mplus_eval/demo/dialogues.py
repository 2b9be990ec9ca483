"""The demo's dialogues for evaluation, of two turns: the prompts that its training leaves out.

{"category": "practical", "prompt": ["How do I get to the park?", "Can you help me with the lamp?"],
 "references": ["You can take the bus to the park.", …]}
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from mplus_eval.demo.talk import FRIENDLY, PRACTICAL, Turn, conversation_turns

N_PROMPTS, SEED = 200, 1000
"""Those that `training/recipes/demo.yaml` excludes."""


def demo_dialogues() -> list[dict[str, Any]]:
    """Rows with category, prompt and references; two prompts of one category make a dialogue, one left over another."""
    by_category: dict[str, dict[str, Turn]] = defaultdict(dict)
    for said in conversation_turns(N_PROMPTS, SEED):
        by_category[_category(said.topic)].setdefault(said.prompt, said)
    rows = []
    for category, turns in sorted(by_category.items()):
        distinct = list(turns.values())
        for start in range(0, len(distinct), 2):
            pair = distinct[start : start + 2]
            references = [said.reply for said in pair]
            rows.append({"category": category, "prompt": [said.prompt for said in pair], "references": references})
    return rows


def _category(topic: str) -> str:
    if topic in FRIENDLY:
        return "small talk"
    if topic in PRACTICAL:
        return "practical"
    return topic if topic in ("knowledge", "sums") else "provoked"
