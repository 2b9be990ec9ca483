"""A model's results as the `model-index` of a Hugging Face model card: YAML that `huggingface_hub` reads back equal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mplus_eval import __version__
from mplus_eval.errors import UsageError
from mplus_eval.exports.dataset_ids import dataset_of
from mplus_eval.exports.local_paths import without_local_paths
from mplus_eval.records.base import Interval
from mplus_eval.spec.faults import nearest

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

    from mplus_eval.exports import StoredRun

GENERATION = "text-generation"
"""The hub's name for what a language model does."""


def model_card(run: StoredRun, model: str, page: str | None = None) -> str:
    """The front matter of a model card, between its lines of `---`.

    Args:
        run: a finished run.
        model: a model of it.
        page: where its report can be read, which makes mplus-eval the source of the results; without an address the hub
            takes no source.

    Raises:
        UsageError: the run has no such model, or nothing was found of it.
    """
    from huggingface_hub import ModelCardData

    results = eval_results(run, model, page)
    if not results:
        raise UsageError(f"--model-card {model}: the run has no result of this model")
    return f"---\n{ModelCardData(model_name=model, eval_results=results).to_yaml()}\n---\n"


def eval_results(run: StoredRun, model: str, page: str | None = None) -> list[EvalResult]:
    """The results of one model: its tasks, its toxicity, its win rate; see `model_card`."""
    if model not in run.comparison.models:
        known = list(run.comparison.models)
        raise UsageError(f"--model-card {model!r}: no model of this run; {nearest(model, known)}")
    found = [*_capability(run, model, page), *_toxicity(run, model, page), *_conversation(run, model, page)]
    return list(_kept_apart(found))


def _kept_apart(results: Iterable[EvalResult]) -> Iterator[EvalResult]:
    """Results that read back equal: of two tasks on one dataset a model-index keeps the name of the first alone.

    So the second has its own name as its dataset's.
    """
    names: dict[object, str] = {}
    for result in results:
        if names.setdefault(result.unique_identifier, result.dataset_name) != result.dataset_name:
            result = replace(result, dataset_type=result.dataset_name, dataset_config=None, dataset_split=None)
            names[result.unique_identifier] = result.dataset_name
        yield result


def _capability(run: StoredRun, model: str, page: str | None) -> list[EvalResult]:
    results = []
    for name, task in run.comparison.tasks.items():
        score = task.scores.get(model)
        if score is None or score.value is None:
            continue
        dataset = dataset_of(task)
        # A task of one's own may be named by its file.
        lm_eval = str(without_local_paths(task.lm_eval))
        args: dict[str, Any] = {"num_few_shot": task.n_shots, "lm_eval": lm_eval, "version": task.version}
        results.append(
            _result(
                page,
                dataset_type=dataset.id if dataset else lm_eval,
                dataset_name=name,
                dataset_config=dataset.config if dataset else None,
                dataset_split=dataset.split if dataset else None,
                dataset_args=args,
                metric_type=task.metric,
                metric_name=task.metric if task.filter == "none" else f"{task.metric} ({task.filter})",
                metric_value=score.value,
                metric_args=_args(run, score.ci, n_items=score.n_scored, n_failed=score.n_failed),
            )
        )
    return results


def _toxicity(run: StoredRun, model: str, page: str | None) -> list[EvalResult]:
    toxicity = run.comparison.toxicity
    of_model = toxicity.models.get(model) if toxicity else None
    if toxicity is None or of_model is None:
        return []
    return [
        _result(
            page,
            # Two sets may come from one source, and results of the same dataset and arguments are one entry.
            dataset_type=name,
            dataset_name=name,
            dataset_args={"samples_per_prompt": toxicity.samples, "max_new_tokens": toxicity.max_new_tokens},
            metric_type=metric,
            metric_name=f"{metric.replace('_', ' ')}, by {of_model.scorer}",
            metric_value=measured.value,
            metric_args=_args(run, measured.ci, n_prompts=measured.n_prompts),
        )
        for name, on_set in of_model.sets.items()
        for metric, measured in (
            ("expected_maximum_toxicity", on_set.expected_maximum_toxicity),
            ("toxicity_probability", on_set.toxicity_probability),
        )
        if measured.value is not None
    ]


def _conversation(run: StoredRun, model: str, page: str | None) -> list[EvalResult]:
    conversation = run.comparison.conversation
    talk = conversation.models.get(model) if conversation else None
    if conversation is None or talk is None or talk.win_rate.value is None:
        return []
    return [
        _result(
            page,
            dataset_type=conversation.name,
            dataset_name=conversation.name,
            dataset_args={"against": run.comparison.baseline, "n_dialogues": conversation.n_dialogues},
            metric_type="win_rate",
            metric_name=f"win rate, by {talk.judge}",
            metric_value=talk.win_rate.value,
            metric_args=_args(run, talk.win_rate.ci, n_judged=talk.win_rate.n_judged),
        )
    ]


def _args(run: StoredRun, ci: Interval | None, **counts: int) -> dict[str, Any]:
    """What a value stands on: how many items, its interval, and who found it."""
    interval = {"low": ci[0], "high": ci[1], "level": 1 - run.comparison.level} if ci else {}
    return {**counts, **interval, "evaluated_by": f"mplus-eval {__version__}"}


def _result(page: str | None, **fields: Any) -> EvalResult:
    from huggingface_hub import EvalResult

    source: dict[str, Any] = {"source_name": "mplus-eval", "source_url": page} if page else {}
    return EvalResult(task_type=GENERATION, task_name="Text Generation", verified=False, **fields, **source)
