from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from mplus_eval.errors import UsageError
from mplus_eval.fingerprint import weights_hash
from mplus_eval.sources import DEMO_MODELS
from mplus_eval.training.demo import fine_tune, models
from mplus_eval.training.demo.talk import CHAT_TEMPLATE

TINY = models.SftRecipe("narrow", n_demonstrations=24, n_epochs=1, batch_size=8)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and small recipes so that training takes a moment."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(models, "RECIPES", {"sft": TINY, "instruct": dataclasses.replace(TINY, breadth="broad")})
    return tmp_path / "mplus-eval" / "demo"


def test_every_demo_model_that_a_spec_may_name_exists() -> None:
    assert set(DEMO_MODELS) == {"base", *models.RECIPES}


def test_the_base_is_the_packaged_directory() -> None:
    assert models.demo_model("base") == models.BASE
    assert (models.BASE / "model.safetensors").is_file()


def test_an_unknown_name_is_refused_with_those_that_exist() -> None:
    with pytest.raises(UsageError, match="no demo model 'plus'; there are base, instruct, sft"):
        models.demo_model("plus")


def test_a_model_is_trained_once_quietly_and_step_by_step(cache: Path, capfd: pytest.CaptureFixture[str]) -> None:
    steps: list[tuple[str, int, int]] = []
    directory = models.demo_model("sft", lambda *step: steps.append(step))
    assert steps == [("training sft", number, 3) for number in (1, 2, 3)]
    assert models.demo_model("sft", lambda *step: steps.append(step)) == directory
    assert len(steps) == 3
    assert tuple(capfd.readouterr()) == ("", "")
    assert [path.name for path in cache.iterdir()] == [directory.name]


def test_a_trained_model_has_changed_weights_and_the_chat_template(cache: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    directory = models.demo_model("instruct")
    tokenizer = AutoTokenizer.from_pretrained(directory)
    assert tokenizer.chat_template == CHAT_TEMPLATE
    messages = [{"role": "user", "content": "Hello."}]
    asked = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert asked == "<s>User: Hello.\nAssistant:"
    assert str(AutoModelForCausalLM.from_pretrained(directory, dtype="auto").dtype) == "torch.float32"
    assert weights_hash(directory) != weights_hash(models.BASE)


def test_an_interrupted_training_leaves_nothing_behind(cache: Path) -> None:
    def stop(what: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        models.demo_model("sft", stop)
    assert list(cache.iterdir()) == []


def test_another_process_that_was_faster_is_not_disturbed(cache: Path) -> None:
    directory = cache / f"sft-{models.recipe_hash(TINY)[:16]}"

    def other_process(what: str, done: int, total: int) -> None:
        directory.mkdir(exist_ok=True)
        (directory / "config.json").write_text("{}")

    assert models.demo_model("sft", other_process) == directory
    assert [path.name for path in directory.iterdir()] == ["config.json"]


def test_training_twice_gives_the_same_weights(tmp_path: Path) -> None:
    for name in ("one", "two"):
        fine_tune.fine_tune(models.BASE, TINY, tmp_path / name, lambda done, total: None)
    one, two = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"learning_rate": 1e-4}, {"n_demonstrations": 25}, {"breadth": "broad"}, {"n_epochs": 2}]
)
def test_every_part_of_a_recipe_changes_its_hash(change) -> None:
    assert models.recipe_hash(dataclasses.replace(TINY, **change)) != models.recipe_hash(TINY)


def test_the_base_and_the_libraries_are_part_of_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    before = models.recipe_hash(TINY)
    monkeypatch.setattr(models, "version", lambda library: "0")
    assert models.recipe_hash(TINY) != before
    monkeypatch.undo()
    monkeypatch.setattr(models, "weights_hash", lambda directory: "other")
    assert models.recipe_hash(TINY) != before


def test_the_base_weighs_at_most_2_500_000_bytes_and_says_float32() -> None:
    assert (models.BASE / "model.safetensors").stat().st_size <= 2_500_000
    assert json.loads((models.BASE / "config.json").read_text())["dtype"] == "float32"
