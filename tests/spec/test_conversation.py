from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from mplus_eval.spec.conversation import ConversationSettings


def test_answers_are_greedy_and_graded_unless_a_suite_says_otherwise() -> None:
    settings = ConversationSettings(dialogues="demo")
    assert (settings.name, settings.temperature, settings.top_p, settings.grades) == ("dialogues", 0.0, 1.0, True)
    assert (settings.max_new_tokens, settings.margin, settings.judges) == (512, 0.02, ())


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "a/b"}, "string_pattern_mismatch"),
        ({"margin": 0.5}, "less than 0.5"),
        ({"temperature": -0.1}, "greater than or equal to 0"),
        ({"top_p": 0.0}, "greater than 0"),
        ({"max_new_tokens": True}, "a number is expected"),
        ({"judges": ["a", "b", "c"]}, "at most 2 items"),
        ({"dialogue": "demo"}, "extra_forbidden"),
    ],
)
def test_wrong_settings_say_what_is_wrong(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ConversationSettings.model_validate({"dialogues": "demo", **fields})
