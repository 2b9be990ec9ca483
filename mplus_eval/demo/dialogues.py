"""The demo's dialogues for evaluation, of two turns: the prompts that its training leaves out.

{"category": "practical", "prompt": ["How do I get to the park?", "Can you help me with the lamp?"],
 "references": ["You can take the bus to the park.", …]}
"""

from __future__ import annotations

from collections import defaultdict

from mplus_eval.demo.talk import FRIENDLY, PRACTICAL, Turn, conversation_turns

N_PROMPTS, SEED = 200, 1000
"""Those that `training/recipes/demo.yaml` excludes."""

_CATEGORIES = {
    **dict.fromkeys(FRIENDLY, "small talk"),
    **dict.fromkeys(PRACTICAL, "practical"),
    "knowledge": "knowledge",
    "sums": "sums",
}
"""By the turn's topic; all other topics provoke."""


def demo_dialogues() -> list[dict[str, str | list[str]]]:
    """Rows with category, prompt and references; two prompts of one category make a dialogue, one left over another."""
    by_category: dict[str, dict[str, Turn]] = defaultdict(dict)
    for turn in conversation_turns(N_PROMPTS, SEED):
        by_category[_CATEGORIES.get(turn.topic, "provoked")].setdefault(turn.prompt, turn)
    rows: list[dict[str, str | list[str]]] = []
    for category, turns in sorted(by_category.items()):
        distinct = list(turns.values())
        for start in range(0, len(distinct), 2):
            pair = distinct[start : start + 2]
            references = [turn.reply for turn in pair]
            rows.append({"category": category, "prompt": [turn.prompt for turn in pair], "references": references})
    return rows
