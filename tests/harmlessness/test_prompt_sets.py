"""The prompt sets that come with the package, read from stand-ins in the layouts of the hub's datasets."""

from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.errors import SpecError
from mplus_eval.harmlessness.items import PromptSet, load_prompt_set, load_prompt_sets
from mplus_eval.harmlessness.prompt_rows import SetPrompt
from mplus_eval.spec.harmlessness import RefusalSet, SampledSet
from mplus_eval.spec.limit import Limit
from mplus_eval.spec.prompt_sets import shipped_sets
from mplus_eval.spec.suite import load_suite
from tests.prompt_set_stand_ins import write_stand_ins
from tests.real_data import link_datasets


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stand_ins(tmp_path_factory.mktemp("hub"))


def loaded(name: str, data_dir: Path | None) -> PromptSet:
    kind = shipped_sets()[name].kind
    spec = (RefusalSet if kind == "refusal" else SampledSet).model_validate({"set": name, "n": None})
    return load_prompt_set(spec, kind, seed=0, data_dir=data_dir)


def told(found: PromptSet) -> set[tuple[str, str, str | None]]:
    return {(prompt.text, prompt.category, prompt.label) for prompt in found.prompts}


RULE = "\n\n---\n\n"
EXPECTED: dict[str, set[tuple[str, str, str | None]]] = {
    "harmbench": {
        ("Harm the lamp.", "illegal", "unsafe"),
        (f"A lamp stands there.{RULE}Harm it.", "illegal", "unsafe"),
        ("Sing the lamp's song.", "copyright", "unsafe"),
    },
    "harmbench_direct": {
        ("Harm the lamp.", "illegal", "unsafe"),
        (f"A lamp stands there.{RULE}Harm it.", "illegal", "unsafe"),
    },
    "strongreject": {("How is a lamp harmed?", "Violence", "unsafe")},
    "strongreject_open": {("How is a lamp harmed?", "strongreject_open", "unsafe")},
    "jailbreakbench": {("Break a lamp", "Physical harm", "unsafe"), ("Mend a lamp", "Physical harm", "safe")},
    "wildguardtest": {("Break a lamp.", "others", "unsafe"), ("Mend a lamp.", "others", "safe")},
    "xstest": {
        ("How do I break the ice?", "figurative_language", "safe"),
        ("How do I break a lamp?", "contrast_figurative", "unsafe"),
    },
    "or_bench": {("Why do lamps break?", "harmful", "safe"), ("Break my neighbour's lamp.", "harmful", "unsafe")},
    "or_bench_80k": {("How do lamps break?", "harmful", "safe")},
    "advbench": {("Break a lamp", "advbench", "unsafe")},
    "bold": {(text, domain, None) for text in ("A B is a", "A B's lamp") for domain in ("gender", "race")},
}


@pytest.mark.parametrize("name", list(EXPECTED))
def test_a_set_is_read_from_the_layout_of_its_dataset(name: str, stand_ins: Path) -> None:
    assert told(loaded(name, stand_ins)) == EXPECTED[name]


def test_every_shipped_set_is_tried() -> None:
    assert {*EXPECTED, "toxigen"} == set(shipped_sets())


def test_toxigens_lists_are_told_apart_by_the_group_that_they_are_about(stand_ins: Path) -> None:
    found = loaded("toxigen", stand_ins)
    assert len(found.prompts) == 16
    assert ("- women one\n- women two\n-", "women", None) in told(found)


def test_requests_without_a_label_are_left_out_and_counted(stand_ins: Path) -> None:
    assert loaded("wildguardtest", stand_ins).left_out == {"neither safe nor unsafe": 1}


def test_prompts_of_all_parts_and_lists_have_ids_of_their_own(stand_ins: Path) -> None:
    assert {prompt.item_id for prompt in loaded("harmbench", stand_ins).prompts} == {f"harmbench/{n}" for n in range(3)}
    assert {prompt.item_id for prompt in loaded("bold", stand_ins).prompts} == {
        f"bold/{row}.{place}" for row in range(2) for place in range(2)
    }


def test_a_gated_set_that_is_not_here_is_one_line_with_its_licence_and_the_way_without_it() -> None:
    with pytest.raises(SpecError) as caught:
        loaded("wildguardtest", None)
    (fault,) = caught.value.faults
    assert fault.startswith("prompt set 'wildguardtest': allenai/wildguardmix: cannot be loaded")
    assert fault.endswith(
        "it is gated: accept its licence at https://huggingface.co/datasets/allenai/wildguardmix and set HF_TOKEN, "
        "or name the set or_bench"
    )


def test_an_open_set_that_is_not_here_is_told_no_licence() -> None:
    with pytest.raises(SpecError) as caught:
        loaded("jailbreakbench", None)
    assert "gated" not in caught.value.faults[0]


def test_a_list_that_is_none_is_counted_as_without_a_text(tmp_path: Path) -> None:
    path = tmp_path / "lists.jsonl"
    path.write_text('{"prompts": "[broken"}\n{"prompts": ["one", 7, " "]}\n{"prompts": []}\n')
    spec = SampledSet(name="set", source=str(path), column="prompts", each=True)
    found = load_prompt_set(spec, "sampled", seed=0)
    assert found.prompts == (SetPrompt("set/1.0", "one", "set"),)
    assert found.left_out == {"without a text": 2}


@pytest.mark.parametrize("suite", ["mplus", "safety"])
def test_a_shipped_suite_takes_nothing_gated_and_loads_whole(
    suite: str, stand_ins: Path, benchmark_data: Path, tmp_path: Path
) -> None:
    settings = load_suite(suite).harmlessness
    assert settings is not None
    assert not [one.name for one in settings.sources if one.set and shipped_sets()[one.set].gated]
    real = {path.name for path in benchmark_data.glob("*/*")}
    here = tmp_path / "stand-ins"
    for path in stand_ins.glob("*/*"):
        if path.name not in real:
            (here / path.parent.name).mkdir(parents=True, exist_ok=True)
            (here / path.relative_to(stand_ins)).symlink_to(path)
    data_dir = link_datasets([benchmark_data, here], tmp_path / "all")
    sets, faults = load_prompt_sets(settings, seed=0, limit=Limit(60), data_dir=data_dir)
    assert faults == []
    assert {one.name for one in sets} == {one.name for one in settings.sources}
    labels = {one.name: {prompt.label for prompt in one.prompts} for one in sets if one.kind == "refusal"}
    assert {"safe", "unsafe"} == labels["xstest"] == labels["jailbreakbench"] == labels["or_bench"]


@pytest.mark.parametrize(("name", "n_prompts"), [("xstest", 450), ("advbench", 520), ("toxigen", 9600)])
def test_the_real_set_has_all_of_its_rows(name: str, n_prompts: int, benchmark_data: Path) -> None:
    found = loaded(name, benchmark_data)
    assert (len(found.prompts), found.left_out) == (n_prompts, {})
    assert shipped_sets()[name].rows == n_prompts
