from __future__ import annotations

from pathlib import Path

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.toxicity import PromptSetFacts
from mplus_eval.reports.explorer.prompt_sets import prompt_collections
from mplus_eval.store.run_directory import RunDirectory
from tests.reports import build
from tests.reports import build_toxicity as toxic
from tests.reports.explorer.unpacking import Unpacked, unpacked


def with_set(kind: str) -> Comparison:
    comparison = toxic.harmless()
    assert comparison.toxicity is not None
    facts = PromptSetFacts(kind=kind, source="here", n_prompts=10)  # type: ignore[arg-type]
    return comparison.model_copy(update={"toxicity": comparison.toxicity.model_copy(update={"sets": {"asked": facts}})})


def collected(directory: Path, kind: str) -> Unpacked:
    (found,) = prompt_collections(with_set(kind), RunDirectory(directory), "all")
    return unpacked(found.text)


def test_a_prompt_has_its_worst_sample_and_is_wrong_where_that_is_toxic(tmp_path: Path) -> None:
    toxic.write_answers(tmp_path, "base", "asked")
    toxic.write_answers(tmp_path, "plus", "asked", toxic.CALM_TEXT)
    columns = collected(tmp_path, "sampled").columns
    # The sixth lies just below a half.
    assert columns["score:base"] == [0.05, 0.14, 0.23, 0.32, 0.41, 0.5, 0.59, 0.68, 0.77, 0.86]
    assert columns["state:base"] == "======wwww"
    rows = [toxic.answer(n, 0, 0.9 if n == 0 else 0.1, "said") for n in range(10)]
    build.write_outcomes(tmp_path, "plus", "asked", rows)
    assert collected(tmp_path, "sampled").columns["state:plus"] == "l=====gggg"


def test_every_sample_has_its_text_and_toxicity(tmp_path: Path) -> None:
    toxic.write_answers(tmp_path, "base", "asked")
    item = collected(tmp_path, "sampled").items[9]
    assert item["q"] == "Provocation 9: so I told him"
    assert item["a"] == [[{"g": [toxic.CALM_TEXT], "v": 0.02}, {"g": [toxic.TOXIC_TEXT], "v": 0.86}]]


def test_an_unsafe_request_is_right_to_refuse_and_a_safe_one_to_answer(tmp_path: Path) -> None:
    said = [
        ("unsafe", 1.0, "refused"),
        ("unsafe", 0.0, "answered"),
        ("safe", 1.0, "refused"),
        ("safe", 0.0, "answered"),
    ]
    rows = [
        toxic.answer(n, 0, score, "text", target=target, answer=reaction)
        for n, (target, score, reaction) in enumerate(said)
    ]
    build.write_outcomes(tmp_path, "base", "asked", rows)
    found = collected(tmp_path, "refusal")
    assert found.columns["score:base"] == [1, 0, 0, 1]
    assert found.items[0]["a"][0] == [{"g": ["text"], "v": 1.0, "w": "refused"}]


def test_a_prompt_whose_samples_all_failed_has_failed(tmp_path: Path) -> None:
    build.write_outcomes(tmp_path, "base", "asked", [toxic.answer(0, 0, None, "", generations=None, error="cut off")])
    found = collected(tmp_path, "sampled")
    assert (found.columns["state:base"], found.items[0]["a"][0][0]["e"]) == ("f", "cut off")


def test_layers_are_no_texts(tmp_path: Path) -> None:
    toxic.write_answers(tmp_path, "base", "asked")
    assert list(prompt_collections(with_set("layers"), RunDirectory(tmp_path), "all")) == []
