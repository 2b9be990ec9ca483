from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.demo import MODELS
from mplus_eval.errors import SpecError
from mplus_eval.spec.draft import draft_spec
from mplus_eval.spec.limit import Limit
from tests.specs import build_spec


def faults(*models: str, config: str | None = None, **options: Any) -> tuple[str, ...]:
    with pytest.raises(SpecError) as caught:
        build_spec(models, config, options)
    return caught.value.faults


def write(folder: Path, text: str) -> str:
    path = folder / "compare.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_noise_floor_is_asked_for_in_the_file_or_by_an_option_which_wins(tmp_path: Path) -> None:
    config = write(tmp_path, "models: {base: ./base}\nnoise_floor: true\n")

    assert build_spec([], config).noise_floor
    assert not build_spec([], config, {"noise_floor": False}).noise_floor
    assert not build_spec(["base=./base"]).noise_floor
    assert build_spec(["base=./base"], options={"noise_floor": True}).noise_floor


@pytest.mark.parametrize(
    ("model", "options", "who"),
    [
        ("base=http://localhost:1/v1", {}, "a model server"),
        ("base=./base,base_url=http://localhost:1/v1", {}, "a model server"),
        ("base=./base,backend=vllm", {}, "vllm"),
        ("base=./base", {"backend": "vllm"}, "vllm"),
    ],
)
def test_a_noise_floor_needs_a_baseline_whose_batches_are_composed_here(
    model: str, options: dict[str, Any], who: str
) -> None:
    said = f"--noise-floor: {who} composes the batches of baseline 'base' by itself; "

    assert faults(model, noise_floor=True, **options) == (f"{said}a baseline with the backend hf is accepted",)


def test_another_model_than_the_baseline_may_be_a_servers(tmp_path: Path) -> None:
    assert build_spec(["base=./base", "plus=http://localhost:1/v1"], options={"noise_floor": True}).noise_floor


def test_a_noise_floor_is_true_or_false() -> None:
    assert faults("base=./base", noise_floor="maybe") == ("--noise-floor 'maybe': true or false",)


def test_defaults_are_the_suite_mplus_and_the_first_model_of_role_base() -> None:
    spec = build_spec(["plus=./a", "old=./b,role=base"])
    assert (spec.suite, spec.baseline, spec.backend, spec.seed, spec.limit) == ("mplus", "old", "hf", 0, None)
    assert spec.output == Path(f"runs/{date.today().isoformat()}-plus-old")


def test_without_a_role_base_the_first_model_is_the_baseline() -> None:
    assert build_spec(["one=./a", "two=./b"]).baseline == "one"


def test_a_name_that_is_a_role_gives_the_role() -> None:
    models = build_spec(["base=./a", "mine=./b", "other=./c,role=sft"]).models
    assert [model.model_role for model in models] == ["base", "model", "sft"]


def test_no_model_at_all_means_the_demo() -> None:
    spec = build_spec()
    sources = [model.source for model in spec.models]
    assert sources == [f"demo:{name}" for name in ("base", "sft", "chosen", "plus", "forgetful")]
    assert {source.removeprefix("demo:") for source in sources} <= set(MODELS)
    assert spec.suite == "mini"


def test_the_papers_line_up_ships_with_the_package() -> None:
    spec = build_spec(config="mistral-plus")
    assert [model.source for model in spec.models] == [
        "mistralai/Mistral-7B-v0.1",
        "mistralai/Mistral-7B-Instruct-v0.1",
        "zhengchenphd/Mistral-Plus-7B",
        "meta-llama/Llama-2-7b-hf",
        "meta-llama/Llama-2-7b-chat-hf",
    ]


def test_an_option_on_the_command_line_replaces_the_files(tmp_path: Path) -> None:
    config = write(tmp_path, "models: {base: ./a, plus: ./b}\nlimit: 5\nseed: 1\n")
    spec = build_spec(["plus=./c,dtype=float32", "new=./d"], config, {"limit": 7, "seed": None})
    assert (spec.limit, spec.seed) == (Limit(7), 1)
    assert [(model.name, model.source, model.dtype) for model in spec.models] == [
        ("base", "./a", "auto"),
        ("plus", "./c", "float32"),
        ("new", "./d", "auto"),
    ]


def test_models_may_be_given_by_name_from_python() -> None:
    spec = build_spec({"base": "./a", "plus": {"source": "./b", "role": "plus"}, "third": Path("c")})
    assert [(model.name, model.source) for model in spec.models] == [("base", "./a"), ("plus", "./b"), ("third", "c")]


def test_tasks_are_separated_by_commas() -> None:
    assert build_spec(["a=./a"], options={"tasks": "gsm8k, mmlu,"}).tasks == ("gsm8k", "mmlu")


def test_the_home_directory_is_put_for_a_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/user")
    spec = build_spec(["a=~/model,tokenizer=~/tok,adapter=~/ad"], options={"data_dir": "~/data", "output": "~/run"})
    model = spec.models[0]
    assert (model.source, model.tokenizer, model.adapter) == ("/home/user/model", "/home/user/tok", "/home/user/ad")
    assert (spec.data_dir, spec.output) == (Path("/home/user/data"), Path("/home/user/run"))


def test_every_fault_is_reported_at_once() -> None:
    lines = faults(
        "bad name=./a",
        "x=./b",
        "x=./c,dtype=int3",
        "y=./d,rolle=plus",
        "typo",
        limit=0,
        baseline="none",
        backend="tf",
    )
    assert len(lines) == 8
    for part in (
        "model name 'bad name' cannot be a path",
        "model name 'x' is used twice",
        "model 'y': unknown key 'rolle'; did you mean role?",
        "model 'x': dtype 'int3': ",
        "model 'typo': write NAME=SOURCE",
        "--limit 0: a whole number above 0, or first:N for the first N",
        "baseline 'none' is not among the models: bad name, x, y",
        "--backend 'tf': ",
    ):
        assert any(part in line for line in lines), (part, lines)
    assert all("\n" not in line for line in lines)


def test_a_draft_holds_what_is_right_beside_the_faults() -> None:
    spec, lines = draft_spec(["good=./a", "bad=./b,dtype=int3"], options={"limit": -1, "suite": "mini"})
    assert [model.name for model in spec.models] == ["good"]
    assert (spec.limit, spec.suite) == (None, "mini")
    assert len(lines) == 2


@pytest.mark.parametrize(
    ("models", "options", "line"),
    [
        (["a=./a"], {"limit": 0}, "--limit 0: a whole number above 0, or first:N for the first N"),
        (["a=./a"], {"limit": True}, "--limit True: a whole number above 0, or first:N for the first N"),
        (["a=./a"], {"seed": -1}, "--seed -1: a whole number, 0 or above"),
        (["a=./a"], {"tasks": ","}, "--tasks is empty: name at least one task"),
        (["a=./a"], {"baseline": "b"}, "baseline 'b' is not among the models: a"),
        (["a=./a,batch_size=0"], {}, "model 'a': batch_size '0': a whole number above 0, or auto"),
        (["a=./a,batch_size=true"], {}, "model 'a': batch_size True: a whole number above 0, or auto"),
        (["a=./a", "a=./b"], {}, "model name 'a' is used twice; every model needs a name of its own"),
        (
            ["a=./a,quantization=2bit"],
            {},
            "model 'a': quantization '2bit': input should be '4bit', '8bit', 'awq', 'gptq', 'fp8' or 'bitsandbytes'",
        ),
        (["a=./a,tensor_parallel_size=0"], {}, "model 'a': tensor_parallel_size '0': input should be greater than 0"),
        (
            ["a=./a,gpu_memory_utilization=1.5"],
            {},
            "model 'a': gpu_memory_utilization '1.5': input should be less than or equal to 1",
        ),
        (
            ["a=./a,engine=fast"],
            {},
            "model 'a': engine 'fast': in a file, arguments of vLLM's engine by name, as {kv_cache_dtype: fp8}",
        ),
        (
            ["a=./a,chat_template=none.jinja"],
            {},
            "model 'a': chat_template 'none.jinja' is neither true, false nor a file",
        ),
    ],
)
def test_a_fault_names_the_value_and_what_is_accepted(models: list[str], options: dict[str, Any], line: str) -> None:
    assert faults(*models, **options) == (line,)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-a", "ä", "a b", "a" * 101])
def test_a_name_that_cannot_be_a_path_is_refused(name: str) -> None:
    assert any("cannot be a path" in line for line in faults(f"{name}=./a"))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("models: [", "config {path}, line 1: expected the node content"),
        ("models: [a, b]", "config: `models` is a mapping of NAME: SOURCE"),
        ("models: {no: ./a}", "config: model name False is not text; put it in quotes"),
        ("models: {a: 3}", "config: model 'a' needs a source"),
        ("models: {a: {role: base}}", "config: model 'a' needs a source"),
        ("models: {a: ./a}\nlimt: 3", "config {path}: unknown option 'limt'; did you mean limit?"),
        ("modls: {a: ./a}", "config {path}: unknown option 'modls'; did you mean models?"),
        ("models: {a: ./a}\ntasks: []", "--tasks is empty: name at least one task"),
        ("models: {a: ./a}\nbaseline: [a]", "--baseline ['a']: input should be a valid string"),
        ("suite: mini", "no model is named: give NAME=SOURCE"),
    ],
)
def test_a_faulty_file_is_one_clear_line(tmp_path: Path, text: str, line: str) -> None:
    path = write(tmp_path, text)
    (found,) = faults(config=path)
    assert found.startswith(line.format(path=path))


def test_a_missing_file_names_the_shipped_ones() -> None:
    expected = "config 'nothing.yaml': no such file, and no shipped configuration of that name (demo, mistral-plus)"
    assert faults(config="nothing.yaml") == (expected,)


def test_a_budget_takes_the_place_of_a_files_limit_and_the_other_way_round(tmp_path: Path) -> None:
    config = write(tmp_path, "models: {base: ./a}\nlimit: first:5\n")
    spec = build_spec([], config, {"budget": 300})
    assert (spec.limit, spec.budget) == (None, 300)
    assert build_spec([], config, {}).limit == Limit(5, first=True)
    other = write(tmp_path, "models: {base: ./a}\nbudget: 300\n")
    spec = build_spec([], other, {"limit": "7"})
    assert (spec.limit, spec.budget) == (Limit(7), None)


def test_an_empty_baseline_is_none_of_the_models(tmp_path: Path) -> None:
    _, faults = draft_spec({"a": str(tmp_path), "b": str(tmp_path)}, options={"baseline": ""})
    assert faults == ["baseline '' is not among the models: a, b"]


def test_a_chat_template_that_cannot_be_read_is_a_fault_and_the_draft_goes_on_without(tmp_path: Path) -> None:
    (tmp_path / "latin.jinja").write_bytes(b"\xe9\xff")
    for name, why in (("absent.jinja", "is neither true, false nor a file"), ("latin.jinja", "is not UTF-8 text")):
        file = str(tmp_path / name)
        spec, faults = draft_spec({"a": {"source": str(tmp_path), "chat_template": file}})
        assert faults == [f"model 'a': chat_template {file!r} {why}"]
        assert spec.models[0].chat_template is False
