"""What every part of the world makes: questions with their answers, and the line between text and evaluation."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zlib import crc32

_ONE_IN = 6


@dataclass(frozen=True)
class Question:
    """A prompt, what rightly follows it after a space, and wrong answers of the same kind."""

    prompt: str
    answer: str
    distractors: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Prompt and answer as they stand in running text."""
        return f"{self.prompt} {self.answer}"


def ask(question: str, answer: str, distractors: Sequence[str] = ()) -> Question:
    """A question in the form `Question: …`, `Answer: …`."""
    return Question(f"Question: {question}\nAnswer:", answer, tuple(distractors))


def others(rng: random.Random, answer: str, pool: Sequence[str], n: int = 3) -> tuple[str, ...]:
    """Draw `n` wrong answers from a pool."""
    return tuple(rng.sample([word for word in dict.fromkeys(pool) if word != answer], n))


def is_held_out(text: str) -> bool:
    """Tell whether a generated text is kept for evaluation; the pre-training text has only the others.

    The line is drawn by a checksum, so both sides hold it without knowing each other.
    """
    return crc32(text.encode()) % _ONE_IN == 0


def draw(make: Callable[[random.Random], Question], rng: random.Random, *, held_out: bool = False) -> Question:
    """Make questions until one lies on the wanted side of the line."""
    while True:
        question = make(rng)
        if is_held_out(question.prompt) == held_out:
            return question
