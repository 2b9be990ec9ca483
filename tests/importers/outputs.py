"""What lm-eval itself leaves of models that answer by rule, so that the same models can be asked here too."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.toy import RuleBackend

TASKS = ("toy_sums", "toy_words")


def run_lm_eval(tasks_dir: Path, output: Path, name: str, tasks: Sequence[str] = TASKS, **options: Any) -> Path:
    """Have lm-eval ask a rule-based model and store samples and results, as its command line does; return the folder.

    Args:
        tasks_dir: of the definitions (`tests.toy.write_tasks`).
        output: the folder.
        name: of the model, on which its answers depend.
        tasks: which ones.
        options: of `simple_evaluate`.
    """
    from lm_eval import simple_evaluate
    from lm_eval.api.model import LM
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    class RuleLM(LM):
        def _ask(self, requests: Any) -> Any:
            return RuleBackend(name).respond(requests)

        def loglikelihood(self, requests: Any) -> Any:
            return [(each.log_probability, each.is_greedy) for each in self._ask(requests)]

        def loglikelihood_rolling(self, requests: Any) -> Any:
            return [each.log_probability for each in self._ask(requests)]

        def generate_until(self, requests: Any) -> Any:
            return [each.text for each in self._ask(requests)]

    tracker = EvaluationTracker(output_path=str(output))
    before = Path.cwd()
    # lm-eval reads a definition's data files from the working directory.
    os.chdir(tasks_dir)
    try:
        results: Any = simple_evaluate(
            RuleLM(),
            tasks=list(tasks),
            task_manager=TaskManager(include_path=str(tasks_dir), include_defaults=False),
            model_args=f"pretrained={name}",
            bootstrap_iters=0,
            log_samples=True,
            evaluation_tracker=tracker,
            **options,
        )
    finally:
        os.chdir(before)
    samples = results.pop("samples")
    tracker.save_results_aggregated(results=results, samples=samples)
    for task in results["configs"]:
        tracker.save_results_samples(task_name=task, samples=samples[task])
    return output


def copied(folder: Path, to: Path) -> Path:
    """A copy that a test may change."""
    shutil.copytree(folder, to)
    return to


def change_results(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change every results file of a folder."""
    for path in folder.rglob("results_*.json"):
        row = json.loads(path.read_text())
        change(row)
        path.write_text(json.dumps(row))


def change_samples(folder: Path, task: str, change: Callable[[list[dict[str, Any]]], Any]) -> None:
    """Change the lines of a task's samples; what `change` returns, if anything, takes their place."""
    for path in folder.rglob(f"samples_{task}_*.jsonl"):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        rows = change(rows) or rows
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
