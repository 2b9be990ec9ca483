"""What a user asks for: configurations, suites, definitions, recipes, policies, and the checkpoints that they name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import strategies as st

from tests.fuzz.conftest import Ground
from tests.fuzz.thrown import run, throw
from tests.fuzz.values import json_bytes, odd_texts, yaml_bytes
from tests.toy import CHOICE, SUITE, write_checkpoint


def test_configurations(ground: Ground, tmp_path: Path, examples: int) -> None:
    file = tmp_path / "config.yaml"
    document = {
        "models": {
            "base": str(ground.path / "base"),
            "plus": {"source": str(ground.path / "plus"), "role": "plus", "dtype": "float32", "batch_size": 4,
                     "chat_template": False, "generation": {"top_k": 3, "stop": ["x"]}, "price_in": 0.5},
        },
        "baseline": "base",
        "suite": str(ground.suite),
        "tasks_dir": str(ground.suite.parent),
        "tasks": ["sums", "words"],
        "limit": 3,
        "seed": 0,
        "output": "out",
        "allow": ["quantization"],
        "toxicity": False,
        "scorers": ["words"],
        "judges": ["human:pairs.csv"],
    }  # fmt: skip

    def check(content: bytes) -> None:
        file.write_bytes(content)
        run(["compare", "--config", str(file), "--dry-run", "--quiet"])

    throw(yaml_bytes(document), check, examples)


def test_models_and_options_of_the_command_line(ground: Ground, examples: int) -> None:
    options = ("baseline", "limit", "budget", "tasks", "seed", "allow", "trajectory", "from-run", "scorer", "output",
               "suite", "tasks-dir", "data-dir", "backend", "from", "config", "judge", "log-to", "pairs")  # fmt: skip
    keys = ("role", "revision", "tokenizer", "adapter", "dtype", "device", "quantization", "file", "batch_size",
            "chat_template", "generation", "thinking", "backend", "model", "base_url", "api", "results")  # fmt: skip
    given = st.tuples(
        st.lists(st.tuples(st.sampled_from(keys), odd_texts), max_size=2),
        st.lists(st.tuples(st.sampled_from(options), odd_texts), max_size=2),
    )

    def check(given: tuple[list[tuple[str, str]], list[tuple[str, str]]]) -> None:
        plus = ",".join([ground.models[1], *(f"{key}={value}" for key, value in given[0])])
        more = [f"--{option}={value}" for option, value in given[1]]
        run(["compare", ground.models[0], plus, *ground.tasks, *more, "--dry-run", "--quiet"])

    throw(given, check, examples)


def test_suites(ground: Ground, tmp_path: Path, examples: int) -> None:
    document = yaml.safe_load(SUITE) | {"margin": 0.01, "icc": 0.3, "costs": {"sums": 3}}
    document["tasks"][0] |= {"margin": 0.02, "until": ["x"], "same_question": "{{question}}", "examples": "fixed"}
    file = ground.suite.with_name("fuzzed.suite.yaml")

    def check(content: bytes) -> None:
        file.write_bytes(content)
        run(["tasks", "list", "--suite", str(file)])
        run(["compare", *ground.models, "--suite", str(file), "--tasks-dir", str(file.parent), "--dry-run", "--quiet"])

    try:
        throw(yaml_bytes(document), check, examples)
    finally:
        file.unlink()


def test_suites_of_the_other_axes(ground: Ground, tmp_path: Path, examples: int) -> None:
    from mplus_eval.spec.suite import shipped_suites

    document = yaml.safe_load(shipped_suites()["mini"].read_text())
    document = {key: document[key] for key in ("name", "harmlessness", "conversation")} | {"tasks": []}
    file = tmp_path / "axes.yaml"

    def check(content: bytes) -> None:
        file.write_bytes(content)
        run(["tasks", "list", "--suite", str(file)])
        run(["toxicity", *ground.models, "--suite", str(file), "--limit", "2", "--dry-run", "--quiet"])
        run(["conversation", *ground.models, "--suite", str(file), "--limit", "2", "--dry-run", "--quiet"])

    throw(yaml_bytes(document), check, examples)


def test_task_definitions(ground: Ground, tmp_path: Path, examples: int) -> None:
    folder = Path(shutil.copytree(ground.suite.parent, tmp_path / "tasks"))
    options = ["--suite", str(folder / ground.suite.name), "--tasks-dir", str(folder)]
    document = yaml.safe_load(CHOICE) | {"generation_kwargs": {"until": ["x"]}, "num_fewshot": 0, "tag": ["some"]}

    def check(content: bytes) -> None:
        (folder / "toy_sums.yaml").write_bytes(content)
        run(["tasks", "check", *options])
        run(["compare", *ground.models, *options, "--dry-run", "--quiet"])

    throw(yaml_bytes(document), check, examples)


def test_policies(every_axis: Path, tmp_path: Path, examples: int) -> None:
    file = tmp_path / "policy.yaml"
    document = {
        "description": "some",
        "extends": "capability",
        "missing": "fail",
        "rules": {
            "loss": {"measure": "alignment_tax", "max_loss": 0.02, "why": "so", "models": ["plus"]},
            "task": {"measure": "task", "max_loss": 0.05, "tasks": ["mmlu"], "tier": "warning"},
            "verdicts": {"measure": "toxicity", "verdicts": ["improved", "preserved"], "missing": "allow"},
            "few": {"measure": "failed_items", "at_most": 0.01},
        },
    }

    def check(content: bytes) -> None:
        file.write_bytes(content)
        run(["gate", str(every_axis), "--policy", str(file), "--explain"])

    throw(yaml_bytes(document), check, examples)


def test_recipes(ground: Ground, tmp_path: Path, examples: int) -> None:
    file = tmp_path / "recipe.yaml"
    document = {
        "base": str(ground.path / "base"),
        "output": str(tmp_path / "out"),
        "device": "cpu",
        "pairs": [{"source": "demo:pairs", "n": 8}],
        "prompts": [{"source": "demo:provoking", "n": 8}],
        "reward": {"learning_rate": 1e-5, "steps": 1, "batch_size": 4},
        "sft": {"instruct": {"data": [{"source": "demo:broad", "n": 8}], "learning_rate": 1e-5, "steps": 1}},
        "rlhf": {"plus": {"learning_rate": 1e-5, "steps": 1, "batch_size": 4, "answers": 2, "max_new_tokens": 8}},
        "check": {"prompts": [{"source": "demo:provoking", "n": 2}]},
    }

    def check(content: bytes) -> None:
        file.write_bytes(content)
        run(["train", "all", "--config", str(file), "--check"])

    throw(yaml_bytes(document), check, examples)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json"])
def test_files_of_a_checkpoint(ground: Ground, tmp_path: Path, examples: int, name: str) -> None:
    folder = write_checkpoint(tmp_path / "plus", 4)
    documents = {
        "config.json": json.loads((folder / "config.json").read_text())
        | {"architectures": ["MistralForCausalLM"], "torch_dtype": "float32", "eos_token_id": 2, "rope_theta": 1e4},
        "tokenizer.json": json.loads((folder / "tokenizer.json").read_text()),
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "</s>", "bos_token": {"content": "<s>"},
            "model_max_length": 64, "added_tokens_decoder": {"0": {"content": "<s>", "special": True}},
            "chat_template": [{"name": "default", "template": "{{ messages[0]['content'] }}"}],
        },
        "generation_config.json": {"eos_token_id": [2, 3], "temperature": 0.7, "top_k": 3, "do_sample": True},
    }  # fmt: skip

    def check(content: bytes) -> None:
        (folder / name).write_bytes(content)
        run(["compare", ground.models[0], f"plus={folder},chat_template=true", *ground.tasks, "--dry-run", "--quiet"])

    throw(json_bytes(documents[name]), check, examples)


@pytest.mark.parametrize("name", ["training.json", "trainer_state.json", "adapter_config.json"])
def test_files_of_a_training(ground: Ground, tmp_path: Path, examples: int, name: str) -> None:
    folder = tmp_path / "training"
    step = write_checkpoint(folder / "checkpoint-2", 4)
    write_checkpoint(folder, 5)
    state = {"global_step": 2, "max_steps": 4, "best_global_step": 2, "log_history": [{"loss": 1.0, "step": 1}]}
    (step / "trainer_state.json").write_text(json.dumps(state))
    from tests.training.test_card import record

    documents = {
        "training.json": json.loads(record().model_dump_json()),
        "trainer_state.json": state,
        "adapter_config.json": {"base_model_name_or_path": str(ground.path / "base"), "peft_type": "LORA", "r": 4},
    }

    def check(content: bytes) -> None:
        (step / name).write_bytes(content)
        run(["compare", ground.models[0], "--trajectory", str(folder), *ground.tasks, "--dry-run", "--quiet"])

    throw(json_bytes(documents[name]), check, examples)


def test_odd_chat_templates(ground: Ground, tmp_path: Path, examples: int) -> None:
    folder = write_checkpoint(tmp_path / "plus", 4)
    good = "{{ bos_token }}{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}"
    pieces = st.sampled_from((
        good, "{% for x in range(10**9) %}{% endfor %}", "{{ messages | tojson }}", "{{ raise_exception('no') }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "{% include 'x' %}", "{{ ''.__class__ }}", "{% if", "\x00",
    ))  # fmt: skip

    def check(parts: list[str]) -> None:
        (folder / "chat_template.jinja").write_text("".join(parts), encoding="utf-8", errors="surrogatepass")
        run(["compare", ground.models[0], f"plus={folder},chat_template=true", *ground.tasks, "--dry-run", "--quiet"])

    # Each template is rendered in a process of its own, which takes seconds.
    throw(st.lists(pieces, max_size=2), check, max(examples // 10, 3))
