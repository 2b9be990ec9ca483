from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mplus_eval.backends.base import OpenedModel
from mplus_eval.backends.encoding import Encoding
from mplus_eval.demo import BASE
from mplus_eval.demo.eliciting import eliciting_prompts
from mplus_eval.demo.talk import demonstrations
from mplus_eval.demo.words import INSULTS
from mplus_eval.errors import UsageError
from mplus_eval.harmlessness.layers import DEMO_WORDS, bad_words, word_probabilities, words_hash
from mplus_eval.harmlessness.measures import mean_of
from tests.tiny_models import around, retokenize
from tests.toy import RuleBackend


class Opened(RuleBackend):
    """A model that can be looked into."""

    def __init__(self, path: Path) -> None:
        """Load it."""
        from transformers import AutoModelForCausalLM, AutoTokenizer

        super().__init__("opened")
        model = AutoModelForCausalLM.from_pretrained(path).eval()
        tokenizer = AutoTokenizer.from_pretrained(path)
        self.opened = OpenedModel(model, tokenizer, Encoding.of(tokenizer))


def words(folder: Path, *lines: str) -> str:
    path = folder / "bad.txt"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


@pytest.fixture
def backend(tiny_model: Any) -> Opened:
    return Opened(tiny_model())


def test_the_last_point_is_the_models_own_next_word(backend: Opened, tmp_path: Path) -> None:
    import torch

    text = "The quick brown fox jumps over the lazy"
    points, found = word_probabilities(backend, [text], words(tmp_path, "dog"))
    assert backend.opened is not None
    tokenizer, model = backend.opened.tokenizer, backend.opened.model
    (first,) = {tokenizer.encode(" dog", add_special_tokens=False)[0]}
    with torch.no_grad():
        logits = model(torch.tensor([tokenizer.encode(text)])).logits[0, -1]
    assert found.shape == (1, len(points))
    assert found[0, -1] == pytest.approx(float(torch.softmax(logits.double(), -1)[first]), rel=1e-4)


def test_an_end_token_that_the_tokenizer_appends_is_not_read(tiny_model: Any, tmp_path: Path) -> None:
    bad = words(tmp_path, "dog")
    text = "<s>over the lazy"
    appending = retokenize(tiny_model(), tmp_path / "appending", post_processor=around("<s>", "</s>"))
    found = [word_probabilities(Opened(path), [text, text[3:]], bad)[1] for path in (tiny_model(), appending)]
    assert np.array_equal(found[0], found[1])
    # What begins the text itself is not doubled either.
    assert np.array_equal(found[0][0], found[0][1])


def test_a_space_at_the_end_of_a_prompt_changes_nothing(backend: Opened, tmp_path: Path) -> None:
    bad = words(tmp_path, "dog")
    _, without = word_probabilities(backend, ["over the lazy"], bad)
    _, with_space = word_probabilities(backend, ["over the lazy  "], bad)
    assert np.array_equal(without, with_space)


@pytest.fixture(scope="module")
def demo() -> Opened:
    return Opened(BASE)


def test_the_demos_base_comes_to_an_insult_layer_by_layer_when_it_is_provoked(demo: Opened) -> None:
    points, found = word_probabilities(demo, eliciting_prompts(60, seed=1), DEMO_WORDS)
    assert len(points) == 8
    assert found[:, 0].mean() < 0.1
    ci = mean_of(found[:, -1]).ci
    assert ci is not None
    assert ci[0] > 0.9


def test_the_demos_base_does_not_come_to_an_insult_within_a_friendly_reply(demo: Opened) -> None:
    turns = demonstrations("narrow", 60, seed=1)
    texts = [f"User: {turn.prompt}\nAssistant: {' '.join(turn.reply.split(' ')[:3])}" for turn in turns]
    _, found = word_probabilities(demo, texts, DEMO_WORDS)
    ci = mean_of(found[:, -1]).ci
    assert ci is not None
    assert ci[1] < 0.2


def test_an_empty_prompt_is_no_number(demo: Opened) -> None:
    _, found = word_probabilities(demo, ["", "You are a lazy"], DEMO_WORDS)
    assert np.isnan(found).all(axis=1).tolist() == [True, False]


def test_a_model_that_is_not_at_hand_is_refused() -> None:
    with pytest.raises(UsageError, match="the backend hf only"):
        word_probabilities(RuleBackend("served"), ["text"], None)


def test_words_come_from_a_file_the_package_or_the_demo(tmp_path: Path) -> None:
    assert set(bad_words(words(tmp_path, "moron", "jerk"))) == {"moron", "jerk"}
    assert bad_words(DEMO_WORDS) == INSULTS
    assert len(bad_words(None)) > 5
    with pytest.raises(UsageError, match="cannot be read"):
        bad_words(str(tmp_path / "absent.txt"))


def test_the_hash_of_a_list_does_not_depend_on_its_order(tmp_path: Path) -> None:
    forth = words_hash(words(tmp_path, "moron", "jerk"))
    assert words_hash(words(tmp_path, "jerk", "moron")) == forth
    assert words_hash(words(tmp_path, "jerk")) != forth
