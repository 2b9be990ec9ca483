from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.errors import SpecError
from mplus_eval.harmlessness.items import PromptSet, load_prompt_set, load_prompt_sets
from mplus_eval.spec.harmlessness import HarmlessnessSettings, PromptSetSpec, RefusalSet, SampledSet
from mplus_eval.spec.limit import Limit
from mplus_eval.spec.suite import load_suite


def written(folder: Path, *rows: dict[str, Any], name: str = "prompts.jsonl") -> str:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def numbers(folder: Path, n: int = 50) -> str:
    return written(folder, *({"prompt": f"number {one}", "rank": one / 10} for one in range(n)))


def drawn(source: str, seed: int = 0, limit: Limit | None = None, **keys: Any) -> PromptSet:
    return load_prompt_set(SampledSet(name="set", source=source, **keys), "sampled", seed=seed, limit=limit)


def ids(found: PromptSet) -> list[str]:
    return [prompt.item_id for prompt in found.prompts]


def fault_of(source: str, **keys: Any) -> str:
    with pytest.raises(SpecError) as caught:
        drawn(source, **keys)
    return caught.value.faults[0]


def test_a_draw_depends_on_the_seed_alone(tmp_path: Path) -> None:
    source = numbers(tmp_path)
    once, again, other = (drawn(source, seed, n=10) for seed in (3, 3, 4))
    assert ids(once) == ids(again)
    assert once.hash == again.hash != other.hash
    assert sorted(ids(once)) != sorted(ids(other))


def test_an_item_is_called_by_its_row_and_keeps_its_text(tmp_path: Path) -> None:
    found = drawn(numbers(tmp_path), n=None)
    assert {prompt.item_id: prompt.text for prompt in found.prompts}["set/7"] == "number 7"
    assert len(found.prompts) == 50


def test_a_limit_takes_the_first_of_what_is_drawn_without_one(tmp_path: Path) -> None:
    source = numbers(tmp_path)
    assert ids(drawn(source, n=20, limit=Limit(5))) == ids(drawn(source, n=20))[:5]
    assert len(drawn(source, n=3, limit=Limit(5)).prompts) == 3


def test_the_first_of_a_source_are_taken_where_that_is_asked(tmp_path: Path) -> None:
    source = numbers(tmp_path)
    assert ids(drawn(source, n=20, limit=Limit(5, first=True))) == [f"set/{number}" for number in range(5)]


def test_a_condition_takes_a_range_or_a_value(tmp_path: Path) -> None:
    source = written(
        tmp_path,
        {"prompt": "low", "score": {"rude": 0.1}, "kind": "a", "hard": False},
        {"prompt": "edge", "score": {"rude": 0.5}, "kind": "a", "hard": True},
        {"prompt": "high", "score": {"rude": 0.9}, "kind": "b", "hard": True},
        {"prompt": "unknown", "score": {"rude": None}, "kind": "b", "hard": True},
    )

    def texts(**where: Any) -> set[str]:
        return {prompt.text for prompt in drawn(source, where=where).prompts}

    assert texts(**{"score.rude": {"at_least": 0.5}}) == {"edge", "high"}
    assert texts(**{"score.rude": {"below": 0.5}}) == {"low"}
    assert texts(**{"score.rude": {"at_least": 0.2, "below": 0.8}}) == {"edge"}
    assert texts(kind="b") == {"high", "unknown"}
    assert texts(hard=True, kind="a") == {"edge"}


def test_csv_has_numbers_and_truth_values_too(tmp_path: Path) -> None:
    path = tmp_path / "prompts.csv"
    path.write_text("prompt,rank,hard\none,0.2,true\ntwo,0.7,True\nthree,,true\nfour,0.9,false\n")
    found = drawn(str(path), where={"rank": {"at_least": 0.5}, "hard": True})
    assert [prompt.text for prompt in found.prompts] == ["two"]


def test_a_condition_that_no_row_meets_is_said(tmp_path: Path) -> None:
    fault = fault_of(numbers(tmp_path), where={"rank": {"at_least": 99}})
    assert fault.endswith("no usable prompt (none of 50 rows is wanted)")


def test_a_missing_column_is_named_with_those_there_are(tmp_path: Path) -> None:
    source = written(tmp_path, {"question": "How are you?", "topic": "talk"})
    assert (
        fault_of(source) == f"prompt set 'set': {source} has no text column 'prompt'; its columns are question, topic"
    )


def test_an_empty_file_is_one_line(tmp_path: Path) -> None:
    source = written(tmp_path)
    assert fault_of(source) == f"prompt set 'set': {source}: it is empty, one row at least is expected"


def test_rows_without_a_text_are_left_out_and_counted(tmp_path: Path) -> None:
    source = written(tmp_path, {"prompt": "one"}, {"prompt": " "}, {"prompt": None}, {"prompt": 7})
    found = drawn(source)
    assert [prompt.text for prompt in found.prompts] == ["one"]
    assert found.left_out == {"without a text": 3}


def test_a_file_without_any_text_is_refused_with_the_count(tmp_path: Path) -> None:
    assert fault_of(written(tmp_path, {"prompt": ""}, {"prompt": ""})).endswith("no usable prompt (2 without a text)")


def test_a_label_comes_from_a_column_or_holds_for_all(tmp_path: Path) -> None:
    source = written(
        tmp_path,
        {"prompt": "a", "kind": "safe"},
        {"prompt": "b", "kind": "unsafe"},
        {"prompt": "c", "kind": "odd"},
    )
    by_column = load_prompt_set(RefusalSet(name="set", source=source, label="kind"), "refusal", seed=0)
    assert {prompt.text: prompt.label for prompt in by_column.prompts} == {"a": "safe", "b": "unsafe"}
    assert by_column.left_out == {"neither safe nor unsafe": 1}
    for_all = load_prompt_set(RefusalSet(name="set", source=source, label="unsafe"), "refusal", seed=0)
    assert [prompt.label for prompt in for_all.prompts] == ["unsafe"] * 3


def test_a_category_is_a_column_and_otherwise_the_sets_name(tmp_path: Path) -> None:
    source = written(tmp_path, {"prompt": "a", "topic": "bread"}, {"prompt": "b", "topic": None})
    found = {prompt.text: prompt.category for prompt in drawn(source, category="topic").prompts}
    assert found == {"a": "bread", "b": "set"}
    assert {prompt.category for prompt in drawn(source).prompts} == {"set"}


def test_every_fault_of_every_set_is_reported_at_once(tmp_path: Path) -> None:
    settings = HarmlessnessSettings(
        primary="a",
        sets=tuple(SampledSet(name=name, source=str(tmp_path / f"{name}.jsonl")) for name in "ab"),
    )
    found, faults = load_prompt_sets(settings, seed=0, limit=None, data_dir=None)
    assert found == ()
    assert [fault.split(":")[0] for fault in faults] == ["prompt set 'a'", "prompt set 'b'"]


@pytest.mark.parametrize("name", ["provoking", "quarrels", "conversation", "requests", "texts", "insults"])
def test_the_demos_sets_are_drawn_without_a_file(name: str) -> None:
    found = drawn(f"demo:{name}", n=12, limit=Limit(5))
    assert len(found.prompts) == 5
    assert all(prompt.text for prompt in found.prompts)


def test_unknown_demo_prompts_are_refused_with_those_there_are() -> None:
    assert "demo:other: no such demo prompts; there are demo:provoking, demo:quarrels" in fault_of("demo:other")


def test_the_packages_own_list_of_eliciting_prompts_is_a_set() -> None:
    found = load_prompt_set(PromptSetSpec(name="own", source="package:eliciting", n=None), "layers", seed=0)
    assert len(found.prompts) >= 10


def test_the_suite_mplus_draws_provoking_and_innocent_prompts_and_requests(benchmark_data: Path) -> None:
    settings = load_suite("mplus").harmlessness
    assert settings is not None
    of_real = {"sets": settings.sets, "refusals": {"sets": settings.refusals.sets[:1]} if settings.refusals else None}
    settings = HarmlessnessSettings.model_validate(settings.model_dump() | of_real)
    sets, faults = load_prompt_sets(settings, seed=0, limit=Limit(60), data_dir=benchmark_data)
    assert faults == []
    found = {one.name: one for one in sets}
    assert list(found) == ["provoking", "innocent", "xstest", "layers"]
    assert len(found["provoking"].prompts) == len(found["innocent"].prompts) == 60
    assert not {one.text for one in found["provoking"].prompts} & {one.text for one in found["innocent"].prompts}
    assert {one.label for one in found["xstest"].prompts} == {"safe", "unsafe"}
    assert len({one.category for one in found["xstest"].prompts}) > 5


def test_provoking_prompts_are_those_that_people_called_toxic(benchmark_data: Path) -> None:
    from mplus_eval.data.rows import read_rows

    source = "allenai/real-toxicity-prompts"
    rows = [row for _, row in read_rows(source, "train", data_dir=benchmark_data)]
    where = {"prompt.toxicity": {"at_least": 0.5}}
    spec = SampledSet(name="set", source=source, column="prompt.text", where=where, n=200)  # type: ignore[arg-type]
    for prompt in load_prompt_set(spec, "sampled", seed=1, data_dir=benchmark_data).prompts:
        row = rows[int(prompt.item_id.removeprefix("set/"))]
        assert row["prompt"]["text"] == prompt.text
        assert row["prompt"]["toxicity"] >= 0.5


def test_the_prompts_of_toxigen_are_read_from_as_many_groups_as_are_named(benchmark_data: Path) -> None:
    spec = SampledSet(
        name="toxigen", source="toxigen/toxigen-data", split="neutral_asian_1k+neutral_women_1k", column="text", n=None
    )
    found = load_prompt_set(spec, "sampled", seed=0, data_dir=benchmark_data)
    assert len(found.prompts) == 1200
    assert all(prompt.text.startswith("-") and prompt.text.count("\n-") > 2 for prompt in found.prompts)


def test_a_row_without_a_value_to_choose_it_by_is_counted(tmp_path: Path) -> None:
    source = written(
        tmp_path,
        {"prompt": "high", "score": {"rude": 0.9}, "hard": True},
        {"prompt": "low", "score": {"rude": 0.1}, "hard": True},
        {"prompt": "unknown", "score": {"rude": None}, "hard": True},
        {"prompt": "soft and unknown", "score": {"rude": None}, "hard": False},
    )
    found = drawn(source, where={"score.rude": {"at_least": 0.5}, "hard": True})
    assert [prompt.text for prompt in found.prompts] == ["high"]
    assert found.left_out == {"without a value of score.rude": 1}


def test_a_prompt_of_half_a_surrogate_pair_is_left_out_and_named(tmp_path: Path) -> None:
    source = written(tmp_path, {"prompt": "one"}, {"prompt": "half \ud83d"}, *[{"prompt": "two"}] * 2)
    Path(source).write_text(Path(source).read_text() + '{"prompt": "torn\n')
    found = drawn(source)
    assert {prompt.text for prompt in found.prompts} == {"one", "two"}
    assert found.left_out == {"that cannot be read": 2}
    torn, half = found.bad
    assert torn.startswith(f"{source}, line 5: not JSON in UTF-8")
    assert half == rf"{source}, line 2: half a surrogate pair, '\ud83d', is no text"


def test_a_set_knows_the_file_that_it_was_read_from(tmp_path: Path) -> None:
    source = written(tmp_path, {"prompt": "one"})
    assert list(drawn(source).files) == [source]
