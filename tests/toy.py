"""Small task definitions, a model that answers by rule, and the line over them: what evaluation is tested with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from mplus_eval.backends import Backend, load_backend
from mplus_eval.backends.base import LoadedModel, OpenedModel, Response
from mplus_eval.models.resolved import ResolvedModel
from mplus_eval.pipeline.aggregate import aggregate
from mplus_eval.pipeline.evaluate import Failures, evaluate
from mplus_eval.pipeline.plan import Plan, make_plan
from mplus_eval.pipeline.validate import validate
from mplus_eval.records.comparison import Comparison
from mplus_eval.store.outcomes import Outcome
from mplus_eval.store.run_directory import RunDirectory
from tests.specs import build_spec
from tests.tiny_models import build_tokenizer

CHOICE = """
task: toy_sums
dataset_path: json
dataset_kwargs: {data_files: {test: sums.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{choices}}"
doc_to_target: "{{answer}}"
metric_list: [{metric: acc}, {metric: acc_norm}]
metadata: {version: 1.0}
"""
GENERATION = """
task: toy_words
dataset_path: json
dataset_kwargs: {data_files: {test: words.jsonl}}
test_split: test
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{answer}}"
generation_kwargs: {until: ["\\n"], max_gen_toks: 8, do_sample: false}
metric_list: [{metric: exact_match}]
metadata: {version: 2.0}
"""
SUITE = """
name: toy
description: two small tasks
tasks:
  - {name: sums, lm_eval: toy_sums, shots: 0, metric: acc, cluster: passage}
  - {name: words, lm_eval: toy_words, shots: 0, metric: exact_match}
"""


def write_tasks(folder: Path, n_items: int = 12) -> Path:
    """Write two task definitions with their data and a suite of both; return the suite's file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "toy_sums.yaml").write_text(CHOICE)
    (folder / "toy_words.yaml").write_text(GENERATION)
    sums = [
        {
            "question": f"{number} + 1 =",
            "choices": [str(number), str(number + 1), str(number + 2)],
            "answer": 1,
            "passage": f"passage {number // 3}",
        }
        for number in range(n_items)
    ]
    words = [{"question": f"say {number}:", "answer": str(number)} for number in range(n_items)]
    for name, rows in (("sums", sums), ("words", words)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    suite = folder / "toy.suite.yaml"
    suite.write_text(SUITE)
    return suite


class RuleBackend:
    """Answers without weights: log-probabilities from a hash of what was asked, generations that repeat the number."""

    facts = LoadedModel("rule", "float32", 7, "cpu")
    requests_per_call = 6
    opened: OpenedModel | None = None

    def __init__(self, name: str, before: Callable[[Sequence[Any]], None] | None = None) -> None:
        """Take a name, on which the answers depend, and what is called before each answer."""
        self.name, self.before = name, before
        self.n_answered = 0

    def respond(self, requests: Sequence[Any]) -> list[Response]:
        """Answer requests of one type."""
        if self.before is not None:
            self.before(requests)
        self.n_answered += len(requests)
        return [self._respond(request) for request in requests]

    def render_chat(self, messages: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """Put messages into a template."""
        return "".join(f"<{message['role']}>{message['content']}" for message in messages)

    def close(self) -> None:
        """Do nothing."""

    def _respond(self, request: Any) -> Response:
        digest = hashlib.sha256("|".join(map(str, (self.name, *request.args))).encode()).digest()
        if request.request_type == "generate_until":
            number = request.args[0].split()[-1].rstrip(":")
            return Response(text=number if digest[0] < 160 else "none")
        whole = request.request_type == "loglikelihood_rolling"
        return Response(log_probability=-float(digest[0]) / 10 - 0.1, is_greedy=None if whole else digest[1] < 128)


@cache
def _tokenizer() -> str:
    return str(build_tokenizer(320).backend_tokenizer.to_str())


def write_checkpoint(folder: Path, seed: int = 0) -> Path:
    """Write what passes for a checkpoint until it is loaded: a configuration, a tensor and a tokenizer's file."""
    import numpy as np
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    # Small, for a test in which loading it fails would else have made seven billion weights first.
    sizes = dict.fromkeys(("hidden_size", "intermediate_size"), 8) | dict.fromkeys(
        ("num_hidden_layers", "num_attention_heads", "num_key_value_heads"), 1
    )
    (folder / "config.json").write_text(json.dumps({"model_type": "mistral", "vocab_size": 320, **sizes}))
    (folder / "tokenizer.json").write_text(_tokenizer())
    save_file({"weight": np.full((2, 2), seed, dtype=np.float32)}, folder / "model.safetensors")
    return folder


Before = Callable[[Sequence[Any]], None]
"""What happens before a backend answers requests."""


class Bench:
    """A plan of models on two toy tasks, and the backends that the newest pass loaded."""

    def __init__(self, path: Path, n_items: int = 12) -> None:
        """Write the tasks, with so many items each, into an empty folder."""
        self.path = path
        self.suite = write_tasks(path / "tasks", n_items)
        self.directory = RunDirectory(path / "run")
        self.backends: list[RuleBackend] = []

    def plan(self, names: Sequence[str] = ("base", "plus"), **options: Any) -> Plan:
        """Plan a run of models by name, the baseline first."""
        models = [f"{name}={write_checkpoint(self.path / name, len(name))}" for name in names]
        given = {"suite": str(self.suite), "tasks_dir": self.path / "tasks", "output": self.directory.path, **options}
        return make_plan(validate(build_spec(models, options=given)), self.directory)

    def run(self, names: Sequence[str] = ("base", "plus"), before: Before | None = None, **options: Any) -> Failures:
        """Ask and score what is missing."""
        return self._evaluate(self.plan(names, **options), before)

    def compare(self, names: Sequence[str] = ("base", "plus"), **options: Any) -> Comparison:
        """The line to the comparison, which is stored."""
        plan = self.plan(names, **options)
        comparison = aggregate(plan, self.directory, self._evaluate(plan))
        comparison.write(self.directory.comparison)
        return comparison

    def compare_with(self, stored: Sequence[str], names: Sequence[str]) -> Comparison:
        """The same of stored results, the baseline first, and of models that are asked here."""
        models = [*stored, *(f"{name}={write_checkpoint(self.path / name, len(name))}" for name in names)]
        options = {"suite": str(self.suite), "tasks_dir": self.path / "tasks", "output": self.directory.path}
        plan = make_plan(validate(build_spec(models, options=options)), self.directory)

        def load(model: ResolvedModel) -> Backend:
            is_stored = model.backend == "stored"
            return load_backend(model.backend, model.spec, model.location) if is_stored else self.load(model)

        return aggregate(plan, self.directory, evaluate(plan, self.directory, load=load))

    def outcomes(self, model: str, task: str) -> list[Outcome]:
        """Those that are stored of a cell."""
        return list(self.directory.read_outcomes(model, task))

    def load(self, model: ResolvedModel, before: Before | None = None) -> RuleBackend:
        """The backend of a model; another one may stand here."""
        return RuleBackend(model.spec.name, before)

    def _evaluate(self, plan: Plan, before: Before | None = None) -> Failures:
        self.backends = []

        def load(model: ResolvedModel) -> RuleBackend:
            self.backends.append(self.load(model, before))
            return self.backends[-1]

        return evaluate(plan, self.directory, load=load)
